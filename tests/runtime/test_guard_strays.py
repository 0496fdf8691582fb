"""Heads that no swap accounts for: covered from the first frame on, whatever tracker and recogniser think."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from face_stream import track_at

from rtswap.core.types import Box, Head, Sighting, Track
from rtswap.runtime.guard import MIXED_UP_S, STRAY_S, Guard, Reason
from rtswap.runtime.own_heads import COVERED_FROM

SIZE = (1280, 720)
STEP = 1 / 30
SURE = 0.9


def head(x: float, y: float = 300, px: float = 100, score: float = SURE) -> Head:
    return Head(np.array([x - px / 2, y - px / 2, x + px / 2, y + px / 2], np.float32), score)


def seen(*heads: Head, sure: bool = True) -> Sighting:
    return Sighting(heads, sure=sure)


def hides(boxes: list[Box], one: Head) -> bool:
    return any((box[:2] <= one.box[:2]).all() and (box[2:] >= one.box[2:]).all() for box in boxes)


def with_one(**rest: bool) -> tuple[Guard, Track]:
    """Somebody is followed and swapped at 300."""
    guard, track = Guard(empty_after_s=3.0, **rest), track_at(300, 300, px=100)
    assert guard.judge(0.0, SIZE, [track], {}, seen(head(300))) == []
    assert guard.reasons == frozenset()
    return guard, track


def test_a_newcomer_is_covered_in_the_first_frame() -> None:
    guard, track = with_one()
    other = head(900)
    assert hides(guard.judge(STEP, SIZE, [track], {}, seen(head(300), other)), other)
    assert guard.reasons == {Reason.DOUBT}
    assert not guard.lost, "nobody who was followed is missing"


def test_a_head_beside_the_swapped_one_is_another() -> None:
    guard, track = with_one()
    assert hides(guard.judge(STEP, SIZE, [track], {}, seen(head(300), head(395))), head(395))


def test_who_looks_out_from_behind_the_swapped_one_is_covered() -> None:
    """Its middle lies where the swapped face's own head may lie."""
    guard, track = with_one()
    behind, sighting = head(340, 280, score=0.65), seen(head(300))
    assert hides(guard.judge(STEP, SIZE, [track], {}, replace(sighting, beside=(behind,))), behind)
    assert guard.reasons == {Reason.DOUBT}
    assert hides(guard.judge(2 * STEP, SIZE, [track], {}, sighting), behind), "missed for a frame"
    assert guard.judge(3 * STEP + STRAY_S, SIZE, [track], {}, sighting) == []


def half_hidden(track: Track) -> Track:
    """Something is before the right half of the face, as the picture shows it."""
    return replace(track, visibility=(track.landmarks[:, 0] < 300).astype(np.float32))


@pytest.mark.parametrize("px", [30, 240])
def test_a_head_of_another_size_in_the_place_of_a_swap_is_another(px: float) -> None:
    """A mesh that has shrunk to a mouth accounts for no head."""
    guard, track = with_one()
    other = head(310, px=px)
    assert hides(guard.judge(STEP, SIZE, [half_hidden(track)], {}, seen(other)), other)


def test_a_picture_held_before_a_swapped_face_is_another_head_if_it_is_clear() -> None:
    """Mouths and hands before a face are of this size too, but faint."""
    guard, track = with_one()
    track = half_hidden(track)
    assert guard.judge(STEP, SIZE, [track], {}, seen(head(300), head(320, px=50, score=COVERED_FROM - 0.01))) == []
    held = head(320, px=50, score=COVERED_FROM)
    assert hides(guard.judge(2 * STEP, SIZE, [track], {}, seen(head(300), held)), held)


@pytest.mark.parametrize("lower", [0, 30, 52])
def test_a_part_of_a_face_that_nothing_hides_is_no_other_head(lower: float) -> None:
    """Beards, chins and glasses look like heads, and close faces had a grey block under the chin."""
    guard, track = with_one()
    track = replace(track, box=head(300, px=120).box)
    assert guard.judge(STEP, SIZE, [track], {}, seen(head(300), head(300, 300 + lower, px=40))) == []
    beside = head(352, 340, px=40)
    assert hides(guard.judge(2 * STEP, SIZE, [track], {}, seen(head(300), beside)), beside), "beside the jaw"


