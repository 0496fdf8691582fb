"""Whatever the second detector does, nobody leaves bare and the session goes on."""

from __future__ import annotations

import numpy as np
import pytest
from face_stream import SIZE, middle
from faulty_parts import TWO, ScriptedInput, ScriptedLookout, ScriptedTracker, two_people
from faulty_sessions import MOMENTS, assert_closed, play

from rtswap.core.types import Head, Sighting
from rtswap.runtime.pipeline import Policy


@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize("policy", ["blur", "pixelate", "hold"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_one_that_breaks_covers_the_picture_and_is_told_once(moment: str, policy: str, live: bool) -> None:
    count, faults = MOMENTS[moment]
    played = play(ScriptedInput(count, live=live), lookout=ScriptedLookout(faults=faults), policy=policy)
    assert_closed(played)
    assert played.error is None
    rows = sum(index - 1 not in faults for index in faults)
    assert sum("second detector broke" in event for event in played.events) == rows
    assert played.metrics.summary()["frames_covered_because"]["a failure"] == len(faults)


def spotted(*places: tuple[int, int], px: float = 32) -> Sighting:
    corners = [np.array([x - px / 2, y - px / 2, x + px / 2, y + px / 2], np.float32) for x, y in places]
    return Sighting(tuple(Head(box, 0.9) for box in corners))


@pytest.mark.parametrize("policy", ["blur", "pixelate", "hold", "stop"])
def test_whom_the_tracker_does_not_know_is_covered(policy: str) -> None:
    class OneTrack(ScriptedTracker):
        def update(self, frame, quality, sighting=None):  # type: ignore[no-untyped-def]
            from face_stream import track_at

            return [track_at(*TWO[0])]

    lookout = ScriptedLookout(lambda index: spotted(*TWO))
    played = play(ScriptedInput(12, make=two_people), tracker=OneTrack(), lookout=lookout, policy=policy)
    assert_closed(played)
    assert played.error is None, "another head is no lost face"
    assert played.bare(1) == []
    assert set(played.output.swapped) == {1}
    assert played.metrics.summary()["frames_covered_because"] == {"someone else or what looks like a head": 12}
    assert sum("a head that is not swapped is covered" in event for event in played.events) == 1


def test_nothing_is_covered_where_everything_may_pass() -> None:
    lookout = ScriptedLookout(lambda index: spotted(middle(index, SIZE)))
    tracker = ScriptedTracker("empty", range(12))
    played = play(ScriptedInput(12), tracker=tracker, lookout=lookout, policy=Policy(pass_through=True))
    assert played.bare() == list(range(12))
    assert played.metrics.summary()["frames_covered_because"] == {}
