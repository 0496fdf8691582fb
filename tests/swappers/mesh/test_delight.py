"""Light is taken off the source's skin; what makes the person stays."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from people import NAMES, person

from rtswap.core.types import SourceIdentity
from rtswap.swappers.mesh.texture import Texture
from rtswap.swappers.mesh.uv_chart import COARSE, SIZE, inwards


def side_lit(who: SourceIdentity, dim: float, *, sharp: bool) -> np.ndarray:
    """The portrait with its left half in shadow: a soft one, or one cast with an edge."""
    x = (np.arange(who.portrait.shape[1]) - who.landmarks[1, 0]) / np.ptp(who.landmarks[:, 0])
    width = 0.015 if sharp else 0.3
    shade = dim + (1 - dim) / (1 + np.exp(-(x + 0.12) / width))
    return (who.portrait * shade[None, :, None]).astype(np.uint8)


def inner() -> np.ndarray:
    return cv2.resize(inwards(), (SIZE, SIZE)) > 0.25


def slow(texture: np.ndarray) -> np.ndarray:
    """Log lightness without detail, freed of its mean."""
    grey = cv2.cvtColor(texture, cv2.COLOR_BGR2GRAY).astype(np.float32) + 6
    low = np.log(cv2.GaussianBlur(grey, (0, 0), SIZE / 64))
    return low - low[inner()].mean()


HALF_LOST = pytest.mark.xfail(reason="the shadowed half is taken for hair by the skin mask, so nothing is evened out")


@pytest.mark.parametrize(
    "name", ["ada", "ben", pytest.param("carl", marks=HALF_LOST), pytest.param("dan", marks=HALF_LOST)]
)
def test_a_photo_half_in_shadow_gives_nearly_the_skin_of_one_without(name: str) -> None:
    who = person(name)
    picture = side_lit(who, 0.4, sharp=True)
    truth = Texture.bake(who.portrait, who.landmarks, delight=False).full
    lit, left = (Texture.bake(picture, who.landmarks, delight=on).full for on in (True, False))
    before, after = (np.abs(slow(one) - slow(truth))[inner()].mean() for one in (left, lit))
    assert after < 0.8 * before


@pytest.mark.parametrize("name", NAMES)
def test_a_mole_stays(name: str) -> None:
    """Smaller than an iris, on one cheek only: no shadow, and his own."""
    who = person(name)
    picture = who.portrait.copy()
    spot = who.landmarks[205, :2]
    radius = max(2, round(0.012 * float(np.ptp(who.landmarks[:, 0]))))
    cv2.circle(picture, tuple(int(v) for v in spot), radius, (30, 38, 60), -1, cv2.LINE_AA)
    bare, marked = (
        Texture.bake(one, who.landmarks, delight=True).full.astype(np.float32) for one in (who.portrait, picture)
    )
    plain = Texture.bake(picture, who.landmarks, delight=False).full.astype(np.float32)
    without = Texture.bake(who.portrait, who.landmarks, delight=False).full.astype(np.float32)
    kept, drawn = ((bare - marked).clip(0).max(), (without - plain).clip(0).max())
    assert kept > 0.7 * drawn


@pytest.mark.parametrize("name", NAMES)
def test_fine_detail_stays(name: str) -> None:
    who = person(name)
    on, off = (Texture.bake(who.portrait, who.landmarks, delight=d).full.astype(np.float32) for d in (True, False))
    details = [np.log(one + 6) - cv2.GaussianBlur(np.log(one + 6), (0, 0), 3) for one in (on, off)]
    a, b = (one[inner()].ravel() for one in details)
    assert np.corrcoef(a, b)[0, 1] > 0.97
    assert 0.85 < a.std() / b.std() < 1.15


def test_light_from_above_and_skin_s_colour_are_not_taken_away() -> None:
    """What is alike on both halves may be the face itself."""
    who = person("ada")
    on, off = (Texture.bake(who.portrait, who.landmarks, delight=d).levels[-1].astype(float) for d in (True, False))
    where = inwards() > 0.2
    assert where.shape == (COARSE, COARSE)
    tint = [one[where].mean(0) / one[where].mean() for one in (on, off)]
    assert np.abs(tint[0] - tint[1]).max() < 0.06
    assert abs(on[where].mean() / off[where].mean() - 1) < 0.12