def test_hands_at_the_chin_make_no_second_head_of_a_swapped_one() -> None:
    """The second detector then saw a head 1.9 times as large as the face, and the swapped face was blurred."""
    guard, track = with_one()
    for index, (px, lower) in enumerate([(150, 10), (160, 20), (178, 30), (185, 35)]):
        assert guard.judge(0.1 + index / 25, SIZE, [track], {}, seen(head(300, 300 + lower, px))) == [], px
    assert guard.judge(0.4, SIZE, [track], {}, seen(head(300, 340, px=230)))
    other, track = with_one()
    assert other.judge(0.1, SIZE, [track], {}, seen(head(300, 335, px=185))), "at once it is somebody else's"


def test_who_rises_behind_a_swapped_head_makes_it_larger_and_is_covered() -> None:
    guard, track = with_one()
    for index, px in enumerate((130, 150, 165)):
        guard.judge(0.1 + index / 25, SIZE, [track], {}, seen(head(300, 300 - index * 5, px)))
    risen = head(300, 285, px=180)
    assert hides(guard.judge(0.25, SIZE, [track], {}, seen(risen)), risen)


def test_detected_faces_without_a_track_are_covered_too() -> None:
    guard, track = with_one()
    other = head(900)
    assert hides(guard.judge(STEP, SIZE, [track], {}, seen(head(300)), [other.box]), other)


def test_a_stray_that_flickers_stays_covered_then_no_more() -> None:
    guard, track = with_one()
    guard.judge(STEP, SIZE, [track], {}, seen(head(900)))
    for frame in range(2, round(STRAY_S / STEP)):
        assert hides(guard.judge(frame * STEP, SIZE, [track], {}, seen()), head(900))
    assert guard.judge(STEP + STRAY_S + STEP, SIZE, [track], {}, seen()) == []


def test_a_cover_is_wider_where_a_head_is_small_or_out_of_sight() -> None:
    """A cover over half of the picture hides the swap beside it."""

    def widest(boxes: list[Box]) -> float:
        return max(float(box[2] - box[0]) for box in boxes)

    for px, clear in ((40.0, 2.0), (200.0, 1.6)):
        guard, track = with_one()
        assert widest(guard.judge(STEP, SIZE, [track], {}, seen(head(900, px=px)))) == pytest.approx(clear * px)
        assert widest(guard.judge(2 * STEP, SIZE, [track], {}, seen())) == pytest.approx(2 * px)


@pytest.mark.parametrize(
    ("faint", "kept"), [(head(300, score=0.4), True), (head(300, px=20), False), (head(900), False)]
)
def test_what_looks_but_faintly_like_a_head_keeps_a_lost_face_covered(faint: Head, kept: bool) -> None:
    """In its place, and about as large: a head that nods until only its crown is seen."""
    guard, _ = with_one()
    for number in range(1, 200):
        boxes = guard.judge(number * STEP, SIZE, [], {}, Sighting(faint=(faint,)))
    assert bool(boxes) == kept
    assert Guard(empty_after_s=3.0).judge(0.0, SIZE, [], {}, Sighting(faint=(faint,))) != []


def test_a_faint_head_keeps_a_cover_but_begins_none() -> None:
    guard, track = with_one()
    faint = head(900, score=COVERED_FROM - 0.1)
    assert guard.judge(STEP, SIZE, [track], {}, seen(faint)) == []
    guard.judge(2 * STEP, SIZE, [track], {}, seen(head(900)))
    for frame in range(3, 60):
        assert hides(guard.judge(frame * STEP, SIZE, [track], {}, seen(faint)), faint)


