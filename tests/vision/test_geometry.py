"""Similarity transforms against independent references; integer translations; invalid boxes."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from people import place_mesh, rotation

from rtswap.vision.geometry import (
    box_of,
    canonical,
    clip_box,
    interocular,
    inverse,
    keypoints_of,
    scale_of,
    similarity,
    transform,
    unwrap,
    upright_box,
    upright_view,
)
from rtswap.vision.templates import ARCFACE_112

seeds = st.integers(0, 2**32 - 1)
quick = settings(max_examples=40, deadline=None)


def far_apart(found: np.ndarray, expected: np.ndarray) -> float:
    """Largest difference."""
    assert found.shape == expected.shape
    return float(np.abs(np.asarray(found, float) - expected).max())


def similarity_by_lstsq(moving: np.ndarray, fixed: np.ndarray) -> np.ndarray:
    """In two dimensions a similarity is linear in (a, b, tx, ty): x' = a x - b y + tx, y' = b x + a y + ty."""
    rows, goals = [], []
    for (x, y), (to_x, to_y) in zip(moving.astype(float), fixed.astype(float), strict=True):
        rows += [[x, -y, 1, 0], [y, x, 0, 1]]
        goals += [to_x, to_y]
    a, b, tx, ty = np.linalg.lstsq(np.array(rows), np.array(goals), rcond=None)[0]
    return np.array([[a, -b, tx], [b, a, ty]])


@quick
@given(seeds)
def test_similarity_is_the_least_squares_one(seed: int) -> None:
    rng = np.random.default_rng(seed)
    turn, scale = rng.uniform(-180, 180), 10 ** rng.uniform(-1, 1)
    moving = rng.uniform(0, 500, (int(rng.integers(3, 40)), 2)).astype(np.float32)
    fixed = moving @ rotation(roll=turn)[:2, :2].T * scale + rng.uniform(-500, 500, 2)
    fixed = (fixed + rng.normal(0, 5 * scale, fixed.shape)).astype(np.float32)
    expected = similarity_by_lstsq(moving, fixed)
    assert far_apart(similarity(moving, fixed), expected) < 2e-3 * scale + 2e-3 * np.abs(expected).max()


@quick
@given(seeds)
def test_similarity_in_three_dimensions_is_found_again(seed: int) -> None:
    rng = np.random.default_rng(seed)
    turn = rotation(*rng.uniform(-180, 180, 3))
    scale, shift = 10 ** rng.uniform(-2, 2), rng.uniform(-100, 100, 3)
    mesh = canonical().mesh
    fixed = (scale * mesh @ turn.T + shift).astype(np.float32)
    found = similarity(mesh, fixed)
    assert far_apart(found[:, :3], scale * turn) < 2e-4 * scale + 1e-5
    assert far_apart(found[:, 3], shift) < 1e-3 * scale + 1e-3
    assert far_apart(transform(found, mesh), fixed) < 1e-3 * scale + 1e-3


def test_noisy_points_in_three_dimensions_as_scipy_turns_them() -> None:
    scipy = pytest.importorskip("scipy.spatial.transform", reason="scipy is not installed")
    rng = np.random.default_rng(4)
    mesh = canonical().mesh
    weights = rng.uniform(0, 2, len(mesh)).astype(np.float32)
    fixed = (mesh @ rotation(40, -20, 70).T + rng.normal(0, 0.05, mesh.shape)).astype(np.float32)
    share = weights[:, None] / weights.sum()
    a, b = mesh - (share * mesh).sum(0), fixed - (share * fixed).sum(0)
    expected = scipy.Rotation.align_vectors(b, a, weights)[0].as_matrix()
    found = similarity(mesh, fixed, weights)
    assert found[:, :3] / np.cbrt(np.linalg.det(found[:, :3])) == pytest.approx(expected, abs=1e-4)


def test_no_similarity_is_better_in_three_dimensions() -> None:
    """Also where a mirror image would fit best: then the best of those that turn only."""
    rng = np.random.default_rng(1)
    mesh = canonical().mesh
    for fixed in (mesh + rng.normal(0, 0.1, mesh.shape), mesh * [1, 1, -1]):
        found = similarity(mesh, fixed.astype(np.float32)).astype(float)
        assert np.linalg.det(found[:, :3]) > 0
        best = ((mesh @ found[:, :3].T + found[:, 3] - fixed) ** 2).sum()
        for _ in range(50):
            linear = rotation(*rng.normal(0, 3, 3)) @ found[:, :3] * (1 + rng.normal(0, 0.03))
            other = ((mesh @ linear.T + found[:, 3] + rng.normal(0, 0.01, 3) - fixed) ** 2).sum()
            assert best <= other * (1 + 1e-6)


def test_weights_count_as_repetition() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.uniform(0, 9, (6, 2)).astype(np.float32), rng.uniform(0, 9, (6, 2)).astype(np.float32)
    times = np.array([1, 3, 2, 1, 0, 4])
    repeated = np.repeat(np.arange(6), times)
    weighted = similarity(a, b, times.astype(np.float32))
    assert weighted == pytest.approx(similarity(a[repeated], b[repeated]), abs=1e-4)


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_points_all_in_one_place_give_scale_0(dims: int, count: int) -> None:
    fixed = np.random.default_rng(0).uniform(0, 9, (count, dims)).astype(np.float32)
    found = similarity(np.full((count, dims), 7, np.float32), fixed)
    assert np.isfinite(found).all()
    assert not found[:, :dims].any()
    assert found[:, dims] == pytest.approx(fixed.mean(0), abs=1e-5)


@pytest.mark.parametrize("dims", [2, 3])
def test_points_on_a_line_are_turned_onto_a_line(dims: int) -> None:
    moving = np.outer(np.arange(5), [1, 0, 0][:dims]).astype(np.float32)
    fixed = np.outer(np.arange(5), [0, 2, 0][:dims]).astype(np.float32)
    found = similarity(moving, fixed)
    assert transform(found, moving) == pytest.approx(fixed, abs=1e-4)
    assert np.linalg.det(found[:, :dims].astype(float)) == pytest.approx(2**dims, rel=1e-3)


@quick
@given(seeds)
def test_transform_and_inverse_agree_with_opencv(seed: int) -> None:
    rng = np.random.default_rng(seed)
    matrix = cv2.getRotationMatrix2D(rng.uniform(0, 99, 2).tolist(), rng.uniform(-180, 180), 10 ** rng.uniform(-1, 1))
    matrix = matrix.astype(np.float32)
    points = rng.uniform(-300, 300, (20, 2)).astype(np.float32)
    moved = transform(matrix, points)
    assert moved.dtype == np.float32
    assert far_apart(moved, cv2.transform(points[None], matrix)[0]) < 5e-3
    assert far_apart(transform(inverse(matrix), moved), points) < 2e-2


def test_z_is_scaled_with_x_and_y() -> None:
    matrix = np.array([[0, -3, 5], [3, 0, 7]], np.float32)
    assert scale_of(matrix) == pytest.approx(3)
    assert transform(matrix, np.array([[1, 2, 4]], np.float32)).tolist() == [[-1, 10, 12]]


def test_arcface_template_is_that_of_the_field() -> None:
    left, right, nose, *mouth = ARCFACE_112
    assert left[0] < nose[0] < right[0]
    assert max(left[1], right[1]) < nose[1] < min(corner[1] for corner in mouth)
    assert similarity(ARCFACE_112, ARCFACE_112) == pytest.approx(np.eye(2, 3), abs=1e-6)


corners = st.integers(-500, 500)
sides = st.integers(1, 700)


@quick
@given(corners, corners, sides, sides, st.floats(0.1, 1.0))
@example(0, 0, 2, 2, 1.0)
def test_a_view_of_whole_pixels_is_known_again(x: int, y: int, width: int, height: int, share: float) -> None:
    box = np.array([x, y, x + width, y + height], np.float64)
    size = max(1, round(width * share)), max(1, round(height * share))
    matrix = upright_view(box, size)
    assert upright_box(matrix, size) == (x, y, x + width, y + height)
    # its outermost pixel borders are the crop's: half a pixel beyond centres at whole coordinates
    edges = np.array([[x - 0.5, y - 0.5], [x + width - 0.5, y + height - 0.5]], np.float32)
    assert transform(matrix, edges) == pytest.approx(np.array([[-0.5, -0.5], np.array(size) - 0.5]), abs=1e-3)


def test_a_view_at_size_moves_only() -> None:
    assert upright_view(np.array([10, 20, 14, 26]), (4, 6)).tolist() == [[1, 0, -10], [0, 1, -20]]


def test_a_view_that_shrinks_is_opencv_s_resize() -> None:
    picture = np.random.default_rng(2).integers(0, 256, (60, 80, 3), np.uint8)
    matrix = upright_view(np.array([8, 4, 72, 52]), (32, 24))
    by_matrix = cv2.warpAffine(picture, matrix, (32, 24), flags=cv2.INTER_LINEAR)
    by_resize = cv2.resize(picture[4:52, 8:72], (32, 24), interpolation=cv2.INTER_LINEAR)
    assert np.abs(by_matrix.astype(int) - by_resize).max() <= 4  # OpenCV's warp knows 1/32 of a pixel


@pytest.mark.parametrize(
    "matrix",
    [
        [[1, 0.1, 0], [-0.1, 1, 0]],
        [[1, 0, 0.3], [0, 1, 0]],
        [[-1, 0, 0], [0, 1, 0]],
        [[0, 0, 0], [0, 0, 0]],
        [[1, 0, np.nan], [0, 1, 0]],
        [[np.inf, 0, 0], [0, 1, 0]],
        [[1, 0, -np.inf], [0, 1, 0]],
    ],
)
def test_other_views_are_none_of_whole_pixels(matrix: list[list[float]]) -> None:
    with np.errstate(all="ignore"):
        assert upright_box(np.array(matrix, np.float32), (32, 32)) is None


def test_keypoints_of_a_mesh_are_where_the_template_has_them() -> None:
    points = keypoints_of(canonical().mesh)
    found = transform(similarity(points, ARCFACE_112), points)
    assert points.shape == (5, 2)
    assert np.linalg.norm(found - ARCFACE_112, axis=1).max() < 6  # of 112 px: mean faces differ a little


def test_interocular_distance_does_not_shrink_when_the_head_turns() -> None:
    frontal = interocular(place_mesh(300))
    for yaw in (-80, -30, 45):
        assert interocular(place_mesh(300, yaw=yaw, pitch=20, roll=50)) == pytest.approx(frontal, rel=1e-4)
    assert interocular(canonical().mesh) == pytest.approx(1, abs=1e-4)


def test_triangles_have_one_orientation() -> None:
    mesh = np.stack([np.linspace(-2, 2, 50), np.full(50, 0.3), np.zeros(50)], 1)
    flat = unwrap(mesh)
    assert (np.diff(flat[:, 0]) > 0).all()
    assert (flat[:, 1] == mesh[:, 1]).all()
    assert flat + unwrap(mesh * [-1, 1, 1]) * [1, -1] == pytest.approx(np.zeros((50, 2)), abs=1e-12)


def test_box_of_points() -> None:
    points = np.array([[3, 9, 99], [7, 1, -99], [5, 5, 0]], np.float32)
    assert box_of(points).tolist() == [3, 1, 7, 9]
    assert box_of(points, 0.5).tolist() == [1, -3, 9, 13]


anything = st.floats(allow_nan=True, allow_infinity=True, width=32)


@settings(max_examples=100, deadline=None)
@given(st.lists(anything, min_size=4, max_size=4), st.integers(1, 4000), st.integers(1, 4000))
@example([math.nan] * 4, 10, 10)
@example([0, 0, math.inf, 5], 10, 10)
@example([9, 9, 1, 1], 10, 10)
@example([3e38, 3e38, 3.4e38, 3.4e38], 10, 10)
@example([-3e38, -3e38, 3.4e38, 3.4e38], 10, 10)
def test_clipped_box_is_inside_the_picture_and_covers_the_box(box: list[float], width: int, height: int) -> None:
    x1, y1, x2, y2 = clip_box(np.array(box, np.float32), width, height)
    assert 0 <= x1 <= x2 <= width
    assert 0 <= y1 <= y2 <= height
    if not np.isfinite(box).all():
        assert (x1, y1, x2, y2) == (0, 0, width, height)  # nobody knows where: everywhere
        return
    for low, high, first, last, side in ((box[0], box[2], x1, x2, width), (box[1], box[3], y1, y2, height)):
        if low < high and high > 0 and low < side:
            assert first <= max(low, 0)
            assert last >= min(high, side)
            assert first >= max(low - 1, 0)
            assert last <= min(high + 1, side)


def test_clipped_box_is_empty_beside_the_picture() -> None:
    for box in ([-9, -9, -1, -1], [20, 2, 30, 5], [2, 20, 5, 30]):
        x1, y1, x2, y2 = clip_box(np.array(box, np.float32), 10, 10)
        assert (x2 - x1) * (y2 - y1) == 0
