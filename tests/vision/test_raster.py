"""The rasteriser equals barycentric coordinates computed in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from people import place_mesh

from rtswap.vision.geometry import canonical
from rtswap.vision.raster import EYE_DISTANCE, rasterize

ONE = np.array([[0, 1, 2]], np.int32)


def exact(
    points: np.ndarray, values: np.ndarray, triangles: np.ndarray, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """(h, w, 3) interpolated in front, and (h, w) how far each pixel centre is from the nearest edge, in px."""
    width, height = size
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    out, depth = np.zeros((height, width, 3)), np.full((height, width), np.inf)
    margin = np.full((height, width), np.inf)
    for triangle in triangles:
        a, b, c = points[triangle].astype(float)
        area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
        if abs(area) < 1e-9:
            continue
        u = ((b[0] - x) * (c[1] - y) - (b[1] - y) * (c[0] - x)) / area
        v = ((c[0] - x) * (a[1] - y) - (c[1] - y) * (a[0] - x)) / area
        w = 1 - u - v
        for share, edge in zip((u, v, w), (b - c, c - a, a - b), strict=True):
            margin = np.minimum(margin, np.abs(share * area) / max(np.hypot(*edge[:2]), 1e-9))
        z = u * a[2] + v * b[2] + w * c[2]
        front = (np.minimum(np.minimum(u, v), w) >= 0) & (z < depth)
        blend = (
            u[..., None] * values[triangle[0]]
            + v[..., None] * values[triangle[1]]
            + w[..., None] * values[triangle[2]]
        )
        out[front], depth[front] = blend[front], z[front]
    return out, margin


def compare(points: np.ndarray, values: np.ndarray, triangles: np.ndarray, size: tuple[int, int]) -> None:
    """Equal everywhere but at pixel centres that lie on an edge, and but for what little perspective is left."""
    expected, margin = exact(points, values, triangles, size)
    found = rasterize(points, values, triangles, size)
    assert found.shape == (size[1], size[0], 3)
    assert found.dtype == np.float32
    depth = max(float(np.ptp(points[triangle, 2])) for triangle in triangles)
    wrong = np.abs(found - expected).max(2) > 0.002 + 0.4 * depth / (EYE_DISTANCE * max(size))
    assert not (wrong & (margin > 0.02)).any()


sizes = st.tuples(st.integers(1, 70), st.integers(1, 70))


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**32 - 1), sizes)
def test_one_triangle_anywhere(seed: int, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(seed)
    points = (rng.uniform(-0.5, 1.5, (3, 3)) * [*size, 0]).astype(np.float32)
    points[:, 2] = rng.uniform(-0.5, 0.5, 3) * max(size)
    compare(points, rng.uniform(0, 1, (3, 3)).astype(np.float32), ONE, size)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), sizes)
def test_nearer_triangle_wins_in_any_order(seed: int, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(seed)
    points = (rng.uniform(-0.5, 1.5, (9, 3)) * [*size, 0]).astype(np.float32)
    points[:, 2] = (np.repeat(rng.permutation([-0.3, 0, 0.3]), 3) + rng.uniform(-0.1, 0.1, 9)) * max(size)
    triangles = np.arange(9, dtype=np.int32).reshape(3, 3)
    values = rng.uniform(0, 1, (9, 3)).astype(np.float32)
    compare(points, values, triangles, size)
    compare(points, values, triangles[::-1], size)


def test_either_turn_of_a_triangle_is_drawn() -> None:
    points = np.array([[2, 2, 0], [28, 4, 0], [10, 25, 0]], np.float32)
    values = np.ones((3, 3), np.float32)
    both = [rasterize(points, values, ONE[:, order], (32, 32)) for order in ([0, 1, 2], [0, 2, 1])]
    assert both[0].any()
    assert np.abs(both[0] - both[1]).max() < 1e-4


@pytest.mark.parametrize("size", [(64, 48), (48, 64), (101, 17), (17, 101), (640, 480)])
def test_place_is_exact_in_any_shape_of_picture(size: tuple[int, int]) -> None:
    """Values that are the coordinates come out as each pixel's own coordinates."""
    width, height = size
    low, high = -0.5 - 3, np.array(size) - 0.5 + 3
    corners = np.array([[low, low], [high[0], low], [low, high[1]], [*high]], np.float32)
    points = np.column_stack([corners, np.zeros(4)]).astype(np.float32)
    span = np.array([width + 6, height + 6])
    values = np.column_stack([(corners - low) / span, np.ones(4)]).astype(np.float32)
    found = rasterize(points, values, np.array([[0, 1, 2], [2, 1, 3]], np.int32), size)
    where = found[..., :2] * span + low
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    assert np.abs(where[..., 0] - x).max() < 0.02
    assert np.abs(where[..., 1] - y).max() < 0.02


