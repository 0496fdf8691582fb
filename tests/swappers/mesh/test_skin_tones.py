"""How the ratios of one skin are shown on a lighter or darker one."""

from __future__ import annotations

import numpy as np
import pytest

from rtswap.swappers.mesh.skin_tones import FEWEST, ONE, toned, tones


@pytest.mark.parametrize("lighter", [-1.5, -0.5, 0.0, 0.5, 1.5])
def test_tones_rise_and_leave_plain_skin(lighter: float) -> None:
    table = tones(lighter).astype(int)
    assert (np.diff(table, axis=0) >= 0).all()
    assert np.all(table[ONE] == ONE)


def test_on_lighter_skin_gloss_and_shading_stand_out_less() -> None:
    gloss, shade = ONE + 40, ONE - 20
    assert (tones(1.15)[gloss] < tones(0.9)[gloss]).all()
    assert (tones(0.9)[gloss] < tones(0.0)[gloss]).all()
    assert np.all(tones(0.8)[shade] > tones(0.0)[shade])


def test_on_much_darker_skin_features_stand_out_more() -> None:
    """As on the photo, they were flat there, and hardly anybody was recognised."""
    logs = np.log(tones(-0.6)[[ONE - 16, ONE + 30]] / ONE) / np.log(np.array([ONE - 16, ONE + 30]) / ONE)
    assert logs.min() > 1.3


def test_shades_of_much_lighter_skin_are_red_and_few() -> None:
    """As grey as on the dark skin of the photo, they were dirt around mouth and nose."""
    shade = round(0.7 * ONE)
    blue, green, red = tones(1.1)[shade].astype(int)
    assert ONE > red > green > blue > shade - 5
    assert tones(0.3).ndim == 1, "on skin of about the same tone all stays as it was"


@pytest.mark.parametrize(("lighter", "own", "theirs"), [(0.6, 0.3, 0.3), (0.0, 1.0, 0.35)])
def test_gloss_and_shade_of_dark_skin_are_neither_lilac_nor_orange_on_light_skin(
    lighter: float, own: float, theirs: float
) -> None:
    gloss, shade = (136, 126, 124), (116, 124, 130)
    ratios = np.array([[gloss, shade]], np.uint8)
    blue, _, red = np.moveaxis(toned(ratios, lighter, (own, theirs), None).astype(float), -1, 0)[:, 0]
    apart = np.ptp(np.log(red / blue))
    assert apart < 1.5 * FEWEST * np.ptp(np.log(ratios[0, :, 2] / ratios[0, :, 0]))


def test_tints_of_skin_of_the_same_colour_and_of_lips_are_shown_as_they_are() -> None:
    ratios = np.full((4, 4, 3), (100, 110, 140), np.uint8)
    assert (toned(ratios, 0.0, (0.4, 0.35), None) == ratios).all()
    lips = np.dstack([np.zeros((4, 4), np.uint8), np.full((4, 4), 255, np.uint8)])
    assert (toned(ratios, 0.0, (1.0, 0.3), lambda: lips) == ratios).all()
