"""Sharpness and grain: what is measured is what was done to a picture, and the swap comes to look as its target."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import pytest
from people import ReadyMesh, person, swap_face

from rtswap.compositing.finishes.detail import MatchDetail
from rtswap.compositing.finishes.grain import SEEN_COARSE, SEEN_FINE, SIDE, SIZES, Overlay, lay_over, overlay_for
from rtswap.compositing.finishes.sharpness import Grain, edge_sigma, grain_of, soften
from rtswap.core.protocols import Swapper
from rtswap.core.types import Quality, SwappedFace, Target
from rtswap.vision.topology import LEFT_EYE

ALL = np.full((160, 160), 255, np.uint8)


def edges(sigma: float, noise: float = 0.0) -> np.ndarray:
    """A disc on a ground, blurred."""
    y, x = np.mgrid[:160, :160]
    plane = 90 + 60 * (np.hypot(x - 80, y - 80) < 50).astype(np.float32)
    plane = cv2.GaussianBlur(plane, (0, 0), sigma) if sigma else plane
    return (plane + noise * np.random.default_rng(0).standard_normal(plane.shape)).round().astype(np.float32)


@pytest.mark.parametrize("noise", [0, 4])
def test_the_blur_of_an_edge_is_measured(noise: float) -> None:
    """Up to the same amount for every picture: only differences count."""
    sigmas = [0.5, 0.8, 1.2, 1.8, 2.5]
    found = [edge_sigma(edges(sigma, noise), ALL, noise) for sigma in sigmas]
    assert None not in found
    squares = np.array(found, float) ** 2
    assert np.diff(squares) == pytest.approx(np.diff(np.square(sigmas)), rel=0.35)


def test_without_edges_nothing_is_said() -> None:
    assert edge_sigma(np.full((160, 160), 90, np.float32), ALL, 0.0) is None
    assert edge_sigma(edges(1.0), np.zeros_like(ALL), 0.0) is None


@pytest.mark.parametrize("spread", [1.0, 3.0, 8.0])
def test_grain_is_measured_beside_edges(spread: float) -> None:
    found = grain_of(edges(1.5, spread), ALL)
    assert found is not None
    assert found.fine == pytest.approx(np.hypot(spread, 0.29), rel=0.12)  # rounding is noise as well
    assert found.coarse == pytest.approx(spread / 2, rel=0.2)


def test_the_texture_of_skin_is_no_grain() -> None:
    """Pores and stubble are strong in some places and weak in others, noise is not. A portrait of a man with much
    texture made every face on it look like sandpaper."""
    rng = np.random.default_rng(3)
    strength = cv2.resize(rng.uniform(0, 9, (8, 8)).astype(np.float32) ** 1.5 / 3, (160, 160))
    pores = cv2.GaussianBlur(rng.standard_normal((160, 160)).astype(np.float32), (0, 0), 0.8) * strength
    skin = np.clip(150 + pores, 0, 255).round().astype(np.float32)
    found = grain_of(skin, ALL)
    assert found is not None
    assert found.coarse < 0.3
    noisy = grain_of(skin + 6 * rng.standard_normal((160, 160)).astype(np.float32), ALL)
    assert noisy is not None
    assert noisy.fine > 5


@pytest.mark.parametrize("size", range(len(SIZES)))
def test_patterns_are_what_the_table_says(size: int) -> None:
    picture = np.full((160, 160, 3), 128, np.uint8)
    lay_over(picture, Overlay(size, 10.0), (77, 311))
    assert picture.astype(float).std() == pytest.approx(10, rel=0.05)
    found = grain_of(picture[..., 1].astype(np.float32), ALL)
    assert found is not None
    assert found.fine == pytest.approx(10 * SEEN_FINE[size], rel=0.15)
    assert found.coarse == pytest.approx(10 * SEEN_COARSE[size], rel=0.15)
    assert overlay_for(Grain(2 * SEEN_FINE[size], 2 * SEEN_COARSE[size])) == (size, pytest.approx(2))


def test_grain_is_mostly_grey_and_reaches_pictures_larger_than_the_pattern() -> None:
    picture = np.full((SIDE + 50, SIDE * 2 + 3, 3), 128, np.uint8)
    lay_over(picture, Overlay(0, 8.0), (65535, 65535))
    noise = picture.reshape(-1, 3).astype(float) - 128
    assert np.corrcoef(noise.T).min() > 0.75
    assert abs(noise.mean()) < 0.1


@pytest.mark.parametrize("variance", [0.1, 0.4, 0.59, 0.7, 1.1, 1.3, 2.5, 4.0])
def test_blurs_have_the_requested_variance(variance: float) -> None:
    y, x = np.mgrid[:64, :64].astype(np.float32)
    wide = np.exp(-((x - 31.3) ** 2 + (y - 30) ** 2) / (2 * 3**2)).astype(np.float32)
    before, after = (
        float((picture.sum(0) * (np.arange(64) - 31.3) ** 2).sum() / picture.sum())
        for picture in (wide, soften(wide, variance))
    )
    assert after - before == pytest.approx(variance, rel=0.15)


@cache
def crisp_swapper() -> Swapper:
    return ReadyMesh().bind(person("dan"))


def a_swap(sigma: float, noise: float, time_s: float = 0.0) -> tuple[SwappedFace, Target]:
    """Dan, crisp, on a ben who was filmed badly."""
    who = person("ben")
    picture = cv2.GaussianBlur(who.portrait, (0, 0), sigma) if sigma else who.portrait
    grain = noise * np.random.default_rng(1).standard_normal(picture.shape[:2])[..., None]
    return swap_face(crisp_swapper(), (picture + grain).clip(0, 255).astype(np.uint8), who.landmarks, time_s=time_s)


def measures(crop: np.ndarray, face: Target) -> tuple[float, Grain]:
    x, y = face.landmarks[1, :2].astype(int)
    plane = crop[y - 20 : y + 70, x - 60 : x + 60, 1].astype(np.float32)
    weights = np.full(plane.shape, 255, np.uint8)
    grain = grain_of(plane, weights)
    assert grain is not None
    sigma = edge_sigma(plane, weights, grain.fine)
    assert sigma is not None
    return sigma, grain


@pytest.mark.parametrize("noise", [0.0, 3.0, 7.0])
@pytest.mark.parametrize("sigma", [0.0, 1.7, 2.4])
def test_the_swap_approaches_the_look_of_its_target(sigma: float, noise: float) -> None:
    swapped, face = a_swap(sigma, noise)
    wanted, (before, grain_before) = measures(face.crop, face), measures(swapped.crop, face)
    found, grain = measures(MatchDetail().apply(swapped, face, Quality()).crop, face)
    if noise:
        assert grain.fine == pytest.approx(wanted[1].fine, rel=0.2)
        assert abs(grain.fine - wanted[1].fine) < 0.3 * abs(grain_before.fine - wanted[1].fine)
    if wanted[0] - before > 0.25:
        assert abs(found - wanted[0]) < 0.7 * abs(before - wanted[0])
    else:  # sharpening is modest
        assert wanted[0] - 0.35 < found < max(before, wanted[0]) + 0.05


def test_eyes_are_left_alone() -> None:
    swapped, face = a_swap(2.4, 8.0)
    x, y = face.landmarks[LEFT_EYE, :2].mean(0).astype(int)
    before = swapped.crop[y - 1 : y + 2, x - 4 : x + 5].copy()
    found = MatchDetail().apply(swapped, face, Quality())
    assert np.abs(found.crop[y - 1 : y + 2, x - 4 : x + 5].astype(int) - before).max() <= 3


def test_grain_moves_but_comes_again_in_another_run() -> None:
    def crops() -> list[np.ndarray]:
        step = MatchDetail()
        return [step.apply(*a_swap(1.0, 6.0, frame / 30), Quality()).crop for frame in range(2)]

    first, again = crops(), crops()
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert np.abs(first[0].astype(int) - first[1]).mean() > 1


def test_measurements_stay_valid_while_there_is_no_time_to_measure() -> None:
    step = MatchDetail()
    step.apply(*a_swap(0.0, 6.0), Quality())
    swapped, face = a_swap(0.0, 6.0, 0.5)
    before = measures(swapped.crop, face)[1].fine
    found = step.apply(swapped, face, Quality(match_color=False))
    assert measures(found.crop, face)[1].fine > before + 3


def test_it_does_not_flicker() -> None:
    """The same scene under other noise: its strength stays within 12 %."""
    step = MatchDetail()
    found = []
    for frame in range(12):
        swapped, face = a_swap(1.0, 5.0, frame / 15)
        found.append(measures(step.apply(swapped, face, Quality()).crop, face)[1].fine)
    assert np.ptp(found) < 0.12 * np.mean(found)