def test_the_place_is_exact_on_a_face_at_any_angle() -> None:
    size, side = (256, 256), 256
    for yaw in (-60, 0, 35):
        mesh = place_mesh(200, (128, 128), yaw=yaw, pitch=-15, roll=20)
        values = np.column_stack([mesh[:, :2] / side, np.ones(468)]).astype(np.float32)
        found = rasterize(mesh, values, canonical().triangles, size)
        y, x = np.nonzero(found[..., 2] > 0.5)
        error = found[y, x, :2] * side - np.stack([x, y], 1)
        assert np.abs(error).max() < 0.05
        assert len(x) > 3000


def test_neighbouring_triangles_leave_no_gap() -> None:
    mesh = place_mesh(180, (100, 110), yaw=7, pitch=3, roll=11)
    found = rasterize(mesh, np.ones((468, 3), np.float32), canonical().triangles, (200, 220))[..., 0] > 0.5
    holes = found.copy()
    for row in holes:
        inside = np.flatnonzero(row)
        if len(inside):
            row[inside[0] : inside[-1] + 1] ^= True
    assert holes.sum() <= 2  # a convex outline but for a pixel's corner


def test_one_pixel() -> None:
    points = np.array([[-5, -5, 0], [5, -5, 0], [0, 9, 0]], np.float32)
    values = np.full((3, 3), 0.25, np.float32)
    assert rasterize(points, values, ONE, (1, 1)) == pytest.approx(np.full((1, 1, 3), 0.25))
    assert not rasterize(points + np.float32(50), values, ONE, (1, 1)).any()


@pytest.mark.parametrize(
    "points",
    [
        [[5, 5, 0], [5, 5, 0], [5, 5, 0]],
        [[1, 1, 0], [9, 9, 0], [5, 5, 0]],
        [[5, 5, 3], [5, 5, 9], [20, 20, 1]],
    ],
    ids=["a point", "a line", "seen edge-on"],
)
def test_triangles_without_area_paint_no_area(points: list[list[float]]) -> None:
    found = rasterize(np.array(points, np.float32), np.ones((3, 3), np.float32), ONE, (32, 24))
    assert np.isfinite(found).all()
    assert (found > 0).any(2).sum() <= 32


@pytest.mark.parametrize("far", [1e3, 1e5, 1e7])
def test_points_far_outside_do_no_harm(far: float) -> None:
    values = np.ones((3, 3), np.float32)
    away = np.array([[far, far, 0], [far + 9, far, 0], [far, far + 9, 0]], np.float32)
    assert not rasterize(away, values, ONE, (32, 24)).any()
    around = np.array([[-far, -far, 0], [far, -far, 0], [0, far, 0]], np.float32)
    found = rasterize(around, values, ONE, (32, 24))
    assert found.shape == (24, 32, 3)
    assert np.isfinite(found).all()
    if far < 1e5:
        assert np.abs(found - 1).max() < 1e-3


@pytest.mark.parametrize("spread", [1.0, 10.0])
def test_depth_moves_nothing_sideways(spread: float) -> None:
    """As for an endlessly distant camera: a face as deep as the picture is large is drawn where its points are."""
    size = (200, 150)
    flat = np.array([[20, 20, 0], [180, 30, 0], [90, 140, 0]], np.float32)
    deep = flat.copy()
    deep[:, 2] = np.array([-100, 40, 100]) * spread
    values = np.eye(3, dtype=np.float32)
    both = [rasterize(points, values, ONE, size) for points in (flat, deep)]
    shared = (both[0].sum(2) > 0) & (both[1].sum(2) > 0)
    assert (both[0].sum(2) > 0).sum() == pytest.approx(shared.sum(), rel=0.005)
    assert np.abs(both[0] - both[1])[shared].max() < 0.01 * spread + 0.002