@pytest.mark.parametrize(
    ("faint", "covered"),
    [((860, 300, 60), True), ((900, 320, 180), True), ((1040, 300, 340), False), ((900, 480, 340), False)],
    ids=["beside it, as small", "a face around a mouth", "a wall beside it", "a coat below it"],
)
def test_what_looks_faintly_like_a_head_is_covered_with_a_sure_one_it_may_be(
    faint: tuple[int, int, int], covered: bool
) -> None:
    """Else a lamp that is taken for a head takes half of the picture with it."""
    guard, track = with_one()
    x, y, px = faint
    large = head(x, y, px, score=0.4)
    assert hides(guard.judge(STEP, SIZE, [track], {}, seen(head(900, px=40), large)), large) == covered


def test_a_stray_that_is_swapped_now_is_not_covered_any_more() -> None:
    guard, track = with_one()
    guard.judge(STEP, SIZE, [track], {}, seen(head(300), head(900)))
    other = track_at(900, 300, id=2, px=100)
    assert guard.judge(2 * STEP, SIZE, [track, other], {}, seen(head(300), head(900))) == []


def test_an_empty_picture_needs_the_second_detectors_agreement() -> None:
    """A head held sideways is not found by the first one; the plain picture does not pass."""
    guard, _ = with_one()
    for frame in range(1, 300):
        assert hides(guard.judge(frame * STEP, SIZE, [], {}, seen(head(310, score=0.45))), head(310))
    last = 300 * STEP
    for frame in range(88):
        assert guard.judge(last + frame * STEP, SIZE, [], {}, seen())
    assert guard.judge(last + 3.2, SIZE, [], {}, seen()) == []


@pytest.mark.parametrize("sighting", [seen(head(600, score=0.45)), seen(sure=False)])
def test_before_anybody_was_found_a_doubt_keeps_everything_covered(sighting: Sighting) -> None:
    guard = Guard(empty_after_s=3.0)
    for frame in range(200):
        assert [box.tolist() for box in guard.judge(frame * STEP, SIZE, [], {}, sighting)] == [[0, 0, *SIZE]]
        assert guard.reasons == {Reason.NOBODY_YET}
    for frame in range(200, 288):
        assert guard.judge(frame * STEP, SIZE, [], {}, seen())
    assert guard.judge(291 * STEP, SIZE, [], {}, seen()) == []


def test_a_lost_face_stays_covered_while_it_is_too_dark_to_be_sure() -> None:
    guard, _ = with_one()
    for frame in range(1, 300):
        assert hides(guard.judge(frame * STEP, SIZE, [], {}, seen(sure=False)), head(300))


def test_others_who_crossed_the_swapped_face_are_not_shown_until_they_have_gone() -> None:
    """The swap may have gone over to them."""
    guard, track = with_one(others_shown=True)
    assert guard.judge(STEP, SIZE, [track], {}, seen(head(300), head(430))) == []
    for frame in range(2, 3 * round(MIXED_UP_S / STEP)):
        other = head(380) if frame == 2 else head(430)
        assert hides(guard.judge(frame * STEP, SIZE, [track], {}, seen(head(300), other)), other)
    for number in range(1, 2 + round((MIXED_UP_S + STRAY_S) / STEP)):
        guard.judge((frame + number) * STEP, SIZE, [track], {}, seen(head(300)))
    assert guard.judge((frame + number + 1) * STEP, SIZE, [track], {}, seen(head(300), head(430))) == []


def test_others_are_shown_only_while_the_followed_person_is_swapped() -> None:
    guard, track = with_one(others_shown=True)
    assert guard.judge(STEP, SIZE, [track], {}, seen(head(300), head(900))) == []
    assert hides(guard.judge(2 * STEP, SIZE, [], {}, seen(head(900))), head(900)), "that could be the followed one"


