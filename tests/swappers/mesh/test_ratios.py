"""The photo's skin in ratios: gloss, shadows, wrinkles and coloured lamps are limited, and nothing overflows."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from people import NAMES, person

from rtswap.core.types import Image, SourceIdentity
from rtswap.swappers.mesh.light import block_means
from rtswap.swappers.mesh.ratios import BRIGHTEST, LIPS_TINT, brows_and_lips, ratios_of
from rtswap.swappers.mesh.skin_tones import ONE
from rtswap.swappers.mesh.uv_chart import COARSE, SIZE, chart, inwards, rings_mask, to_chart
from rtswap.vision.topology import LIPS_OUTER

ORANGE, BLUE = np.array([0.45, 0.9, 1.7], np.float32), np.array([1.5, 0.9, 0.6], np.float32)
WHOLE = np.full((COARSE, COARSE), 255, np.uint8)


def test_a_lip_far_lighter_than_its_skin_keeps_its_creases() -> None:
    """The lower lip of dark skin came out as one flat patch."""
    texture = np.full((SIZE, SIZE, 3), (30, 40, 60), np.uint8)
    lips = cv2.resize(brows_and_lips()[..., 1], (SIZE, SIZE)) > 250
    creases = np.where(np.arange(SIZE) // 3 % 2, 0.85, 1.15)
    texture[lips] = np.clip(texture * 1.8 * creases[None, :, None], 0, 255)[lips]
    ratios, _ = ratios_of(texture, WHOLE)
    inside = cv2.erode(lips.astype(np.uint8), np.ones((15, 15))) > 0
    shown = ratios[inside].astype(float).mean(1) / ONE
    assert shown.std() / shown.mean() > 0.06
    assert 0.95 < shown.mean() < 1.25


def test_lips_less_red_than_the_skin_are_not_ashen() -> None:
    """The lower lip of dark skin, as light as it and less red, was grey on light skin; red lips stay as they are."""
    texture = np.full((SIZE, SIZE, 3), (35, 50, 85), np.uint8)
    lips = cv2.resize(brows_and_lips()[..., 1], (SIZE, SIZE)) > 250
    ashen, red = texture.copy(), texture.copy()
    ashen[lips], red[lips] = (42, 56, 84), (28, 36, 78)
    (blue, green, shown), (_, _, stays) = (ratios_of(one, WHOLE)[0][lips].mean(0) / ONE for one in (ashen, red))
    assert shown > max(blue, green)
    assert np.mean([blue, green, shown]) < 0.95
    assert 0.85 < stays < 1.0


def test_deep_wrinkles_are_softened_and_pores_and_nostrils_stay() -> None:
    """Lines of a third of the skin's light looked etched on another face; a nostril may be as dark as it is."""
    plain = np.full((SIZE, SIZE, 3), (90, 120, 160), np.float32)
    cheek, pores = np.s_[300:304, 120:170], np.s_[200:240, 120:170]
    x, y = np.round(chart().points[20, :2]).astype(int)
    nostril = np.s_[y - 4 : y + 4, x - 4 : x + 4]
    plain[cheek] *= 0.35
    plain[pores] *= np.where(np.arange(40) // 2 % 2, 0.96, 1.04)[:, None, None]
    plain[nostril] *= 0.35
    shown = ratios_of(plain.astype(np.uint8), WHOLE)[0].astype(float).mean(2) / ONE
    assert shown[cheek].mean() > 0.65
    assert shown[nostril].mean() < 0.6
    assert shown[pores].std() > 0.03


def test_gloss_is_limited_and_a_dark_brow_stays_dark() -> None:
    grey = np.full((SIZE, SIZE, 3), 60, np.uint8)
    grey[256:306, 60:452] = 250  # a bar across both cheeks
    grey[190:205, 60:452] = 10
    ratios, _ = ratios_of(grey, WHOLE)
    assert ratios[280, 160].max() <= ONE * math.exp(BRIGHTEST) + 1
    assert ratios[197, 160].max() < ONE / 3


def test_lit_brows_are_no_golden_spots_and_dark_ones_stay() -> None:
    """Light from above on furrowed brows came out as yellow scales on light skin."""
    skin = np.full((SIZE, SIZE, 3), (30, 40, 60), np.uint8)
    brows = cv2.resize(brows_and_lips()[..., 0], (SIZE, SIZE)) > 250
    lit, dark = skin.copy(), skin.copy()
    lit[brows], dark[brows] = (35, 80, 130), (12, 15, 20)
    shown, black = (ratios_of(one, WHOLE)[0][brows].astype(float).mean(0) / ONE for one in (lit, dark))
    assert shown.mean() < 1.25
    assert shown.max() / shown.min() < 1.15
    assert black.mean() < 0.5


def two_lamps(who: SourceIdentity) -> Image:
    """A blue one from the left, an orange one on the middle of the face."""
    x = (np.arange(who.portrait.shape[1]) - who.landmarks[1, 0]) / np.ptp(who.landmarks[:, 0])
    warm = np.exp(-(((x - 0.12) / 0.1) ** 2))[:, None].astype(np.float32)
    return np.clip(who.portrait * (BLUE + warm * (ORANGE - BLUE))[None], 0, 255).astype(np.uint8)


@pytest.mark.parametrize("name", NAMES)
def test_coloured_lamps_leave_no_more_tint_than_skin_has(name: str) -> None:
    who = person(name)
    ratios, _ = ratios_of(to_chart(two_lamps(who), who.landmarks).image, WHOLE)
    logs = np.log(block_means(ratios, (COARSE, COARSE)))
    tint = np.linalg.norm(logs - (logs @ (0.15, 0.45, 0.4))[..., None], axis=2)[inwards() > 0.1]
    assert tint.max() <= LIPS_TINT * 1.3
    assert np.percentile(tint, 90) <= 0.2


@pytest.mark.parametrize("skin", [np.zeros((COARSE, COARSE), np.uint8), WHOLE])
@pytest.mark.parametrize("level", [0, 255])
def test_black_white_and_no_skin_at_all_give_ratios(level: int, skin: np.ndarray) -> None:
    ratios, source = ratios_of(np.full((SIZE, SIZE, 3), level, np.uint8), skin)
    assert ratios.shape == (SIZE, SIZE, 3)
    assert math.isfinite(source.mean)


def test_a_cast_shadow_over_half_of_the_photo_is_reduced() -> None:
    """The edge stays an edge, but a fifth of its depth."""
    grey = np.full((SIZE, SIZE, 3), 150, np.uint8)
    grey[:, : SIZE // 2] = 60
    ratios, _ = ratios_of(grey, WHOLE)
    small = block_means(ratios, (COARSE, COARSE))[60:76].mean((0, 2))
    depth = abs(math.log(small[COARSE // 2 - 12] / small[COARSE // 2 + 12]))
    assert depth < 0.35 * math.log(150 / 60)


def test_the_shadow_between_brows_does_not_join_them() -> None:
    """Of a lamp from above: on evenly lit targets all had one brow."""
    skin = np.full((SIZE, SIZE, 3), (90, 120, 160), np.float32)
    brows = cv2.resize(brows_and_lips()[..., 0], (SIZE, SIZE)) > 250
    x, y = chart().points[8, :2]
    away = np.hypot((np.arange(SIZE) - x) / 40, (np.arange(SIZE)[:, None] - y) / 24)
    skin *= np.exp(-1.2 * np.clip(2 - away, 0, 1))[..., None]
    skin[brows] = 40
    logs = np.log(np.maximum(ratios_of(skin.astype(np.uint8), WHOLE)[0], 1) / ONE).mean(2)
    assert logs[int(y) - 5 : int(y) + 5, int(x) - 25 : int(x) + 25].mean() > -0.2
    assert logs[brows].mean() < -0.8


def test_lips_turn_neither_lilac_nor_beige() -> None:
    """Pink lips on yellowish skin. With all of their blue they were lilac on pinkish skin, with none of it beige on
    yellowish skin."""
    yellow = np.full((SIZE, SIZE, 3), (90, 140, 190), np.uint8)
    lips = cv2.resize(rings_mask((LIPS_OUTER,)), (SIZE, SIZE)) > 0.5
    yellow[lips] = (150, 130, 190)
    ratios, _ = ratios_of(yellow, WHOLE)
    x, y, w, h = cv2.boundingRect(lips.astype(np.uint8))
    inner = ratios[y + h // 3 : y + 2 * h // 3, x + w // 4 : x + 3 * w // 4].reshape(-1, 3).mean(0) / ONE
    blue, green, red = np.log(inner)
    excess = blue - (green + red) / 2
    assert 0.1 < excess < 0.2, "of 0.5 in the photo"
