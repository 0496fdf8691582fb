"""Whatever the tracker says or does not say, the face does not leave bare."""

from __future__ import annotations

import pytest
from faulty_outputs import Recorder
from faulty_parts import ScriptedInput, ScriptedSwapper, ScriptedTracker
from faulty_sessions import MOMENTS, assert_closed, play
from prepared_sources import ready  # noqa: F401

from rtswap.core.errors import FaceLost

FAILING = ("exception", "nan landmarks", "some nan landmarks", "all nan", "five landmarks", "huge numbers")
"""What counts as a failure. None ends a session, however long it lasts."""
LOSING = ("empty", "leap")
"""The face is gone: no failure of ours, but ``stop`` was asked for it."""
HARMLESS = ("nan box", "coasting", "coasting elsewhere", "new id", "duplicates", "out of frame")
UNSEEN = ("exception", "all nan", "empty")
"""Nothing has been seen in such a frame, so that in the first of all nobody can have been lost."""


CASES = [
    (kind, policy, moment)
    for kind in (*FAILING, *LOSING, *HARMLESS)
    for policy in ("blur", "pixelate", "hold", "stop")
    for moment in MOMENTS
    if not (policy == "pixelate" and moment != "mid-stream")
    and not (policy != "blur" and moment == "seventy in a row" and kind not in ("exception", "empty"))
    and not (kind == "leap" and moment == "first frame")  # where a face was never seen nobody can know better
]


def expected_end(kind: str, policy: str, moment: str) -> type[BaseException] | None:
    if kind in HARMLESS:
        return None
    if policy == "stop" and not (moment == "first frame" and kind in UNSEEN):
        return FaceLost
    return None


@pytest.mark.parametrize(("kind", "policy", "moment"), CASES)
def test_file(kind: str, policy: str, moment: str) -> None:
    count, faults = MOMENTS[moment]
    played = play(ScriptedInput(count), tracker=ScriptedTracker(kind, faults), policy=policy)
    assert_closed(played)
    end = expected_end(kind, policy, moment)
    if end is None:
        assert played.error is None
        assert len(played.output.indices) == count, "a file loses no frame"
        assert played.output.times == [i / 30 for i in range(count)]
    else:
        assert isinstance(played.error, end)
        assert len(played.output.indices) < count


@pytest.mark.parametrize("moment", ["mid-stream", "every other"])
@pytest.mark.parametrize("policy", ["blur", "hold"])
@pytest.mark.parametrize("kind", [*FAILING, *LOSING, *HARMLESS])
def test_live(kind: str, policy: str, moment: str) -> None:
    count, faults = MOMENTS[moment]
    played = play(ScriptedInput(count, live=True), tracker=ScriptedTracker(kind, faults), policy=policy)
    assert_closed(played)
    assert played.error is None
    assert played.output.indices


def test_the_judge_knows_a_bare_face() -> None:
    """The checks above can fail: where the rule is turned off, the face leaves, and is seen."""
    from rtswap.runtime.pipeline import Policy

    count, faults = MOMENTS["two in a row"]
    for tracker in (ScriptedTracker("exception", faults), ScriptedTracker("empty", faults)):
        played = play(ScriptedInput(count), tracker=tracker, policy=Policy(pass_through=True))
        assert played.bare() == list(faults)


def test_a_failure_is_told_once_per_row() -> None:
    count, faults = MOMENTS["two in a row"]
    played = play(ScriptedInput(count), tracker=ScriptedTracker("exception", [*faults, 3]))
    assert [event for event in played.events if "tracking failed" in event] == [played.events[0]] * 2


def test_faces_come_back_swapped() -> None:
    count, faults = MOMENTS["mid-stream"]
    output = Recorder()
    swapper = ScriptedSwapper()
    play(ScriptedInput(count), tracker=ScriptedTracker("exception", faults), swappers=[swapper], outputs=[output])
    assert output.swapped == [0 if i in faults else 1 for i in range(count)]