def test_the_settings_may_change_and_who_was_seen_stays_known() -> None:
    guard, track = with_one()
    assert hides(guard.judge(STEP, SIZE, [track], {}, seen(head(300), head(900))), head(900))
    guard.use(empty_after_s=1000.0, others_shown=True)
    assert guard.judge(2 * STEP, SIZE, [track], {}, seen(head(300), head(900))) == []
    assert guard.watching
    assert hides(guard.judge(400 * STEP, SIZE, [], {}, seen()), head(300)), "for as long as is asked now"


def test_the_reasons_for_a_cover_are_reported() -> None:
    guard, track = with_one()
    other = track_at(900, 300, id=2, px=100)
    guard.judge(STEP, SIZE, [track, other], {2: Reason.OTHERS})
    assert guard.reasons == {Reason.OTHERS}
    guard.judge(2 * STEP, SIZE, [], {})
    assert guard.reasons == {Reason.LOST}
    guard.fail(3 * STEP, SIZE)
    assert guard.reasons == {Reason.FAILURE}


def test_a_faint_head_is_covered_where_a_swap_was_until_its_mesh_slid_off() -> None:
    guard = Guard(empty_after_s=3.0)
    track, small = track_at(300, 300, px=120), track_at(330, 330, px=50)
    for frame in range(3):
        assert guard.judge(frame * STEP, SIZE, [track], {}, seen(head(300, 300, 130))) == []
    assert guard.judge(3 * STEP, SIZE, [small], {}, seen(head(300, 300, 130, 0.4))), "too large for that mesh"
    alone = Guard(empty_after_s=3.0)
    alone.judge(0.0, SIZE, [small], {})
    assert alone.judge(STEP, SIZE, [small], {}, seen(head(300, 300, 130, 0.4))) == []


def test_a_shoulder_sometimes_inside_the_face_and_sometimes_beside_it_is_left_alone() -> None:
    """What is faint beside a swapped head was never that head, even where the swap accounted for it."""
    guard, track = with_one()
    inside, beside = head(345, 350, px=60, score=0.5), head(370, 350, px=60, score=0.5)
    for frame in range(1, 9):
        shoulder = beside if frame % 2 else inside
        assert guard.judge(frame * STEP, SIZE, [track], {}, seen(head(300), shoulder)) == []


def test_shoulders_beside_a_head_that_was_covered_are_uncovered_with_it() -> None:
    """They are faint, and touched the cover of a head whose swap was switched off for a while."""
    guard, track = with_one()
    everything = seen(head(300), head(380, 350, score=0.5, px=90), head(220, 350, score=0.45, px=90))
    for frame in range(1, 6):
        boxes = guard.judge(frame * STEP, SIZE, [track], {track.id: Reason.OFF}, everything)
        assert hides(boxes, head(300))
    for frame in range(6, 6 + math.ceil(2 * STRAY_S / STEP) + 2):
        boxes = guard.judge(frame * STEP, SIZE, [track], {}, everything)
    assert boxes == []


@pytest.mark.parametrize("step", [10, 60, 90])
def test_a_head_that_fades_while_it_moves_stays_covered(step: float) -> None:
    guard, track = with_one()
    guard.judge(STEP, SIZE, [track], {}, seen(head(300), head(460)))
    for frame in range(1, 8):
        moving = head(460 + step * frame, score=COVERED_FROM - 0.3)
        assert hides(guard.judge((frame + 1) * STEP, SIZE, [track], {}, seen(head(300), moving)), moving)


@pytest.mark.parametrize(
    ("count", "px", "photos", "crowd"),
    [
        (12, 40, False, True),
        (11, 40, False, False),
        (12, 70, False, False),
        (12, 40, True, False),
        (12, 30, True, True),
    ],
)
def test_in_a_crowd_of_small_faces_everything_is_covered(count: int, px: float, photos: bool, crowd: bool) -> None:
    """Of those the detectors miss some; in single pictures only where they are small in pixels."""
    guard, track = with_one(photos=photos)
    people = [head(100 + 90 * number, 600, px=px) for number in range(count)]
    corner = head(1270, 10, px=4)
    assert hides(guard.judge(STEP, SIZE, [track], {}, seen(head(300), *people)), corner) is crowd
