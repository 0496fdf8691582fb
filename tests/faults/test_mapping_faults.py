"""Different people with different sources: whatever breaks, nobody leaves bare but those who are nobody's concern."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from face_stream import shows_face
from faulty_outputs import Fault
from faulty_parts import ScriptedInput, ScriptedSwapper, TwoTracks, two_people
from faulty_sessions import MOMENTS, Played, assert_closed, play
from prepared_sources import ready  # noqa: F401

from rtswap.core.types import Image, Points, Tensor
from rtswap.runtime.mapping import Assignment, Example, SourceMapping

LEFT, RIGHT = Assignment("left", 0), Assignment("right", 1)


def played(*assignments: Assignment, count: int = 12, right: Any = None, **mapping: Any) -> Played:
    return play(
        ScriptedInput(count, make=two_people),
        tracker=TwoTracks(),
        swappers=[ScriptedSwapper(put_on=9), right or ScriptedSwapper(put_on=7)],
        mapping=SourceMapping(assignments, **mapping),
    )


def shown(image: Image) -> list[bool]:
    """Who is to be seen: 9 and 7 on the left, 9 and 7 on the right."""
    return [shows_face(part, who) for part in (image[:, :72], image[:, 72:]) for who in (9, 7)]


def test_different_people_get_different_faces() -> None:
    found = played(LEFT, RIGHT)
    assert_closed(found)
    assert set(found.output.swapped) == {2}
    assert all(shown(image) == [True, False, False, True] for image in found.output.images)


def test_who_has_no_source_is_covered() -> None:
    found = played(LEFT, choices=0)
    assert_closed(found)
    assert found.bare(1) == []
    assert set(found.output.swapped) == {1}
    assert all(shown(image) == [True, False, False, False] for image in found.output.images)


def test_with_faces_one_others_are_covered() -> None:
    found = played(LEFT, choices=0, everyone=False)
    assert_closed(found)
    assert found.bare(1) == []
    assert found.metrics.summary()["frames_covered_because"] == {"other people": 12}


def test_who_is_nobody_s_concern_is_shown_where_others_are_to_be() -> None:
    found = played(LEFT, choices=0, everyone=False, others_shown=True)
    assert_closed(found)
    assert found.bare(1) == found.output.indices
    assert all(shown(image) == [True, False, False, False] for image in found.output.images)


@pytest.mark.parametrize("kind", ["swap raises", "nan matrix", "mask shape", "zero mask", "copy of the target"])
def test_a_source_that_fails_fails_alone(kind: str) -> None:
    count, faults = MOMENTS["two in a row"]
    found = played(LEFT, RIGHT, count=count, right=ScriptedSwapper(kind, faults, put_on=7))
    assert_closed(found)
    assert found.bare(1) == []
    assert [found.output.swapped[index] for index in faults] == [1, 1]
    assert shown(found.output.images[faults[0]]) == [True, False, False, False]


def test_a_source_that_is_not_there_leaves_nobody_bare() -> None:
    found = played(LEFT, Assignment("right", 5))
    assert_closed(found)
    assert found.bare(1) == []
    assert set(found.output.swapped) == {1}


class Broken:
    """A recogniser that fails the first few times, and then knows nobody."""

    def __init__(self, times: int) -> None:
        self._left = times

    def embed(self, image: Image, keypoints: Points) -> Tensor:
        self._left -= 1
        if self._left >= 0:
            raise Fault("the recogniser broke")
        return np.zeros(8, np.float32)


def test_while_nobody_can_be_recognised_everything_is_covered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rtswap.runtime.mapping.tells_who", lambda mesh: True)  # these faces are small
    example = Assignment(Example((np.eye(8, dtype=np.float32)[0],)), 1)
    found = played(example, LEFT, recogniser=Broken(4), looks=1)
    assert_closed(found)
    assert found.bare(1) == []
    assert found.output.swapped == [0] * 4 + [2] * 8
    assert any("tracking failed" in event for event in found.events)
