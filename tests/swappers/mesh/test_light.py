"""The target's light on the source: ratios keep their hue, a seam shows no step, and nothing overflows."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from people import NAMES, person

from rtswap.core.types import Image
from rtswap.swappers.mesh.light import (
    SourceLight,
    black_level_of,
    block_means,
    light_of,
    low_pass,
    relight,
    skin_light,
)
from rtswap.swappers.mesh.ratios import ratios_of
from rtswap.swappers.mesh.skin_tones import ONE, feature_tones
from rtswap.swappers.mesh.uv_chart import COARSE, SIZE, inwards, to_chart

H, W = 64, 96
PLAIN = SourceLight(mean=120.0, black=10.0, colour=0.3)
ORANGE, BLUE = np.array([0.45, 0.9, 1.7], np.float32), np.array([1.5, 0.9, 0.6], np.float32)
WHOLE = np.full((COARSE, COARSE), 255, np.uint8)


def field(*bgr: float, size: tuple[int, int] = (8, 12)) -> np.ndarray:
    return np.full((*size, 3), bgr, np.float32)


def area(size: tuple[int, int] = (8, 12)) -> np.ndarray:
    found = np.zeros(size, np.float32)
    found[1:-1, 1:-1] = 1
    return found


def lit(ratios: Image, target: np.ndarray, source: SourceLight = PLAIN, black: float = 0.0) -> np.ndarray:
    """``ratios`` in the light of ``target``, a field on the small grid."""
    return relight(ratios.copy(), target, area(target.shape[:2]), 2.0, source, black).picture.astype(float)


def middle(picture: np.ndarray) -> np.ndarray:
    return picture[H // 4 : -H // 4, W // 4 : -W // 4]


@pytest.mark.parametrize("target", [(60, 80, 120), (40, 45, 60), (150, 90, 60), (190, 200, 220), (20, 20, 25)])
def test_plain_skin_takes_the_target_s_colour(target: tuple[float, float, float]) -> None:
    found = lit(np.full((H, W, 3), ONE, np.uint8), field(*target))
    assert np.abs(middle(found) - target).max() <= 1.5


def test_by_the_formula() -> None:
    """In equal light the result is target x ratio, within rounding."""
    rng = np.random.default_rng(2)
    ratios = rng.integers(40, 200, (H, W, 3), np.uint8)
    ratios[::8, ::8] = ONE
    target = field(100, 110, 140)
    source = SourceLight(mean=float(target[0, 0] @ (0.15, 0.45, 0.4)), black=0.0, colour=0.3)
    found = lit(ratios, target, source)
    assert np.median(np.abs(middle(found) - np.clip(target[0, 0] * middle(ratios) / ONE, 0, 255))) < 3


def test_dark_skin_keeps_its_gloss_but_not_the_target_s_lips_and_teeth() -> None:
    """Three spots on a dark target: gloss, a purple lip and a tooth."""
    skin, spots = np.array((30, 40, 60)), ((55, 62, 80), (58, 50, 90), (230, 235, 240))
    target = field(*skin, size=(24, 40))
    for n, spot in enumerate(spots):
        target[10:14, 6 + 12 * n : 10 + 12 * n] = spot
    plain = np.full((192, 320, 3), ONE, np.uint8)

    def rises(mean: float) -> list[float]:
        source = SourceLight(mean=mean, black=0.0, colour=0.3)
        found = relight(plain.copy(), target, area((24, 40)), 5.0, source, 0.0).picture
        small = block_means(found, (40, 24)).mean(2)
        columns = (slice(7 + 12 * n, 9 + 12 * n) for n in range(3))
        return [float(small[11:13, across].mean() - small[18:20, across].mean()) for across in columns]

    gloss, lip, tooth = rises(140.0)
    assert gloss > 0.2 * (np.mean(spots[0]) - skin.mean())
    assert lip < 0.5 * gloss
    assert tooth < 0.6 * gloss, "a tooth is 15 times as much lighter"
    assert rises(45.0)[0] < 0.5 * gloss


def test_dark_skin_is_not_ashen() -> None:
    """A third of a dark target is glossy, in the lamp's grey; the photo's skin is matte. On a target much darker
    than the photo the swap is nearer to the colour of skin without gloss, and a grey film stays grey."""
    skin, gloss = np.array((60.0, 80.0, 132.0)), 48.0
    target = field(*skin, size=(24, 40))
    target[:, ::3] += gloss
    plain = np.full((192, 320, 3), ONE, np.uint8)

    def colour(of: np.ndarray, mean: float) -> float:
        found = relight(
            plain.copy(), of, area((24, 40)), 5.0, SourceLight(mean=mean, black=0.0, colour=0.3), 0.0
        ).picture
        blue, _, red = found[80:112, 140:180].reshape(-1, 3).mean(0)
        return math.log(red / blue)

    whole, same = math.log(132 / 60), colour(target, 100.0)
    assert same < 0.9 * whole
    much = colour(target, 250.0)
    assert same + 0.25 * (whole - same) < much < whole
    assert same < colour(target, 160.0) < much, "less of it, the less lighter the photo is"
    assert abs(colour(np.repeat(target.mean(2, keepdims=True), 3, axis=2).astype(np.float32), 250.0)) < 0.02


def test_brows_stay_dark_and_lips_turn_red_on_much_lighter_skin() -> None:
    """Of dark skin, brows at 0.7 of it and lips as light as it: on skin four times as light, both would be pale."""
    ratios = np.full((H, W, 3), ONE, np.uint8)
    brow, lips = np.s_[10:20, 30:60], np.s_[40:50, 30:60]
    ratios[brow] = round(0.7 * ONE)
    shares = np.zeros((H, W, 2), np.uint8)
    shares[(*brow, 0)] = shares[(*lips, 1)] = 255
    light, dark = field(140, 150, 190), SourceLight(mean=40.0, black=0.0, colour=0.3)
    found = relight(ratios.copy(), light, area(), 2.0, dark, 0.0, lambda: shares).picture.astype(float)
    skin = found[30, 45]
    assert (found[15, 45] < 0.5 * skin).all()
    blue, green, red = found[45, 45] / skin
    assert green < blue < 0.8
    assert 0.8 < red < 0.95
    assert feature_tones(0.1) == (None, None), "on skin of about the same tone all stays as it was"


def test_lips_turn_red_on_slightly_lighter_skin_and_what_is_no_lip_stays() -> None:
    """Only on much lighter skin they did: on skin half as light again they were beige."""
    ratios, shares = np.full((H, W, 3), ONE, np.uint8), np.zeros((H, W, 2), np.uint8)
    shares[40:50, 30:60, 1] = 255
    found = relight(
        ratios, field(110, 120, 150), area(), 2.0, SourceLight(92.0, 0.0, 0.3), 0.0, lambda: shares
    ).picture
    blue, green, red = found[45, 45] / found[30, 45].astype(float)
    assert green < min(blue, 0.95) < red
    assert np.ptp(found[30:38, 30:60].reshape(-1, 3), axis=0).max() <= 1


@pytest.mark.parametrize("target", [(0, 0, 0), (255, 255, 255), (255, 0, 0), (0, 0, 255)])
@pytest.mark.parametrize("level", [0, ONE, 255])
def test_extreme_light_stays_in_range(target: tuple[int, int, int], level: int) -> None:
    found = lit(np.full((H, W, 3), level, np.uint8), field(*target))
    assert np.isfinite(found).all()
    assert 0 <= found.min() <= found.max() <= 255


@pytest.mark.parametrize("name", NAMES)
def test_a_face_in_its_own_light_is_as_it_was(name: str) -> None:
    """Ratios times the low-pass that they were taken from give the photo back, but for gloss and strong tints."""
    who = person(name)
    texture = to_chart(who.portrait, who.landmarks).image
    ratios, _ = ratios_of(texture, WHOLE)
    small = block_means(texture, (COARSE, COARSE))
    around, _ = skin_light(small, (inwards() > 0).astype(np.float32), 17.0)
    found = block_means(ratios, (COARSE, COARSE)) / ONE * around
    skin = inwards() > 0.25
    assert np.median(np.abs(found - small)[skin]) < 4


def test_no_hue_arises_that_neither_face_has() -> None:
    """Reddish dark skin with blotches, on light skin: every place stays between skin and red; none turns blue or
    green."""
    rng = np.random.default_rng(7)
    blotches = cv2.GaussianBlur(rng.standard_normal((SIZE, SIZE)).astype(np.float32), (0, 0), 14)
    blotches /= blotches.std()
    dark = np.clip(np.array([40, 55, 105], np.float32) * np.exp(0.25 * blotches)[..., None], 0, 255)
    dark[..., :2] *= np.exp(-0.12 * np.maximum(blotches, 0))[..., None]
    ratios, source = ratios_of(dark.astype(np.uint8), WHOLE)
    found = lit(
        cv2.resize(ratios[128:384, 64:448], (W, H), interpolation=cv2.INTER_AREA), field(165, 175, 205), source
    )
    blue, green, red = middle(found).reshape(-1, 3).T
    assert (red > green - 4).all()
    assert (red > blue).all()
    assert (green > blue - 12).all()


def test_the_outline_follows_the_target_s_shading() -> None:
    """A target that darkens towards its left edge: there the swap is as dark as the target, so no step shows."""
    size = (32, 48)
    target = field(120, 130, 170, size=size)
    target[:, :10] *= np.linspace(0.7, 1, 10, dtype=np.float32)[None, :, None]
    inside = np.zeros(size, np.float32)
    inside[3:-3, 3:-3] = 1
    found = relight(np.full((256, 384, 3), ONE, np.uint8), target, inside, 8.0, PLAIN, 0.0).picture
    step = np.abs(block_means(found, (48, 32)) - target)[8:-8, 3:5].mean()
    alone = light_of(target, inside, 8.0, 0.0).field
    assert step < 0.5 * np.abs(alone - target)[8:-8, 3:5].mean()


def test_hair_at_the_outline_does_not_darken_the_skin() -> None:
    size = (32, 48)
    target = field(150, 160, 190, size=size)
    target[:6] = 25  # a fringe
    inside = np.zeros(size, np.float32)
    inside[2:-2, 2:-2] = 1
    found = relight(np.full((256, 384, 3), ONE, np.uint8), target, inside, 8.0, PLAIN, 0.0).picture
    assert np.abs(block_means(found, (48, 32))[8:-4, 4:-4] - (150, 160, 190)).max() < 12


def test_low_pass_of_one_colour_is_that_colour_everywhere() -> None:
    inside = np.zeros((20, 30), np.float32)
    inside[5:15, 8:22] = 1
    picture = np.random.default_rng(3).uniform(0, 255, (20, 30, 3)).astype(np.float32)
    picture[inside > 0] = (50, 100, 150)
    found = low_pass(picture, inside, 3.0)
    assert np.abs(found[inside > 0] - (50, 100, 150)).max() < 0.1  # nothing outside shines in
    assert np.abs(found[10, 0] - (50, 100, 150)).max() < 1


def test_light_without_an_inside_is_finite() -> None:
    found = light_of(field(255, 255, 255), np.zeros((8, 12), np.float32), 2.0, 0.0)
    assert np.isfinite(found.field).all()
    assert math.isfinite(found.mean)


def test_above_a_high_black_level_detail_is_as_faint_as_everything_else_there() -> None:
    """Brows on skin of 120, seen through haze that lifts black to 80: brows must not stay black."""
    ratios = np.full((H, W, 3), ONE, np.uint8)
    ratios[20:30] = ONE // 8
    hazy = 80 + field(115, 115, 115) * (1 - 80 / 255)
    assert lit(ratios, hazy, black=90.0)[25].mean() >= 75
    assert lit(ratios, hazy, black=0.0)[25].mean() < 55


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
    ratios = np.random.default_rng(5).integers(60, 200, (H, W, 3), np.uint8)
    found = lit(ratios, field(120, 120, 120), SourceLight(120.0, black_levels[1], 0.0), black_levels[0])
    assert np.ptp(found) > 0.3 * np.ptp(ratios)


def test_dark_skin_keeps_its_gloss() -> None:
    """A bright spot on a target darker than the photo stays visible; on a lighter one it is the photo's affair."""
    size = (32, 48)
    inside = np.zeros(size, np.float32)
    inside[2:-2, 2:-2] = 1
    spot = np.exp(-(((np.indices(size).T - (16, 24)) / 2.5) ** 2).sum(2)).T.astype(np.float32)
    target = field(40, 50, 70, size=size) * (1 + 1.2 * spot[..., None])
    plain = np.full((256, 384, 3), ONE, np.uint8)
    rise = {}
    for mean in (150.0, 40.0):
        found = block_means(
            relight(plain.copy(), target, inside, 8.0, SourceLight(mean, 0.0, 0.3), 0.0).picture, size[::-1]
        )
        rise[mean] = float(found[16, 24].mean() / found[8, 12].mean())
    assert rise[150.0] > rise[40.0] + 0.1


def test_lids_come_into_the_light_of_the_skin_around_them() -> None:
    """The target's eye socket is darker than its face, and of another colour; the swap's is not. The lids become as
    light as the swap, and nothing elsewhere changes."""
    size = (40, 60)
    target = field(120, 140, 160, size=size).copy()
    target[15:25, 12:28] *= np.float32([0.8, 0.7, 0.6])
    around, lids = np.zeros(size, np.float32), np.s_[18:22, 16:24]
    around[16:24, 14:26] = 1
    around[lids] = 0
    ratios = np.full((8 * size[0], 8 * size[1], 3), ONE, np.uint8)
    lit = relight(ratios, target, np.ones(size, np.float32), 9.0, PLAIN, 0.0, around_eyes=around)
    ours, theirs = block_means(lit.picture, size[::-1])[lids], target[lids]
    assert np.abs(np.log(theirs / ours)).max() > 0.3
    assert np.abs(np.log(theirs * lit.lids[lids] / ours)).max() < 0.1
    assert lit.lids[:, 45:] == pytest.approx(1, abs=0.01)
