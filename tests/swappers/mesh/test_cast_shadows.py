"""Cast shadows in the photo: what only one half of the face has is light, what both have is the person."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from rtswap.core.types import Image
from rtswap.swappers.mesh.cast_shadows import without_cast_shadows
from rtswap.swappers.mesh.uv_chart import COARSE, SIZE

WHOLE = np.full((COARSE, COARSE), 255, np.uint8)
LEFT, RIGHT = np.s_[240:330, 90:170], np.s_[240:330, SIZE - 170 : SIZE - 90]
"""Both cheeks."""
SKIN = np.array([90, 120, 160], np.float32)


def face() -> Image:
    """Even skin with brows, a moustache, and a mole on one cheek."""
    picture = np.full((SIZE, SIZE, 3), SKIN, np.uint8)
    for x in (170, SIZE - 170):
        cv2.ellipse(picture, (x, 190), (50, 9), 0, 0, 360, (20, 25, 30), -1, cv2.LINE_AA)
    cv2.ellipse(picture, (SIZE // 2, 330), (70, 14), 0, 0, 360, (35, 45, 55), -1, cv2.LINE_AA)
    cv2.circle(picture, (SIZE - 120, 300), 5, (30, 35, 45), -1, cv2.LINE_AA)
    return picture


def shaded(picture: Image, share: float, soft: float) -> Image:
    """The left half's light times ``share``; ``soft``: sigma of the shadow's edge in texels."""
    shade = np.ones((SIZE, SIZE), np.float32)
    shade[:, : SIZE // 2 - 14] = share
    return (picture * cv2.GaussianBlur(shade, (0, 0), soft)[..., None]).astype(np.uint8)


def brightness(picture: Image, part: tuple[slice, slice]) -> float:
    return float(np.median(picture[part].astype(float).mean(1)))


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize(("share", "soft"), [(0.5, 3.0), (0.35, 1.5), (0.1, 3.0)])
def test_a_half_in_shadow_comes_out_like_the_other_with_its_features(
    share: float, soft: float, mirrored: bool
) -> None:
    """It went out as a patch with a hard edge on every face, since only smooth light was divided out."""
    dark = shaded(face(), share, soft)
    if mirrored:
        dark = np.ascontiguousarray(dark[:, ::-1])
    even = without_cast_shadows(dark, WHOLE)
    halves = brightness(even, LEFT), brightness(even, RIGHT)
    assert min(halves) > 0.8 * max(halves)
    assert min(halves) > 0.8 * SKIN.mean()  # the light half is right
    skin = even[360:420, 110:-110].astype(float).mean(2)
    assert skin.std() < 0.08 * skin.mean()  # and no edge stays
    for x in (170, SIZE - 170):
        assert even[190, x].mean() < 0.5 * brightness(even, LEFT)  # brows
    for x in (SIZE // 2 - 40, SIZE // 2 + 40):
        assert even[330, x].mean() < 0.6 * brightness(even, LEFT)  # both halves of the moustache


def test_a_lamp_of_another_colour_on_one_half_is_removed() -> None:
    """Leaves beside a face made half of it green, and edges of this green went out on every skin."""
    lit = shaded(face(), 0.6, 3.0)
    lit[..., 1] = face()[..., 1]
    even = without_cast_shadows(lit, WHOLE).astype(float)
    left, right = (np.median(even[part].reshape(-1, 3), axis=0) for part in (LEFT, RIGHT))
    assert np.abs(np.log(left / right)).max() < 0.2  # before: 0.51


def test_a_face_in_even_light_stays_as_it_is_with_its_mole() -> None:
    assert np.array_equal(without_cast_shadows(face(), WHOLE), face())


def test_soft_shades_stay() -> None:
    """A nose whose side is a little darker is a shape, not a shadow."""
    x = (np.arange(SIZE, dtype=np.float32) - SIZE / 2) / (SIZE / 2)
    picture = (face() * (1 - 0.06 * np.tanh(3 * x))[None, :, None]).astype(np.uint8)
    change = without_cast_shadows(picture, WHOLE).astype(float) - picture
    assert np.abs(change).max() < 12


def test_hair_on_one_side_is_not_compared_with_the_skin_of_the_other() -> None:
    half = WHOLE.copy()
    half[:, : COARSE // 2] = 0
    dark = shaded(face(), 0.4, 3.0)
    assert np.array_equal(without_cast_shadows(dark, half), dark)


def test_where_no_skin_is_certain_nothing_changes() -> None:
    """The median of nothing made every texel of such a photo an unknown number."""
    dark = shaded(face(), 0.4, 3.0)
    assert np.array_equal(without_cast_shadows(dark, np.full_like(WHOLE, 100)), dark)
