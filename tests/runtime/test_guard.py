"""The guard alone: tracks and times in, boxes out."""

from __future__ import annotations

import math

import numpy as np
import pytest
from face_stream import track_at
from hypothesis import given, settings
from hypothesis import strategies as st

from rtswap.core.types import Box, Track
from rtswap.runtime.guard import Guard, Reason

SIZE = (1280, 720)
STEP = 1 / 30


def hides(boxes: list[Box], track: Track) -> bool:
    """Does one of the boxes hold the whole face, as far as it is in the picture?"""
    low = np.maximum(track.box[:2], 0)
    high = np.minimum(track.box[2:], SIZE)
    return any((box[:2] <= low).all() and (box[2:] >= high).all() for box in boxes)


def after_one_face(**where: float) -> tuple[Guard, Track]:
    guard = Guard(empty_after_s=3.0)
    track = track_at(where.get("x", 300), where.get("y", 300), px=100)
    assert guard.judge(0.0, SIZE, [track], {}) == []
    return guard, track


def test_before_anybody_was_found_everything_is_covered_for_a_while() -> None:
    guard = Guard(empty_after_s=3.0)
    for frame in range(89):
        assert [box.tolist() for box in guard.judge(frame * STEP, SIZE, [], {})] == [[0, 0, *SIZE]]
    assert guard.judge(3.01, SIZE, [], {}) == []


def test_a_lost_face_stays_covered_wider_and_wider_then_no_more() -> None:
    guard, track = after_one_face()
    areas = []
    for frame in range(1, 90):
        boxes = guard.judge(frame * STEP, SIZE, [], {})
        assert hides(boxes, track)
        areas.append(np.prod(boxes[0][2:] - boxes[0][:2]))
    assert areas == sorted(areas)
    assert guard.lost
    assert guard.judge(3.05, SIZE, [], {}) == []
    assert not guard.watching


def test_a_neighbour_is_not_the_lost_face() -> None:
    """Two cheek to cheek: one is lost, the other followed on. The lost one stays covered."""
    guard = Guard(empty_after_s=3.0)
    left, right = track_at(300, 300, px=100), track_at(405, 300, id=2, px=100)
    guard.judge(0.0, SIZE, [left, right], {})
    for frame in range(1, 30):
        assert hides(guard.judge(frame * STEP, SIZE, [right], {}), left)


def test_a_new_track_in_the_place_of_the_lost_one_is_the_same_person() -> None:
    guard, _ = after_one_face()
    guard.judge(STEP, SIZE, [], {})
    found = track_at(310, 305, id=2, px=100)
    assert guard.judge(2 * STEP, SIZE, [found], {}) == []


def test_a_coasting_face_is_covered_where_it_is_thought_and_where_it_was_seen() -> None:
    guard, track = after_one_face()
    thought = track_at(400, 300, px=100, confidence=0.4)
    boxes = guard.judge(STEP, SIZE, [thought], {})
    assert hides(boxes, thought)
    assert hides(boxes, track)
    assert not guard.lost


@pytest.mark.parametrize("now", [-5.0, 60.0, math.nan])
def test_after_a_jump_in_time_everything_is_covered_and_the_last_place_remembered(now: float) -> None:
    guard, track = after_one_face()
    assert hides(guard.judge(now, SIZE, [], {}), track)
    other = track_at(900, 300, id=2, px=100)
    on_download = now + STEP if math.isfinite(now) else 100.0
    assert hides(guard.judge(on_download, SIZE, [other], {}), track), "one found elsewhere does not bare the first"


def test_a_place_moves_with_the_size_of_the_picture() -> None:
    guard, _ = after_one_face(x=1000, y=600)
    half = (640, 360)
    assert [box.tolist() for box in guard.judge(STEP, half, [], {})] == [[0, 0, *half]]
    boxes = guard.judge(2 * STEP, half, [track_at(100, 100, id=2, px=50)], {})
    assert hides(boxes, track_at(500, 300, px=50))


@pytest.mark.parametrize("x", [-900, 3000])
def test_a_track_outside_the_picture_does_not_take_its_cover_along(x: float) -> None:
    guard, track = after_one_face()
    assert hides(guard.judge(STEP, SIZE, [track_at(x, 300, px=100)], {}), track)


def test_a_track_that_leaps_leaves_its_cover_behind_until_it_comes_back() -> None:
    guard, track = after_one_face()
    assert hides(guard.judge(STEP, SIZE, [track_at(900, 300, px=100)], {}), track)
    assert guard.lost
    guard.judge(2 * STEP, SIZE, [track], {})
    assert not hides(guard.judge(3 * STEP, SIZE, [track], {}), track)


def test_a_failed_tracker_covers_everything_until_a_face_is_found() -> None:
    guard, track = after_one_face()
    assert [box.tolist() for box in guard.fail(STEP, SIZE)] == [[0, 0, *SIZE]]
    assert [box.tolist() for box in guard.judge(2 * STEP, SIZE, [], {})] == [[0, 0, *SIZE]]
    assert guard.judge(3 * STEP, SIZE, [track], {}) == []


presence = st.sampled_from(["swapped", "bare", "coasting", "gone"])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(presence, presence, presence, st.sampled_from([0.0, STEP, 0.2, 0.9])), max_size=40))
def test_a_detected_person_is_swapped_covered_or_long_gone(script: list[tuple[str, str, str, float]]) -> None:
    """Three people sit side by side and are found and lost at random."""
    guard, now = Guard(empty_after_s=3.0), 0.0
    seats = [track_at(200 + 110 * seat, 300, id=seat, px=100) for seat in range(3)]
    seen: dict[int, float] = {}
    for *states, step in script:
        now += step
        tracks = [
            track_at(200 + 110 * seat, 300, id=seat, px=100, confidence=0.5 if state == "coasting" else 1.0)
            for seat, state in enumerate(states)
            if state != "gone"
        ]
        bare = [seat for seat, state in enumerate(states) if state == "bare"]
        boxes = guard.judge(now, SIZE, tracks, dict.fromkeys(bare, Reason.HIDDEN))
        for seat, state in enumerate(states):
            if state in ("swapped", "bare"):
                seen[seat] = now
            watched = seat in seen and now - seen[seat] < 3.0
            if state == "bare" or state == "coasting" or (state == "gone" and watched):
                assert hides(boxes, seats[seat])
