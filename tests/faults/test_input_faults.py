"""Whatever an input yields, and however it ends."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np
import pytest
from face_stream import SIZE, picture
from faulty_outputs import Fault
from faulty_parts import ScriptedInput, ScriptedTracker
from faulty_sessions import assert_closed, play

from rtswap.core.errors import FaceLost, InputError
from rtswap.core.types import Image
from rtswap.runtime import sender

COUNT, AT = 14, 6
Make = Callable[[int], Image]


def from_then_on(odd: Make) -> Make:
    return lambda index: odd(index) if index >= AT else picture(index)


def just_then(odd: Make) -> Make:
    return lambda index: odd(index) if index == AT else picture(index)


def locked(index: int) -> Image:
    image = picture(index)
    image.flags.writeable = False
    return image


PICTURES: dict[str, Make] = {
    "other size": from_then_on(lambda i: picture(i, (96, 144))),
    "smaller": from_then_on(lambda i: picture(i, (80, 60))),
    "larger": from_then_on(lambda i: picture(i, (320, 240))),
    "ever another size": lambda i: picture(i, (100 + 7 * i, 70 + 5 * i)),
    "one pixel": just_then(lambda i: picture(i, (1, 1))),
    "a line": just_then(lambda i: picture(i, (200, 1))),
    "three by two": just_then(lambda i: picture(i, (3, 2))),
    "odd": lambda i: picture(i, (143, 79)),
    "huge": just_then(lambda i: picture(i, (1000, 700))),
    "locked": locked,
    "turned about": lambda i: picture(i)[:, :, ::-1],
    "mirrored view": lambda i: picture(i)[::-1][::-1],
    "a view into more": lambda i: np.pad(picture(i), ((4, 4), (4, 4), (0, 0)))[4:-4, 4:-4],
    "Fortran order": lambda i: np.asfortranarray(picture(i)),
}
NO_PICTURES: dict[str, Make] = {
    "empty": just_then(lambda i: np.zeros((0, 0, 3), np.uint8)),
    "no rows": just_then(lambda i: np.zeros((0, 100, 3), np.uint8)),
    "gray": just_then(lambda i: picture(i)[..., 0]),
    "with alpha": just_then(lambda i: np.zeros((80, 144, 4), np.uint8)),
    "float": just_then(lambda i: picture(i) / 255),
    "16 bit": just_then(lambda i: picture(i).astype(np.uint16)),
}


@pytest.mark.parametrize("faults", [[], [AT], [AT, AT + 1]], ids=["found", "lost at once", "lost twice"])
@pytest.mark.parametrize("policy", ["blur", "hold"])
@pytest.mark.parametrize("kind", PICTURES)
def test_strange_pictures(kind: str, policy: str, faults: list[int]) -> None:
    """``faults``: the tracker finds nobody in the very frame that is different."""
    tracker = ScriptedTracker("empty", faults)
    played = play(ScriptedInput(COUNT, make=PICTURES[kind]), tracker=tracker, policy=policy)
    assert_closed(played)
    assert played.error is None
    assert len(played.output.indices) == COUNT


@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize("kind", NO_PICTURES)
def test_what_is_no_picture_ends_the_session_in_one_line(kind: str, live: bool) -> None:
    played = play(ScriptedInput(COUNT, live=live, make=NO_PICTURES[kind]))
    assert_closed(played)
    assert isinstance(played.error, InputError)
    assert "uint8" in str(played.error)
    if not live:
        assert played.output.indices == list(range(AT))


@pytest.mark.parametrize("faults", [[], range(AT, AT + 3)], ids=["found", "lost meanwhile"])
@pytest.mark.parametrize("policy", ["blur", "hold"])
@pytest.mark.parametrize(
    "time_of",
    [
        lambda i: 0.0,
        lambda i: i / 30 if i < AT else (i - AT) / 30,
        lambda i: -i / 30,
        lambda i: i / 30 + (10.0 if i >= AT else 0.0),
        lambda i: 2.0 * i,
        lambda i: math.nan if i == AT else i / 30,
        lambda i: math.nan,
        lambda i: 1e9 - 1e8 * (i % 2),
        lambda i: math.inf if i == AT else i / 30,
    ],
    ids=["all the same", "starts anew", "backwards", "a gap", "slow", "one nan", "all nan", "to and fro", "infinite"],
)
def test_strange_times(time_of: Callable[[int], float], policy: str, faults: list[int]) -> None:
    played = play(ScriptedInput(COUNT, time_of=time_of), tracker=ScriptedTracker("empty", faults), policy=policy)
    assert_closed(played)
    assert played.error is None
    assert len(played.output.indices) == COUNT


def test_after_a_gap_the_face_may_be_anywhere() -> None:
    """A camera that comes back shows somebody who has moved and is found two frames late."""
    moved = [(100, 40) if i >= AT else (40, 40) for i in range(COUNT)]
    input = ScriptedInput(COUNT, make=lambda i: picture(i, at=moved[i]), time_of=lambda i: i / 30 + (i >= AT) * 5.0)

    class Late(ScriptedTracker):
        others = ()

        def update(self, frame, quality, sighting=None):  # type: ignore[no-untyped-def]
            from face_stream import track_at

            return [] if frame.index in (AT, AT + 1) else [track_at(*moved[frame.index])]

    played = play(input, tracker=Late())
    assert_closed(played)


@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize("at", [0, 1, AT])
@pytest.mark.parametrize("error", [InputError("the cable was pulled"), Fault("a defect"), MemoryError()])
def test_an_input_that_fails(error: Exception, at: int, live: bool) -> None:
    def before(index: int) -> None:
        if index == at:
            time.sleep(0.02)
            raise error

    played = play(ScriptedInput(COUNT, live=live, before=before))
    assert_closed(played)
    assert played.error is error
    if not live:
        assert played.output.indices == list(range(at)), "what was read before is not lost"


@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize("count", [0, 1, 2])
def test_an_input_that_ends_early(count: int, live: bool) -> None:
    played = play(ScriptedInput(count, live=live))
    assert_closed(played)
    assert played.error is None
    assert len(played.output.indices) <= count


def test_one_that_stalls_is_bridged_by_the_last_safe_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "REPEAT_AFTER_S", 0.02)

    def before(index: int) -> None:
        if index == AT:
            time.sleep(0.2)

    played = play(ScriptedInput(COUNT, live=True, before=before, pause_s=0.01))
    assert_closed(played)
    assert played.output.indices.count(AT - 1) >= 3
    assert max(played.output.ages) < 0.15, "a repeated picture counts as taken now"


@pytest.mark.parametrize("live", [True, False])
def test_one_that_cannot_be_closed_keeps_no_output_from_it(live: bool) -> None:
    class Stuck(ScriptedInput):
        def close(self) -> None:
            super().close()
            raise OSError("device or resource busy")

    played = play(Stuck(4, live=live))
    assert_closed(played)
    assert isinstance(played.error, OSError)


def test_stop_counts_nobody_before_the_first_face() -> None:
    """Under ``stop`` an empty room is no lost face; the first face that is lost is."""
    tracker = ScriptedTracker("empty", [*range(5), 10])
    played = play(ScriptedInput(COUNT), tracker=tracker, policy="stop")
    assert_closed(played)
    assert isinstance(played.error, FaceLost)
    assert played.output.indices == list(range(10))
    assert played.output.images[0].shape[1::-1] == SIZE
