"""The gauges of single pictures tell known answers, and agree with other people's implementations."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from people import place_mesh, rotation
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from rtswap.commands.evaluate.expression import EXPRESSIVE, expression_error
from rtswap.commands.evaluate.kid import FEWEST, kernel, kid_of_pairs, paired_mmd2, standardise
from rtswap.commands.evaluate.pixels import (
    change_mask,
    contour_band,
    edge_ratio,
    guess_mask,
    psnr,
    sharpness_ratio,
    ssim,
)
from rtswap.commands.evaluate.pose import pose_error
from rtswap.vision.geometry import canonical, interocular, transform

RNG = np.random.default_rng(3)
SIZE = (640, 480)
EVERYWHERE = np.full(SIZE[::-1], 255, np.uint8)


def photographed(yaw: float = 0, pitch: float = 0, roll: float = 0) -> np.ndarray:
    """(468, 3) the canonical mesh before a camera, by OpenCV's own projection: x and y as a photo shows them."""
    turn, _ = cv2.Rodrigues(rotation(yaw, pitch, roll))
    camera = np.array([[640, 0, 320], [0, 640, 240], [0, 0, 1]], np.float64)
    points, _ = cv2.projectPoints(canonical().mesh.astype(np.float64), turn, np.array([0.2, 0.1, 6.0]), camera, None)
    return np.column_stack([points[:, 0], np.zeros(468)]).astype(np.float32)


@pytest.mark.parametrize("turn", [{"yaw": 5}, {"pitch": -5}, {"roll": 5}])
def test_a_head_turned_by_5_degrees_is_5_degrees_off(turn: dict[str, float]) -> None:
    assert pose_error(photographed(), photographed(**turn), SIZE) == pytest.approx(5, abs=0.05)


def test_a_head_that_kept_its_pose_is_0_degrees_off() -> None:
    assert pose_error(photographed(yaw=20), photographed(yaw=20), SIZE) == pytest.approx(0, abs=1e-6)


def test_motion_rotation_and_scale_are_not_expression() -> None:
    mesh = place_mesh(200, (300, 200))
    moved = transform(np.array([[1.2, -0.3, 40], [0.3, 1.2, -9]], np.float32), mesh)
    assert expression_error(mesh, moved) == pytest.approx(0, abs=1e-3)


def test_expression_error_is_in_percent_of_the_interocular_distance() -> None:
    """Lips, lids and brows spread evenly, half of them up, half down, cannot be aligned away."""
    mesh = place_mesh(200, (300, 200))
    other = mesh.copy()
    signs = RNG.permutation(np.resize([1.0, -1.0], len(EXPRESSIVE)))
    other[EXPRESSIVE, 1] += signs * 0.03 * interocular(mesh)
    assert expression_error(mesh, other) == pytest.approx(3, rel=0.05)


