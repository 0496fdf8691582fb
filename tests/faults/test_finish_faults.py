"""Whatever a finish does, the face is swapped or covered."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from faulty_outputs import Fault
from faulty_parts import ScriptedInput, ScriptedSwapper, ScriptedTracker
from faulty_sessions import MOMENTS, assert_closed, assert_survived, play
from numpy.typing import NDArray
from prepared_sources import ready  # noqa: F401

from rtswap.core.types import Frame, Points, Quality, SwappedFace, Target, Track

KINDS = [
    *("raises", "nothing", "float crop", "nan crop", "crop shape", "gray crop", "mask dtype", "mask shape"),
    *("zero mask", "faint mask", "target back", "copy of the target", "writes into the target"),
]


class ScriptedFinish:
    """``faults``: calls in which ``kind`` happens."""

    def __init__(self, kind: str, faults: Iterable[int]) -> None:
        self._kind, self._faults = kind, frozenset(faults)
        self._wrong = ScriptedSwapper(kind)._wrong
        self.calls = -1
        self.forgotten: list[int] = []

    def apply(self, swapped: SwappedFace, target: Target, quality: Quality) -> Any:
        self.calls += 1
        if self.calls not in self._faults:
            return swapped
        if self._kind == "raises":
            raise Fault("no finish")
        return self._wrong(target, swapped.crop, swapped.mask)

    def forget(self, track_id: int) -> None:
        self.forgotten.append(track_id)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("policy", ["blur", "pixelate", "hold", "stop"])
@pytest.mark.parametrize("kind", KINDS)
def test_file(kind: str, policy: str, moment: str) -> None:
    count, faults = MOMENTS[moment]
    played = play(ScriptedInput(count), finishes=[ScriptedFinish(kind, faults)], policy=policy)
    assert_survived(played, policy, count, faults)


@pytest.mark.parametrize("kind", KINDS)
def test_live(kind: str) -> None:
    count, faults = MOMENTS["every other"]
    played = play(ScriptedInput(count, live=True), finishes=[ScriptedFinish(kind, faults)])
    assert_closed(played)
    assert played.error is None


def test_a_second_finish_mends_nothing_that_the_first_broke() -> None:
    finishes = [ScriptedFinish("zero mask", range(99)), ScriptedFinish("", ())]
    played = play(ScriptedInput(12), finishes=finishes)
    assert_closed(played)
    assert set(played.output.swapped) == {0}


def is_low(landmarks: Points) -> NDArray[np.bool_]:
    return landmarks[:, 1] > np.median(landmarks[:, 1])


class Behind(ScriptedTracker):
    """The landmark network, too, says that something is before the face: before its lower half, or before all."""

    def __init__(self, *, all_of_it: bool) -> None:
        super().__init__()
        self._all = all_of_it

    def update(self, frame: Frame, quality: Quality, sighting: object = None) -> list[Track]:
        tracks = super().update(frame, quality)
        seen = [~(is_low(track.landmarks) | self._all) for track in tracks]
        return [replace(track, visibility=one.astype(np.float32)) for track, one in zip(tracks, seen, strict=True)]


class LowerHalf(ScriptedFinish):
    """A mask network that sees something before the lower half of the face."""

    def __init__(self) -> None:
        super().__init__("", ())

    def apply(self, swapped: SwappedFace, target: Target, quality: Quality) -> SwappedFace:
        swapped.mask[int(np.median(target.landmarks[:, 1])) :] = 0
        return swapped


def test_what_landmarks_and_mask_both_call_hidden_stays_in_front() -> None:
    played = play(ScriptedInput(12), tracker=Behind(all_of_it=False), finishes=[LowerHalf()])
    assert played.error is None
    assert set(played.output.swapped) == {1}, "what is in front is in front"


def test_a_face_of_which_nothing_is_seen_is_covered() -> None:
    played = play(
        ScriptedInput(12), tracker=Behind(all_of_it=True), finishes=[ScriptedFinish("zero mask", range(12))]
    )
    assert_closed(played)
    assert set(played.output.swapped) == {0}


def test_who_asks_for_parts_gets_parts() -> None:
    played = play(ScriptedInput(12), finishes=[ScriptedFinish("zero mask", range(12))], partial=True)
    assert played.error is None
    assert set(played.output.swapped) == {1}
    whole = play(ScriptedInput(12), finishes=[ScriptedFinish("nan crop", range(12))], partial=True)
    assert_closed(whole)
    assert set(whole.output.swapped) == {0}


def test_tracks_that_end_are_forgotten() -> None:
    finish = ScriptedFinish("", ())
    play(ScriptedInput(12), tracker=ScriptedTracker("empty", range(6, 12)), finishes=[finish])
    assert finish.forgotten == [1]
