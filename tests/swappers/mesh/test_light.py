"""The target's light on the source: ratios keep their hue, a seam shows no step, and nothing overflows."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from people import NAMES, person

from rtswap.core.types import Image, SourceIdentity
from rtswap.swappers.mesh.light import (
    BRIGHTEST,
    LIPS_TINT,
    SourceLight,
    black_level_of,
    block_means,
    brows_and_lips,
    light_of,
    low_pass,
    ratios_of,
    relight,
    skin_light,
)
from rtswap.swappers.mesh.skin_tones import ONE, feature_tones
from rtswap.swappers.mesh.uv_chart import COARSE, SIZE, chart, inwards, rings_mask, to_chart
from rtswap.vision.topology import LIPS_OUTER

H, W = 64, 96
PLAIN = SourceLight(mean=120.0, black=10.0)
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
    source = SourceLight(mean=float(target[0, 0] @ (0.15, 0.45, 0.4)), black=0.0)
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
        source = SourceLight(mean=mean, black=0.0)
        found = relight(plain.copy(), target, area((24, 40)), 5.0, source, 0.0).picture
        small = block_means(found, (40, 24)).mean(2)
        columns = (slice(7 + 12 * n, 9 + 12 * n) for n in range(3))
        return [float(small[11:13, across].mean() - small[18:20, across].mean()) for across in columns]

    gloss, lip, tooth = rises(140.0)
    assert gloss > 0.2 * (np.mean(spots[0]) - skin.mean())
    assert lip < 0.5 * gloss
    assert tooth < 0.6 * gloss, "a tooth is 15 times as much lighter"
    assert rises(45.0)[0] < 0.5 * gloss


def test_brows_stay_dark_and_lips_turn_red_on_much_lighter_skin() -> None:
    """Of dark skin, brows at 0.7 of it and lips as light as it: on skin four times as light, both would be pale."""
    ratios = np.full((H, W, 3), ONE, np.uint8)
    brow, lips = np.s_[10:20, 30:60], np.s_[40:50, 30:60]
    ratios[brow] = round(0.7 * ONE)
    shares = np.zeros((H, W, 2), np.uint8)
    shares[(*brow, 0)] = shares[(*lips, 1)] = 255
    light, dark = field(140, 150, 190), SourceLight(mean=40.0, black=0.0)
    found = relight(ratios.copy(), light, area(), 2.0, dark, 0.0, lambda: shares).picture.astype(float)
    skin = found[30, 45]
    assert (found[15, 45] < 0.5 * skin).all()
    blue, green, red = found[45, 45] / skin
    assert green < blue < 0.8
    assert 0.8 < red < 0.95
    assert feature_tones(0.1) is None, "on skin of about the same tone all stays as it was"


def test_lips_turn_red_on_slightly_lighter_skin_and_what_is_no_lip_stays() -> None:
    """Only on much lighter skin they did: on skin half as light again they were beige."""
    ratios, shares = np.full((H, W, 3), ONE, np.uint8), np.zeros((H, W, 2), np.uint8)
    shares[40:50, 30:60, 1] = 255
    found = relight(ratios, field(110, 120, 150), area(), 2.0, SourceLight(92.0, 0.0), 0.0, lambda: shares).picture
    blue, green, red = found[45, 45] / found[30, 45].astype(float)
    assert green < min(blue, 0.95) < red
    assert np.ptp(found[30:38, 30:60].reshape(-1, 3), axis=0).max() <= 1


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


def test_gloss_is_limited_and_a_dark_brow_stays_dark() -> None:
    grey = np.full((SIZE, SIZE, 3), 60, np.uint8)
    grey[256:306, 60:452] = 250  # a bar across both cheeks
    grey[190:205, 60:452] = 10
    ratios, _ = ratios_of(grey, WHOLE)
    assert ratios[280, 160].max() <= ONE * math.exp(BRIGHTEST) + 1
    assert ratios[197, 160].max() < ONE / 3


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
    found = lit(ratios, field(120, 120, 120), SourceLight(120.0, black_levels[1]), black_levels[0])
    assert np.ptp(found) > 0.3 * np.ptp(ratios)


def test_a_cast_shadow_over_half_of_the_photo_is_reduced() -> None:
    """The edge stays an edge, but a fifth of its depth."""
    grey = np.full((SIZE, SIZE, 3), 150, np.uint8)
    grey[:, : SIZE // 2] = 60
    ratios, _ = ratios_of(grey, WHOLE)
    small = block_means(ratios, (COARSE, COARSE))[60:76].mean((0, 2))
    depth = abs(math.log(small[COARSE // 2 - 12] / small[COARSE // 2 + 12]))
    assert depth < 0.35 * math.log(150 / 60)


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
            relight(plain.copy(), target, inside, 8.0, SourceLight(mean, 0.0), 0.0).picture, size[::-1]
        )
        rise[mean] = float(found[16, 24].mean() / found[8, 12].mean())
    assert rise[150.0] > rise[40.0] + 0.1


def test_lips_do_not_turn_lilac() -> None:
    """Pink lips on yellowish skin, put on pinkish skin: their blue stays below the mean of red and green."""
    yellow = np.full((SIZE, SIZE, 3), (90, 140, 190), np.uint8)
    lips = cv2.resize(rings_mask((LIPS_OUTER,)), (SIZE, SIZE)) > 0.5
    yellow[lips] = (150, 130, 190)
    ratios, _ = ratios_of(yellow, WHOLE)
    x, y, w, h = cv2.boundingRect(lips.astype(np.uint8))
    inner = ratios[y + h // 3 : y + 2 * h // 3, x + w // 4 : x + 3 * w // 4].reshape(-1, 3).mean(0) / ONE
    blue, green, red = np.log(inner)
    assert blue <= (green + red) / 2 + 0.02


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
