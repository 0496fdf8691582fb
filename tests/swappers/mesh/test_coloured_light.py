"""Coloured and hard spots of light come off the source's skin; an evenly lit photo stays as it is."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from people import NAMES, person

from rtswap.core.types import Image, SourceIdentity
from rtswap.swappers.mesh.coloured_light import without_coloured_light
from rtswap.swappers.mesh.texture import Texture
from rtswap.swappers.mesh.uv_chart import COARSE, SIZE, inwards, to_chart

ORANGE, BLUE = np.array([0.45, 0.9, 1.7], np.float32), np.array([1.5, 0.9, 0.6], np.float32)


def two_lamps(who: SourceIdentity) -> Image:
    """A blue one from the left, an orange one on the middle of the face: neither is slow."""
    x = (np.arange(who.portrait.shape[1]) - who.landmarks[1, 0]) / np.ptp(who.landmarks[:, 0])
    warm = np.exp(-(((x - 0.12) / 0.1) ** 2))[:, None].astype(np.float32)
    lit = who.portrait * (BLUE + warm * (ORANGE - BLUE))[None]
    return np.clip(lit, 0, 255).astype(np.uint8)


def tints(texture: Image) -> np.ndarray:
    """(N, 3) log colours less lightness in the midst of the face, freed of their mean."""
    small = np.log(cv2.resize(texture, (COARSE, COARSE), interpolation=cv2.INTER_AREA).astype(np.float32) + 6)
    found = (small - small.mean(2, keepdims=True))[inwards() > 0.3]
    return found - found.mean(0)


def whole() -> np.ndarray:
    return np.full((COARSE, COARSE), 255, np.uint8)


@pytest.mark.parametrize("name", NAMES)
def test_an_evenly_lit_photo_stays_as_it_is(name: str) -> None:
    texture = Texture.bake(person(name).portrait, person(name).landmarks)
    assert np.array_equal(without_coloured_light(texture.full, texture.face), texture.full)


@pytest.mark.parametrize("name", NAMES)
def test_two_lamps_leave_less_of_their_colours(name: str) -> None:
    who = person(name)
    truth = tints(Texture.bake(who.portrait, who.landmarks).full)
    given = to_chart(two_lamps(who), who.landmarks).image
    before, after = (np.abs(tints(one) - truth).mean() for one in (given, without_coloured_light(given, whole())))
    assert after < 0.75 * before


def test_gloss_is_dimmed_and_a_dark_brow_is_not_lightened() -> None:
    grey = np.full((SIZE, SIZE, 3), 60, np.uint8)
    grey[256:306, 60:452] = 250  # a bar across both cheeks
    grey[330:345, 60:452] = 10
    found = without_coloured_light(grey, whole()).astype(int)
    assert found[280, 160].max() < 200
    assert np.abs(found[337, 160] - 10).max() < 6
    assert np.abs(found[420, 160] - 60).max() < 6


@pytest.mark.parametrize("skin", [np.zeros((COARSE, COARSE), np.uint8), whole()])
@pytest.mark.parametrize("level", [0, 255])
def test_black_white_and_no_skin_at_all_are_borne(level: int, skin: np.ndarray) -> None:
    flat = np.full((SIZE, SIZE, 3), level, np.uint8)
    assert np.array_equal(without_coloured_light(flat, skin), flat)
