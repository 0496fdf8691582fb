"""The gauges of clips tell known answers."""

from __future__ import annotations

import numpy as np
import pytest
from people import place_mesh

from rtswap.commands.evaluate import expression, landmark_judge, pose, steadiness
from rtswap.commands.evaluate.pixels import change_mask
from rtswap.commands.evaluate.study import share_replaced
from rtswap.vision.geometry import canonical, interocular
from rtswap.vision.topology import OVAL

EVERY_POINT = range(468)


def clip_of(offsets: list[float]) -> np.ndarray:
    """(T, 468, 3) a face that is moved to the right by so many pixels."""
    face = place_mesh(200, (300, 200))
    return np.array([face + np.array([x, 0, 0], np.float32) for x in offsets], np.float32)


def test_steady_motion_is_not_jitter() -> None:
    assert steadiness.jitter(clip_of([7.0 * n for n in range(12)]), EVERY_POINT) == pytest.approx(0, abs=1e-6)


def test_jitter_is_the_second_difference_in_interocular_distances() -> None:
    shaking = clip_of([n % 2 for n in range(12)])  # second differences of 2 px
    assert steadiness.jitter(shaking, EVERY_POINT) == pytest.approx(2 / interocular(shaking[0]), rel=1e-3)


def test_jitter_of_a_region_and_of_the_frames_that_count() -> None:
    clip = clip_of([0.0] * 12)
    clip[6, OVAL, 0] += 1
    inner = [point for point in EVERY_POINT if point not in OVAL]
    assert steadiness.jitter(clip, OVAL) > 0
    assert steadiness.jitter(clip, inner) == 0
    assert steadiness.jitter(clip, OVAL, np.arange(12) != 6) == 0


def textured(shift: int = 0) -> np.ndarray:
    noise = np.random.default_rng(1).integers(0, 255, (12, 20, 3)).astype(np.uint8)
    picture = np.repeat(np.repeat(noise, 10, 0), 10, 1)
    return np.roll(picture, shift, 1)


def painted(picture: np.ndarray, level: int) -> np.ndarray:
    """With a plain square in it: what a swap may have left."""
    result = picture.copy()
    result[40:80, 60:140] = level
    return result


def test_the_warp_error_is_what_does_not_move_along() -> None:
    before = [textured(2 * n) for n in range(4)]
    moving = [np.roll(painted(textured(), 100), 2 * n, 1) for n in range(4)]
    flashing = [np.roll(painted(textured(), 100 + 20 * (n % 2)), 2 * n, 1) for n in range(4)]
    keep = np.ones(4, bool)
    _, steady = steadiness.warp_errors(before, moving, keep)
    _, unsteady = steadiness.warp_errors(before, flashing, keep)
    assert steady < 3
    assert unsteady - steady == pytest.approx(20, abs=2)


def test_flicker_is_measured_where_pixels_were_changed() -> None:
    before = [textured()] * 6
    still = [painted(textured(), 100)] * 6
    flashing = [painted(textured(), 100 + 50 * (n % 2)) for n in range(6)]
    keep = np.ones(6, bool)
    assert steadiness.flicker(before, still, keep) == pytest.approx((0, 0), abs=1e-4)
    ins, outs = steadiness.flicker(before, flashing, keep)
    assert ins == pytest.approx(0, abs=1e-4)
    assert outs > 20


def test_nothing_changed_is_bare() -> None:
    face, picture = place_mesh(60, (100, 60)), textured()
    assert share_replaced(change_mask(picture, picture), face) == 0
    assert share_replaced(change_mask(picture, 255 - picture), face) == 1


def test_correlation_and_gain() -> None:
    one = np.sin(np.arange(60) / 4)
    assert expression.correlation(one, 0.5 * one + 3) == pytest.approx(1)
    assert expression.correlation(one, -one) == pytest.approx(-1)
    assert expression.correlation(one, np.ones(60)) == 0
    assert expression.gain(one, 0.5 * one + 3) == pytest.approx(0.5)


def test_measures_do_not_change_with_pose_and_size() -> None:
    frontal = expression.measures(place_mesh(100))
    turned = expression.measures(place_mesh(240, (50, 90), yaw=25, pitch=-10, roll=30))
    assert turned == pytest.approx(frontal, rel=1e-3)


def test_measures_know_which_part_moves() -> None:
    rest, mesh = canonical().mesh, canonical().mesh.copy()
    mesh[14, 1] += 0.1
    change = np.subtract(expression.measures(mesh), expression.measures(rest))
    assert change == pytest.approx([0.1, 0, 0, 0, 0], abs=0.02)


@pytest.mark.parametrize(("yaw", "pitch", "roll"), [(0, 0, 0), (10, 0, 0), (0, -8, 0), (0, 0, 15)])
def test_pose_error_is_the_angle_by_which_the_output_turned(yaw: float, pitch: float, roll: float) -> None:
    before, after = place_mesh(200, (640, 360)), place_mesh(200, (640, 360), yaw=yaw, pitch=pitch, roll=roll)
    one, other = (pose.rotations(mesh[None], (1280, 720)) for mesh in (before, after))
    angle = float(np.linalg.norm(pose.turns_between(one, other)))
    assert angle == pytest.approx(abs(yaw) + abs(pitch) + abs(roll), abs=1.0)


def test_smoothing_over_time_keeps_still_points() -> None:
    clip = clip_of([5.0] * 9)
    assert np.allclose(landmark_judge.smooth(clip, 2.0), clip, atol=1e-3)
