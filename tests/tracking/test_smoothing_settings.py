"""``tracking.kalman_noise`` and ``tracking.box_average`` against filters computed by hand."""

from __future__ import annotations

import numpy as np
import pytest
from moving_face import DT
from people import place_mesh

from rtswap.core.types import Mesh
from rtswap.tracking import smoothing
from rtswap.tracking.followed_face import FollowedFace
from rtswap.tracking.smoothing import Smoothing


def boxes(count: int = 20) -> np.ndarray:
    """A box of 300 px that trembles within the gate."""
    moved = np.random.default_rng(4).normal(0, 0.2, (count, 4))
    return (np.array([100, 100, 400, 500]) + moved).astype(np.float32)


def filtered(given: np.ndarray, how: Smoothing, dt: float = DT) -> np.ndarray:
    box_filter = how.box_filter(given[0])
    found = [box_filter.box]
    for box in given[1:]:
        box_filter.predict(dt)
        found.append(box_filter.update(box))
    return np.stack(found)


@pytest.mark.parametrize("noise", [0.1, 1.0, 30.0])
def test_the_noise_is_that_of_the_process_of_a_textbook_kalman_filter(noise: float) -> None:
    given = boxes()
    found = filtered(given, Smoothing(noise))
    left = given[:, [0, 2]].astype(np.float64).mean(axis=1)
    widths = given[:, 2].astype(np.float64) - given[:, 0]
    p, x = np.diag([smoothing.BOX_NOISE**2, 0.25]) * widths[0] ** 2, np.array([left[0], 0.0])
    f = np.array([[1, DT], [0, 1]])
    for n in range(1, len(given)):
        spread = (noise * smoothing.BOX_ACCELERATION * widths[n - 1]) ** 2
        x, p = f @ x, f @ p @ f.T + spread * np.array([[DT**4 / 4, DT**3 / 2], [DT**3 / 2, DT**2]])
        k = p[:, 0] / (p[0, 0] + (smoothing.BOX_NOISE * widths[n]) ** 2)
        x, p = x + k * (left[n] - x[0]), p - np.outer(k, p[0])
        assert found[n, [0, 2]].mean() == pytest.approx(x[0], abs=1e-3)


def test_the_average_is_the_share_of_the_previous_box() -> None:
    given = boxes()
    wanted = [given[0].astype(float)]
    for box in given[1:]:
        wanted.append(0.65 * wanted[-1] + 0.35 * box)
    np.testing.assert_allclose(filtered(given, Smoothing(average=0.65)), wanted, atol=1e-3)
    slow = filtered(given[::2], Smoothing(average=0.65), 2 * DT)
    assert slow[1, 0] == pytest.approx(0.65**2 * given[0, 0] + (1 - 0.65**2) * given[2, 0], abs=1e-3)


def followed(how: Smoothing, shift_px: float, frames: int) -> float:
    """How far the landmarks of a face follow a jump, of all of it, after some frames."""
    points = place_mesh(200, (300, 300))
    seen = np.ones(468, np.float32)
    face = FollowedFace(1, Mesh(points, seen, 1.0), how)
    for _ in range(5):
        face.predict(1 / 30)
        face.measure(Mesh(points, seen, 1.0))
    for _ in range(frames):
        face.predict(1 / 30)
        face.measure(Mesh(points + np.float32([shift_px, 0, 0]), seen, 1.0))
    return float((face.landmarks - points)[:, 0].mean()) / shift_px


def test_landmarks_follow_with_the_average_of_their_places() -> None:
    for frames in (1, 3):
        assert followed(Smoothing(average=0.65), 30, frames) == pytest.approx(1 - 0.65**frames, abs=0.01)


def test_a_small_step_is_followed_sooner_the_larger_the_noise() -> None:
    steady, usual, quick = (followed(Smoothing(noise), 0.3, 3) for noise in (0.2, 1.0, 5.0))
    assert steady < usual < quick
