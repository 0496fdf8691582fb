"""The badge has enough contrast (WCAG 2) on any background, and its style does not flicker."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from functools import cache

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from rtswap.core.types import Image
from rtswap.disclosure import STYLES, Badge
from rtswap.disclosure.badge import Patch, render
from rtswap.disclosure.badge_drawing import PLATE, letters

WIDTH, HEIGHT = 1280, 720
GREYS = [0, 40, 80, 100, 118, 140, 180, 220, 255]


def luminance(values: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """sRGB 0..255 -> relative luminance, WCAG 2."""
    share = np.asarray(values, np.float64) / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def contrast(one: NDArray[np.float64] | float, other: NDArray[np.float64] | float) -> NDArray[np.float64]:
    a, b = luminance(one) + 0.05, luminance(other) + 0.05
    return np.maximum(a, b) / np.minimum(a, b)


def drawn_on(patch: Patch, background: int) -> Image:
    """The badge's region, on one grey."""
    h, w = patch.layers[0].ink.shape[:2]
    image = np.full((patch.y + h, patch.x + w, 3), background, np.uint8)
    patch.blend_into(image)
    return image[patch.y :, patch.x :]


def rendered(style: str) -> Patch:
    return render(Badge(style, "tl"), WIDTH, HEIGHT)


@cache
def box_px() -> int:
    """Width of the box with the large letters, from the dark label, in which it alone is opaque and bright."""
    box = rendered("dark").layers[0]
    middle = box.keep.shape[0] // 2
    opaque = (box.keep[middle, :, 0] == 0) & (box.ink[middle, :, 0] > 128)
    return int(np.flatnonzero(opaque[: len(opaque) // 2]).max()) + 1


def halves(region: Image) -> tuple[Image, Image]:
    """The box with the large letters, and the words."""
    return region[:, : box_px()], region[:, box_px() :]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("background", GREYS)
def test_letters_contrast_with_their_surroundings(style: str, background: int) -> None:
    """4.5 between letters and what touches them, for the large letters and for the words."""
    region = drawn_on(rendered(style), background)
    for part in halves(region):
        inner = part[8:-8, 8:-8, 0]
        dark, light = (float(np.quantile(inner, q)) for q in (0.02, 0.98))
        assert contrast(dark, light) >= 4.5


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("background", GREYS)
def test_the_box_with_the_large_letters_or_its_plate_stands_out_from_the_picture(style: str, background: int) -> None:
    """3 between the picture and a good part of the label's rim, which in the outlined one is white, then dark."""
    region = drawn_on(rendered(style), background)[..., 0].astype(np.float64)
    rims = contrast(np.stack([region[:6, 16:-16], region[:-7:-1, 16:-16]]), float(background)).max(1)
    assert (rims >= 3).mean() > 0.2


@pytest.mark.parametrize("background", [*range(0, 256, 15)])
def test_auto_lets_the_box_with_the_large_letters_stand_out(background: int) -> None:
    box, _ = halves(drawn_on(rendered("auto"), background))
    assert contrast(float(np.median(box[2:6, 16:-8])), float(background)) >= 3


def test_a_style_that_hides_would_be_found() -> None:
    """The measure above fails a label that is as bright as the picture."""
    patch = rendered("light")
    box, _ = halves(drawn_on(patch, 0))
    assert contrast(float(np.median(box[2:6, 16:-8])), 0.0) < 3


def styles_over(greys: Iterable[int]) -> list[int]:
    """Which layer ``auto`` draws on each of these frames."""
    patch, chosen = rendered("auto"), []
    for value in greys:
        region = drawn_on(patch, value)
        alone = [drawn_on(Patch(patch.x, patch.y, (layer,)), value) for layer in patch.layers]
        chosen.append(next(i for i, layer in enumerate(alone) if np.array_equal(layer, region)))
    return chosen


def changes(chosen: list[int]) -> int:
    return sum(a != b for a, b in itertools.pairwise(chosen))


def test_auto_follows_the_picture_but_not_at_once() -> None:
    chosen = styles_over([230] * 5 + [20] * 60 + [230] * 60)
    assert changes(chosen) == 2
    assert chosen[0] == chosen[15] == chosen[-1] == 0
    assert chosen[60] == 1


@pytest.mark.parametrize("seed", range(3))
def test_auto_does_not_flicker(seed: int) -> None:
    """Noise around the middle, a strobe, a slow swell that never stays: the style keeps."""
    noise = np.random.default_rng(seed).normal(118, 12, 150).clip(0, 255).astype(int)
    assert changes(styles_over(noise)) == 0
    assert changes(styles_over([0, 255] * 60)) == 0
    assert changes(styles_over([0] * 15 + [255] * 15 + [0] * 15 + [255] * 15)) == 0


def test_outlined_words_carry_their_own_dark_edge() -> None:
    """On white nothing but the halo tells the words from the picture: it is dark all around them."""
    patch = rendered("outline")
    _, words = halves(drawn_on(patch, 255))
    assert (words[..., 0] < 90).mean() > 0.08
    assert letters(["AI"], 20, 600).max() == 1


def test_on_a_picture_of_many_shades_the_letters_keep_their_contrast() -> None:
    rng = np.random.default_rng(2)
    tiles = rng.integers(0, 256, (60, 107, 3), np.uint8)
    image = np.ascontiguousarray(cv2.resize(tiles, (WIDTH, HEIGHT), interpolation=cv2.INTER_NEAREST))
    for style in ("dark", "light"):
        patch = rendered(style)
        picture = image.copy()
        patch.blend_into(picture)
        ink = patch.layers[0]
        h, w = ink.ink.shape[:2]
        region = picture[patch.y : patch.y + h, patch.x : patch.x + w].astype(np.float64)
        plate = ink.keep[..., 0] == round(255 * (1 - PLATE))
        assert plate.mean() > 0.4
        letter = 255.0 if style == "dark" else 16.0
        assert contrast(region[plate], letter).min() >= 4.5
