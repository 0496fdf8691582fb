"""Who is who between two looks."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtswap.core.types import Box
from rtswap.tracking.association import count_places, iou, kinship, match


def box(x: float, y: float, w: float, h: float) -> Box:
    return np.array([x, y, x + w, y + h], np.float32)


boxes = st.lists(
    st.builds(box, st.integers(0, 40), st.integers(0, 40), st.integers(1, 30), st.integers(1, 30)), max_size=6
)


def pixels(b: Box) -> set[tuple[int, int]]:
    x1, y1, x2, y2 = (int(edge) for edge in b)
    return set(itertools.product(range(x1, x2), range(y1, y2)))


@given(boxes, boxes)
def test_overlap_is_that_of_counted_pixels(first: list[Box], second: list[Box]) -> None:
    overlaps = iou(first, second)
    assert overlaps.shape == (len(first), len(second))
    for (i, a), (j, b) in itertools.product(enumerate(first), enumerate(second)):
        expected = len(pixels(a) & pixels(b)) / len(pixels(a) | pixels(b))
        assert overlaps[i, j] == pytest.approx(expected, abs=1e-6)


def test_boxes_without_area_overlap_nothing() -> None:
    flat, inverted = box(5, 5, 0, 10), np.float32([20, 20, 10, 10])
    assert not iou([flat, inverted], [flat, inverted, box(0, 0, 50, 50)]).any()


@given(boxes, boxes)
def test_pairs_are_unique_overlapping_and_none_that_fits_is_left_alone(first: list[Box], second: list[Box]) -> None:
    overlaps = iou(first, second)
    pairs = match(overlaps, 0.3)
    rows, columns = {i for i, _ in pairs}, {j for _, j in pairs}
    assert len(rows) == len(columns) == len(pairs)
    assert all(overlaps[i, j] >= 0.3 for i, j in pairs)
    for i, j in itertools.product(range(len(first)), range(len(second))):
        assert i in rows or j in columns or overlaps[i, j] < 0.3


def test_the_best_overlap_goes_first_whatever_the_order() -> None:
    old = [box(0, 0, 100, 100), box(60, 0, 100, 100)]
    new = [box(50, 0, 100, 100), box(5, 0, 100, 100)]
    assert sorted(match(iou(old, new))) == [(0, 1), (1, 0)]
    assert sorted(match(iou(old[::-1], new))) == [(0, 0), (1, 1)]


def test_ten_faces_side_by_side_that_all_moved_stay_who_they_are() -> None:
    old = [box(100 * n, 50 * (n % 2), 90, 110) for n in range(10)]
    order = np.random.default_rng(3).permutation(10)
    new = [old[n] + np.float32([20, 10, 25, 12]) for n in order]
    assert {(i, int(order[j])) for i, j in match(iou(old, new))} == {(n, n) for n in range(10)}


def test_nobody_matches_nobody() -> None:
    assert match(iou([], [])) == []
    assert match(iou([box(0, 0, 5, 5)], [])) == []
    assert match(iou([], [box(0, 0, 5, 5)])) == []


def test_boxes_that_are_no_numbers_match_nothing() -> None:
    assert match(iou([np.full(4, np.nan, np.float32)], [box(0, 0, 5, 5)])) == []


def test_a_place_that_is_covered_twice_counts_once() -> None:
    assert count_places([]) == 0
    head, around, beside = box(40, 40, 60, 60), box(20, 20, 90, 100), box(85, 40, 125, 80)
    assert count_places([head, around]) == count_places([around, head, head]) == 1
    assert count_places([head, around, beside]) == 2


@given(boxes, boxes)
def test_kinship_is_at_least_the_overlap_and_half_for_what_lies_inside(first: list[Box], second: list[Box]) -> None:
    kin, overlaps = kinship(first, second), iou(first, second)
    assert (kin >= overlaps).all()
    assert (kin <= 1).all()
    for (i, a), (j, b) in itertools.product(enumerate(first), enumerate(second)):
        if pixels(a) <= pixels(b) or pixels(b) <= pixels(a):
            assert kin[i, j] >= 0.5
        if not pixels(a) & pixels(b):
            assert kin[i, j] == 0
