"""The filter of meshes: calm by size and doubt, rigid under every turn of the head."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moving_face import DT, FACE, bench
from numpy.typing import NDArray

from rtswap.tracking.smoothing import STABLE, MeshFilter, calmness, fit_similarity


def rotation(axis: int, angle: float) -> NDArray[np.float64]:
    c, s = math.cos(angle), math.sin(angle)
    turned = np.eye(3)
    i, j = [(1, 2), (2, 0), (0, 1)][axis]
    turned[i, i], turned[j, j], turned[i, j], turned[j, i] = c, c, -s, s
    return turned


def wander(mesh_filter: MeshFilter, calm: float, visibility: np.ndarray | None, points: list[int]) -> float:
    """How far ``points`` of a still face under 0.006 face widths of noise move from frame to frame."""
    random, still = np.random.default_rng(3), bench.face(100)
    noisy = [(still + random.normal(0, 0.6, still.shape)).astype(np.float32) for _ in range(90)]
    smooth = np.array([mesh_filter(mesh, DT, calm, visibility) for mesh in noisy])
    return float(np.abs(np.diff(smooth[30:, points, :2], axis=0)).mean())


def test_a_small_or_doubtful_face_is_smoothed_more_and_a_hidden_point_most() -> None:
    assert calmness(300, 1.0) == calmness(120, 1.0) == 1
    assert calmness(60, 1.0) > 1.5
    assert calmness(120, 0.6) > 1.5
    assert calmness(0, float("nan")) < 10
    everywhere = list(range(468))
    assert wander(MeshFilter(), 2.0, None, everywhere) < 0.8 * wander(MeshFilter(), 1.0, None, everywhere)
    hidden, visibility = list(range(0, 468, 2)), np.ones(468, np.float32)
    visibility[hidden] = 0
    seen = wander(MeshFilter(), 1.0, visibility, list(range(1, 468, 2)))
    assert wander(MeshFilter(), 1.0, visibility, hidden) < 0.9 * seen


def test_calm_does_not_make_a_quick_face_late() -> None:
    """150 px/s for a face of 100 px: three times as quick as the lag's target asks."""
    mesh_filter, start = MeshFilter(), bench.face(100)
    for n in range(60):
        truth = start + np.array([max(0, n - 20) * 150 * DT, 0, 0])
        found = mesh_filter(truth.astype(np.float32), DT, 2.5)
    assert abs((found - truth)[:, 0].mean()) < 150 * DT


def test_first_mesh_comes_out_as_it_went_in() -> None:
    mesh_filter = MeshFilter()
    np.testing.assert_allclose(mesh_filter(FACE.astype(np.float32), DT), FACE, atol=1e-3)


def test_a_mesh_that_stands_still_stays_to_the_hair() -> None:
    mesh_filter = MeshFilter()
    for _ in range(100):
        out = mesh_filter(FACE.astype(np.float32), DT)
    np.testing.assert_allclose(out, FACE, atol=1e-3)
    assert out.dtype == np.float32
    assert out.flags.c_contiguous


@pytest.mark.parametrize("axis", [0, 1, 2], ids=["pitch", "yaw", "roll"])
def test_a_turning_head_is_followed_rigidly(axis: int) -> None:
    """90 degrees a second, as fast as people shake their heads: the shape stays, the lag is small."""
    mesh_filter = MeshFilter()
    middle = FACE[STABLE].mean(axis=0)
    for n in range(30):
        truth = (FACE - middle) @ rotation(axis, math.radians(90) * n * DT).T + middle
        out = mesh_filter(truth.astype(np.float32), DT)
        across = np.linalg.norm(out[234] - out[454])
        assert across == pytest.approx(300, rel=0.01)
    assert np.abs(out - truth).mean() < 0.02 * 300


@pytest.mark.parametrize("angle", [90, 135, 180])
def test_a_pose_that_flips_does_not_collapse_the_face(angle: float) -> None:
    mesh_filter = MeshFilter()
    middle = FACE[STABLE].mean(axis=0)
    for n in range(60):
        truth = (FACE - middle) @ rotation(2, math.radians(angle) * (n // 15 % 2)).T + middle
        out = mesh_filter(truth.astype(np.float32), DT)
        assert np.linalg.norm(out[234] - out[454]) == pytest.approx(300, rel=0.05)


@settings(max_examples=30, deadline=None)
@given(
    scale=st.floats(0.1, 10),
    angles=st.tuples(*[st.floats(-3, 3)] * 3),
    shift=st.tuples(*[st.floats(-1000, 1000)] * 3),
)
def test_fitted_similarity_is_the_one_that_was_applied(
    scale: float, angles: tuple[float, float, float], shift: tuple[float, float, float]
) -> None:
    source = FACE - FACE.mean(axis=0)
    turned = rotation(0, angles[0]) @ rotation(1, angles[1]) @ rotation(2, angles[2])
    got_scale, got_turned, got_shift = fit_similarity(source, scale * source @ turned.T + np.array(shift))
    assert got_scale == pytest.approx(scale, rel=1e-6)
    np.testing.assert_allclose(got_turned, turned, atol=1e-6)
    np.testing.assert_allclose(got_shift, shift, atol=1e-5 * max(1, scale) * 300)


def test_a_mirrored_face_is_not_turned_inside_out() -> None:
    source = FACE - FACE.mean(axis=0)
    _, turned, _ = fit_similarity(source, source * [-1, 1, 1])
    assert np.linalg.det(turned) == pytest.approx(1)
