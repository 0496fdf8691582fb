"""The arithmetic between the networks, against slow and plain versions of itself."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtswap.tracking.cascade import draw, halved, lay_out, patches, peaks, placed, shifted, squared, suppress

sides = st.integers(12, 3000)


@given(sides, sides, st.floats(0.05, 1.0), st.floats(0.4, 0.95))
def test_levels_lie_apart_inside_the_sheet_on_even_places(width: int, height: int, first: float, step: float) -> None:
    sheet = lay_out(width, height, first, step, 12)
    for level in sheet.levels:
        assert all(value % 2 == 0 for value in (level.x, level.y, level.width, level.height))
        assert level.x + level.width <= sheet.width
        assert level.y + level.height <= sheet.height
        assert min(level.width, level.height) >= 12
    for a, b in itertools.combinations(sheet.levels, 2):
        apart_x = a.x + a.width <= b.x or b.x + b.width <= a.x
        apart_y = a.y + a.height <= b.y or b.y + b.height <= a.y
        assert apart_x or apart_y


@given(sides, sides, st.floats(0.05, 1.0))
def test_levels_go_down_until_a_window_fills_the_picture(width: int, height: int, first: float) -> None:
    sheet = lay_out(width, height, first, 0.7, 12)
    if min(width, height) * first < 12:
        assert sheet.levels == ()
        return
    smallest = min(min(level.width, level.height) for level in sheet.levels)
    assert smallest < 12 / 0.7 + 2


def test_the_sheet_wastes_little() -> None:
    sheet = lay_out(1280, 720, 0.2, 0.709, 12)
    used = sum(level.width * level.height for level in sheet.levels)
    assert used / (sheet.width * sheet.height) > 0.75


def test_each_level_shows_the_whole_picture() -> None:
    """A picture that brightens evenly keeps its corners and middle at every size."""
    ramp = np.linspace(0, 200, 320)[None, :] * np.ones((180, 1))
    image = np.repeat(ramp[:, :, None], 3, axis=2).astype(np.uint8)
    sheet = lay_out(320, 180, 0.8, 0.709, 12)
    canvas = np.zeros((sheet.height, sheet.width, 3), np.uint8)
    draw(image, sheet, canvas)
    for level in sheet.levels:
        row = canvas[level.y + level.height // 2, level.x : level.x + level.width, 0].astype(float)
        expected = (np.arange(level.width) + 0.5) / level.width * 200
        assert np.abs(row - expected).max() < 200 / level.width + 2


@pytest.mark.parametrize("size", [(480, 640), (479, 641), (33, 97), (5, 400), (1, 1)])
def test_halves_are_means_of_two_by_two(size: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    pictures = halved(image, 40)
    assert pictures[0] is image
    for large, small in itertools.pairwise(pictures):
        h, w = large.shape[0] // 2, large.shape[1] // 2
        assert small.shape[:2] == (h, w)
        mean = large[: 2 * h, : 2 * w].astype(float).reshape(h, 2, w, 2, 3).mean(axis=(1, 3))
        assert np.abs(small - mean).max() <= 0.75
    assert pictures[-1].shape[1] < 80 or pictures[-1].shape[0] < 2


def overlap(a: np.ndarray, b: np.ndarray, of_smaller: bool) -> float:
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    area_a, area_b = (a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1])
    whole = min(area_a, area_b) if of_smaller else area_a + area_b - width * height
    return width * height / whole


box = st.tuples(st.integers(0, 40), st.integers(0, 40), st.integers(1, 30), st.integers(1, 30)).map(
    lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3])
)


@given(st.lists(st.tuples(box, st.integers(0, 1000)), max_size=20), st.booleans())
def test_suppression_is_the_greedy_one(found: list[tuple[tuple[int, ...], int]], of_smaller: bool) -> None:
    boxes = np.array([b for b, _ in found], np.float32).reshape(-1, 4)
    scores = np.array([s / 1000 for _, s in found], np.float32)
    kept: list[int] = []
    for index in sorted(range(len(found)), key=lambda i: -scores[i]):
        if all(overlap(boxes[index], boxes[other], of_smaller) <= 0.52001 for other in kept):
            kept.append(index)
    assert suppress(boxes, scores, 0.52001, of_smaller=of_smaller).tolist() == kept


def test_peaks_are_what_no_neighbour_beats() -> None:
    scores = np.random.default_rng(2).random((30, 41)).astype(np.float32)
    found = set(zip(*(axis.tolist() for axis in peaks(scores, 0.6)), strict=True))
    for y, x in np.ndindex(scores.shape):
        around = scores[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2]
        assert ((y, x) in found) == (scores[y, x] > 0.6 and scores[y, x] == around.max())


def test_boxes_are_squared_about_their_centre_and_moved_in_their_own_size() -> None:
    boxes = np.array([[10, 20, 30, 60], [0, 0, 8, 2]], np.float32)
    np.testing.assert_allclose(squared(boxes), [[0, 20, 40, 60], [0, -3, 8, 5]])
    moved = shifted(boxes, np.array([[0.1, 0, -0.5, 0.25], [0, 0, 0, 0]], np.float32))
    np.testing.assert_allclose(moved, [[12, 20, 20, 70], [0, 0, 8, 2]])


def test_points_are_centres_of_pixels() -> None:
    """The middle of a box over pixels 0..9 is between pixel 4 and pixel 5."""
    points = np.full((1, 5, 2), 0.5, np.float32)
    np.testing.assert_allclose(placed(points, np.array([[0, 0, 10, 10]], np.float32)), np.full((1, 5, 2), 4.5))


@settings(deadline=None)
@given(st.floats(-80, 230), st.floats(-80, 180), st.floats(20, 190))
def test_a_patch_shows_what_lies_under_its_square(x: float, y: float, side: float) -> None:
    """On a picture that brightens evenly to the right and down, each patch pixel tells where it was taken."""
    columns, rows = np.meshgrid(np.arange(256), np.arange(200))
    image = np.stack([columns, rows, np.full_like(rows, 128)], axis=2).astype(np.uint8)
    patch = patches(halved(image, 20), np.array([[x, y, x + side, y + side]], np.float32), 24)[0].astype(float)
    steps = (np.arange(24) + 0.5) / 24 * side - 0.5
    grid_x, grid_y = np.meshgrid(x + steps, y + steps)
    inside = (grid_x > 8) & (grid_x < 247) & (grid_y > 8) & (grid_y < 191)
    assert np.abs(patch[..., 0] - grid_x)[inside].max(initial=0) <= 1.6
    assert np.abs(patch[..., 1] - grid_y)[inside].max(initial=0) <= 1.6
    outside = (grid_x < -9) | (grid_x > 264) | (grid_y < -9) | (grid_y > 208)
    assert (patch[outside] == 128).all()


def test_many_patches_are_what_each_is_alone() -> None:
    image = cv2.GaussianBlur(np.random.default_rng(1).integers(0, 256, (240, 320, 3), dtype=np.uint8), (0, 0), 2)
    corner = np.random.default_rng(2).uniform(-20, 200, (40, 2))
    boxes = np.hstack([corner, corner + np.random.default_rng(3).uniform(5, 200, (40, 1))]).astype(np.float32)
    pictures = halved(image, 40)
    together = patches(pictures, boxes, 24)
    for index in range(40):
        np.testing.assert_array_equal(together[index], patches(pictures, boxes[index : index + 1], 24)[0])


def test_no_boxes_give_no_patches() -> None:
    assert patches([np.zeros((9, 9, 3), np.uint8)], np.empty((0, 4), np.float32), 24).shape == (0, 24, 24, 3)