def direct_mmd2(x: np.ndarray, y: np.ndarray) -> float:
    """Binkowski et al. 2018, equation 4, written out."""

    def k(a: np.ndarray, b: np.ndarray) -> float:
        return float((a @ b / len(a) + 1) ** 3)

    n, m = len(x), len(y)
    same_x = sum(k(x[i], x[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    same_y = sum(k(y[i], y[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    return same_x + same_y - 2 * sum(k(a, b) for a in x for b in y) / (n * m)


def unbiased_mmd2(one: np.ndarray, other: np.ndarray) -> float:
    """Of sets whose rows are not pairs, without comparing a picture with itself."""
    (own, count), (others, many) = ((kernel(rows, rows), len(rows)) for rows in (one, other))
    within = (own.sum() - np.trace(own)) / (count * (count - 1)) + (others.sum() - np.trace(others)) / (
        many * (many - 1)
    )
    return float(within - 2 * kernel(one, other).mean())


def test_the_distance_of_sets_is_the_formula() -> None:
    x, y = RNG.standard_normal((17, 6)), RNG.standard_normal((12, 6)) + 0.3
    assert unbiased_mmd2(x, y) == pytest.approx(direct_mmd2(x, y), rel=1e-9)


def test_kid_of_one_distribution_is_about_0_and_grows_with_what_sets_it_apart() -> None:
    real = RNG.standard_normal((300, 20))
    same = kid_of_pairs(real, RNG.standard_normal((300, 20)))
    near, far = (kid_of_pairs(real, RNG.standard_normal((300, 20)) + by) for by in (0.3, 0.8))
    assert same is not None
    assert near is not None
    assert far is not None
    assert abs(same.mean) < 0.03
    assert near.mean > 0.1
    assert far.mean > 5 * near.mean
    assert same.spread > 0
    assert same.size == 100


def test_kid_of_unchanged_pictures_is_0() -> None:
    """Were a picture compared with itself, it would be far below."""
    real = RNG.standard_normal((60, 20))
    assert kid_of_pairs(real, real) == (pytest.approx(0, abs=1e-9), pytest.approx(0, abs=1e-9), 30)
    assert unbiased_mmd2(real, real) < -0.1


def test_the_distance_of_pairs_is_that_of_sets_without_the_pairs() -> None:
    """Over many draws both say the same; of changed pictures the one that knows the pairs says it with less noise."""
    found = []
    for _ in range(200):
        real = RNG.standard_normal((30, 6))
        made = real + 0.4 + 0.1 * RNG.standard_normal(real.shape)
        other = RNG.standard_normal((30, 6)) + 0.4 + 0.1 * RNG.standard_normal(real.shape)
        found.append((paired_mmd2(real, made), unbiased_mmd2(real, other)))
    paired, unpaired = np.array(found).T
    error = 2.5 * np.hypot(paired.std(), unpaired.std()) / np.sqrt(len(found))
    assert paired.mean() == pytest.approx(unpaired.mean(), abs=error)
    assert paired.std() < 0.8 * unpaired.std()


def test_kid_of_few_pictures_is_omitted() -> None:
    assert kid_of_pairs(np.zeros((FEWEST - 1, 3)), np.zeros((FEWEST - 1, 3))) is None
    assert kid_of_pairs(np.zeros((FEWEST, 3)), np.zeros((FEWEST, 3))) is not None


def test_kid_is_the_same_every_time() -> None:
    real = RNG.standard_normal((40, 5))
    assert kid_of_pairs(real, real + 1, seed=4) == kid_of_pairs(real, real + 1, seed=4)


def test_features_are_measured_in_units_of_the_real_ones() -> None:
    real = RNG.standard_normal((50, 3)) * [1, 100, 0] + [0, 7, 3]
    own, other = standardise(real, real + np.array([0, 100, 0]))
    assert own.mean(0) == pytest.approx([0, 0, 0], abs=0.1)
    assert own[:, :2].std(0) == pytest.approx([1, 1], abs=0.05)
    assert other[:, 1].mean() - own[:, 1].mean() == pytest.approx(100 / real[:, 1].std(), abs=0.05)
    assert np.abs(standardise(real, real + 1e9)[1]).max() <= 5


def picture() -> np.ndarray:
    noise = np.random.default_rng(1).integers(60, 200, (60, 80, 3)).astype(np.uint8)
    return cv2.resize(noise, SIZE, interpolation=cv2.INTER_CUBIC)


def box_mask() -> np.ndarray:
    mask = np.zeros(SIZE[::-1], np.uint8)
    mask[150:350, 200:440] = 255
    return mask


def test_psnr_is_scikit_images() -> None:
    one = picture()
    other = np.clip(one + RNG.normal(0, 6, one.shape), 0, 255).astype(np.uint8)
    assert psnr(one, other, EVERYWHERE) == pytest.approx(
        peak_signal_noise_ratio(one, other, data_range=255), abs=1e-6
    )
    half = box_mask()
    inside = np.s_[150:350, 200:440]
    expected = peak_signal_noise_ratio(one[inside], other[inside], data_range=255)
    assert psnr(one, other, half) == pytest.approx(expected, abs=1e-6)
    assert psnr(one, one, EVERYWHERE) == 100
    assert math.isnan(psnr(one, other, np.zeros_like(half)))


def test_ssim_is_scikit_images() -> None:
    one = picture()
    other = np.clip(cv2.GaussianBlur(one, (0, 0), 2) + RNG.normal(0, 6, one.shape), 0, 255).astype(np.uint8)
    grey = [cv2.cvtColor(image.astype(np.float32), cv2.COLOR_BGR2GRAY) for image in (one, other)]
    _, whole = structural_similarity(
        *grey, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, full=True
    )
    assert ssim(one, other, box_mask()) == pytest.approx(whole[box_mask() > 0].mean(), abs=1e-4)
    assert ssim(one, one, EVERYWHERE) == pytest.approx(1)


def test_a_blurred_face_is_less_sharp_and_a_copy_as_sharp() -> None:
    one, mask = picture(), box_mask()
    assert sharpness_ratio(one, one, mask) == pytest.approx(1)
    assert sharpness_ratio(one, cv2.GaussianBlur(one, (0, 0), 2), mask) < 0.6
    assert sharpness_ratio(one, cv2.addWeighted(one, 1.5, one, 0, -60), mask) > 1.5
    outside = one.copy()
    outside[mask == 0] = 0
    assert sharpness_ratio(one, outside, mask) == pytest.approx(1)


def test_a_pasted_box_has_an_edge_and_a_blurred_one_too_little() -> None:
    one, mask = picture(), box_mask()
    pasted, smeared = one.copy(), cv2.GaussianBlur(one, (0, 0), 4)
    pasted[mask > 0] = 20
    assert edge_ratio(one, one, mask) == pytest.approx(1)
    assert edge_ratio(one, pasted, mask) > 1.5
    assert edge_ratio(one, smeared, mask) < 0.5
    inside = one.copy()
    inside[180:320, 230:410] = 20
    assert edge_ratio(one, inside, mask) == pytest.approx(1), "what lies far from the contour is none of its business"


def test_the_band_covers_both_sides_of_the_contour() -> None:
    band = contour_band(box_mask())
    assert band[150:350, 200].all()
    assert band[148, 300]
    assert band[152, 300]
    assert not band[140, 300]
    assert not band[250, 300]


def test_what_another_program_changed_is_guessed_through_its_compression() -> None:
    one, mask = picture(), box_mask()
    other = one.copy()
    other[mask > 0] = 255 - other[mask > 0]
    _, data = cv2.imencode(".jpg", other, [cv2.IMWRITE_JPEG_QUALITY, 92])
    other = cv2.imdecode(data, cv2.IMREAD_COLOR)
    found = guess_mask(one, other) > 0
    union = found | (mask > 0)
    assert (found & (mask > 0)).sum() / union.sum() > 0.9
    assert not guess_mask(one, one).any()
    assert change_mask(one, one).max() == 0
