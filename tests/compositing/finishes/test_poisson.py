"""Poisson blending: levels come from the target, gradients from the swap, nothing from hands before the face."""

from __future__ import annotations

import numpy as np
import pytest
from people import place_mesh

from rtswap.compositing.finishes.poisson import SMALLEST, PoissonBlend
from rtswap.core.types import Quality, SwappedFace, Target

SIDE = 160


def texture(level: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (level + 4 * rng.standard_normal((SIDE, SIDE, 1)).clip(-2, 2) + np.zeros(3)).astype(np.uint8)


def square(low: int, high: int) -> np.ndarray:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[low:high, low:high] = 255
    return mask


def blend(crop: np.ndarray, target: np.ndarray, mask: np.ndarray) -> SwappedFace:
    landmarks = place_mesh(90, (-4000, -4000))  # no eyes in sight
    face = Target(1, target, landmarks, np.ones(468, np.float32), 0.0)
    return PoissonBlend().apply(SwappedFace(crop, mask), face, Quality())


def test_another_level_is_taken_away_and_the_gradients_stay() -> None:
    crop, mask = texture(90), square(30, 130)
    found = blend(crop.copy(), texture(150, 1), mask.copy())
    inner = np.s_[45:115, 45:115]
    assert found.crop[inner].mean() == pytest.approx(150, abs=4)
    ours, theirs = (np.diff(picture[inner][..., 1].astype(int), axis=1) for picture in (crop, found.crop))
    assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.95
    assert np.array_equal(found.mask, mask)


def test_onto_itself_nothing_moves() -> None:
    """Also a check that nothing is shifted by a pixel, whatever the mask's sides."""
    picture = np.random.default_rng(2).integers(60, 190, (SIDE, SIDE, 3), np.uint8)
    for mask in (square(30, 130), square(31, 130), square(20, 95)):
        found = blend(picture.copy(), picture, mask)
        assert np.abs(found.crop.astype(int) - picture).max() <= 3


@pytest.mark.parametrize("hand", [(10, 10, 10), (250, 90, 20)], ids=str)
def test_a_hand_before_the_face_does_not_shine_into_it(hand: tuple[int, int, int]) -> None:
    mask = square(20, 140)
    mask[:, 95:] = 0
    target = texture(150, 3)
    plain = blend(texture(110), target, mask.copy()).crop
    target[:, 92:] = hand
    found = blend(texture(110), target, mask.copy()).crop
    assert np.abs(found[30:130, 70:90].astype(int) - plain[30:130, 70:90]).mean() < 6


@pytest.mark.parametrize("low", [0, 1, 2])
def test_masks_may_touch_the_border(low: int) -> None:
    found = blend(texture(90), texture(150, 4), square(low, SIDE - low))
    assert found.crop[40:120, 40:120].mean() == pytest.approx(150, abs=6)


def test_pieces_and_holes() -> None:
    mask = square(10, 150)
    mask[70:80] = 0
    mask[20:50, 30:60] = 0
    found = blend(texture(90), texture(150, 5), mask)
    assert found.crop[mask > 0].mean() == pytest.approx(150, abs=6)


def test_too_small_a_mask_changes_nothing() -> None:
    crop = texture(90)
    assert np.array_equal(blend(crop.copy(), texture(150), square(50, 50 + SMALLEST - 1)).crop, crop)
