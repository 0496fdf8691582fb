"""The target's light on the source: slow colour from the one, detail from the other, never an overflow."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from rtswap.swappers.mesh.light import GAIN_LIMITS, black_level_of, normalized_low_passes, relight

H, W = 64, 96


def field(*bgr: float, size: tuple[int, int] = (8, 12)) -> np.ndarray:
    return np.full((*size, 3), bgr, np.float32)


def test_equal_light_changes_nothing() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (H, W, 3), np.uint8)
    found = picture.copy()
    relight(found, field(90, 110, 160), field(90, 110, 160))
    assert np.array_equal(found, picture)


@pytest.mark.parametrize(
    ("target", "source"),
    [((90, 110, 160), (60, 80, 120)), ((40, 45, 60), (70, 80, 110)), ((150, 90, 60), (100, 120, 150))],
)
def test_a_plain_source_takes_the_target_s_colour(
    target: tuple[float, float, float], source: tuple[float, float, float]
) -> None:
    found = np.full((H, W, 3), source, np.uint8)
    relight(found, field(*target), field(*source))
    assert np.abs(found.astype(float) - target).max() <= 3


@pytest.mark.parametrize(("level", "gain"), [(100, 1.0), (60, 0.6), (140, 1.4), (10, 0.4), (250, 1.6)])
def test_detail_grows_with_light_within_limits(level: float, gain: float) -> None:
    rng = np.random.default_rng(1)
    detail = rng.integers(-20, 21, (H, W, 1))
    found = np.repeat(100 + detail, 3, 2).astype(np.uint8)
    relight(found, field(*[level] * 3), field(100, 100, 100))
    expected = np.clip(level + gain * detail, 0, 255)
    assert GAIN_LIMITS[0] <= gain <= GAIN_LIMITS[1]
    assert np.abs(found - expected).max() <= 2.5


def test_by_the_formula_in_floats() -> None:
    """The 8-bit arithmetic is out = target + gain (source - low source), clipped at the end, within a few levels."""
    rng = np.random.default_rng(2)
    errors = []
    for _ in range(20):
        target, low = rng.uniform(0, 255, (2, 8, 12, 3)).astype(np.float32)
        target, low = (cv2.GaussianBlur(x, (0, 0), 3) for x in (target, low))
        source = rng.integers(0, 256, (H, W, 3), np.uint8)
        full = [cv2.resize(x, (W, H), interpolation=cv2.INTER_LINEAR) for x in (target, low)]
        gain = np.clip(target.sum(2) / np.maximum(low.sum(2), 1), *GAIN_LIMITS)
        gain = cv2.resize(gain, (W, H), interpolation=cv2.INTER_LINEAR)[..., None]
        expected = np.clip(full[0] + gain * (source - full[1]), 0, 255)
        relight(source, target, low)
        errors.append(np.abs(source - expected))
    assert np.median(errors) < 1
    assert np.percentile(errors, 99) < 10  # in between, the product of two fields is not what lies between products


@pytest.mark.parametrize("target", [(0, 0, 0), (255, 255, 255), (255, 0, 0), (0, 0, 255)])
@pytest.mark.parametrize("source", [0, 128, 255])
def test_extreme_light_stays_in_range(target: tuple[int, int, int], source: int) -> None:
    found = np.full((H, W, 3), source, np.uint8)
    relight(found, field(*target), field(source, source, source))
    assert np.abs(found.astype(float) - target).max() <= 3  # a plain source has no detail: only the light remains


def test_low_pass_of_one_colour_is_that_colour_wherever_it_is_asked() -> None:
    inside = np.zeros((20, 30), np.float32)
    inside[5:15, 8:22] = 1
    picture = np.random.default_rng(3).uniform(0, 255, (20, 30, 3)).astype(np.float32)
    picture[inside > 0] = (50, 100, 150)
    found, other = normalized_low_passes(picture, 0.5 * picture, inside, 3.0)
    assert np.abs(other[inside > 0] - (25, 50, 75)).max() < 0.1
    assert np.abs(found[inside > 0] - (50, 100, 150)).max() < 0.1  # nothing outside shines in
    assert np.abs(found[10, 0] - (50, 100, 150)).max() < 1


def test_low_pass_without_an_inside_is_finite() -> None:
    white = np.full((8, 9, 3), 255, np.float32)
    found = normalized_low_passes(white, white, np.zeros((8, 9), np.float32), 2.0)
    assert np.isfinite(found).all()


def test_above_a_high_black_level_detail_is_as_faint_as_everything_else_there() -> None:
    """A face of black brows on skin of 120, seen through haze that lifts black to 80: brows must not stay black."""
    clear = np.full((H, W, 3), 120, np.uint8)
    clear[20:30] = 15
    low = field(115, 115, 115)
    hazy = 80 + low * (1 - 80 / 255)
    found = {}
    for black_level in (0.0, 80.0):
        found[black_level] = clear.copy()
        relight(found[black_level], hazy, low, target_black=black_level, source_black=10.0)
    assert found[80.0][25].mean() >= 75
    assert found[0.0][25].mean() < 55, "this is what it is good for"


def test_the_black_level_is_what_black_has_become() -> None:
    rng = np.random.default_rng(4)
    scene = rng.integers(0, 256, (90, 90, 3), np.uint8)
    assert black_level_of(scene) < 40
    lifted = (100 + scene * (155 / 255)).astype(np.uint8)
    assert 100 <= black_level_of(lifted) <= 130
    assert black_level_of(np.full((2, 2, 3), 255, np.uint8)) == pytest.approx(255, abs=1)
    assert black_level_of(np.zeros((1, 1, 3), np.uint8)) == pytest.approx(0, abs=1)


@pytest.mark.parametrize("black_levels", [(255.0, 0.0), (0.0, 255.0), (255.0, 255.0)])
def test_no_black_level_takes_all_light_away(black_levels: tuple[float, float]) -> None:
    picture = np.random.default_rng(5).integers(60, 200, (H, W, 3), np.uint8)
    found = picture.copy()
    relight(
        found, field(120, 120, 120), field(120, 120, 120), target_black=black_levels[0], source_black=black_levels[1]
    )
    assert np.ptp(found) > 0.3 * np.ptp(picture)
