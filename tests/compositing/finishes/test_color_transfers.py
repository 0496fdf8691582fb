"""Colour transfers beside the textbook's formulas, and what must hold for any of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import sqrtm
from scipy.stats import wasserstein_distance
from skimage.color import lab2rgb, rgb2lab
from skimage.exposure import match_histograms

from rtswap.compositing.finishes.color_transfers import GAIN_LIMITS, Colors, idt, lct, match_curves, mkl, rct, sot

LINEAR = {"rct": rct, "lct": lct, "mkl": mkl}
ITERATIVE = {"idt": idt, "sot": sot}


def colors(mean: tuple[float, float, float], spread: float, seed: int, count: int = 3000) -> Colors:
    """Skin-like: correlated channels."""
    rng = np.random.default_rng(seed)
    mix = np.array([[1, 0.2, 0.1], [0.8, 0.5, 0.1], [0.7, 0.3, 0.6]]) * spread
    bgr = (rng.standard_normal((count, 3)) @ mix.T + mean).clip(0, 255)
    return Colors(bgr.astype(np.float32), rng.uniform(0.2, 1, count).astype(np.float32))


LIGHT, DARK = colors((130, 150, 190), 12, 0), colors((60, 75, 110), 9, 1)


def through(affine: np.ndarray, bgr: np.ndarray) -> np.ndarray:
    return bgr.astype(np.float64) @ affine[:, :3].T.astype(np.float64) + affine[:, 3]


def moments(bgr: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.average(bgr, axis=0, weights=weights), np.cov(bgr.T, aweights=weights, ddof=0)


def moved(name: str, source: Colors, target: Colors) -> np.ndarray:
    if name in LINEAR:
        return through(LINEAR[name](source, target), source.bgr)
    if name == "hist":
        curves = match_curves(source, target)
        return np.stack([np.interp(source.bgr[:, c], np.arange(256), curves[:, c]) for c in range(3)], 1)
    return ITERATIVE[name](source, target)


ALL = ("rct", "lct", "mkl", "hist", "idt", "sot")


def test_mkl_is_the_closed_form() -> None:
    _, ours = moments(LIGHT.bgr, LIGHT.weights)
    _, theirs = moments(DARK.bgr, DARK.weights)
    root = sqrtm(ours)
    expected = np.linalg.inv(root) @ sqrtm(root @ theirs @ root) @ np.linalg.inv(root)
    found = mkl(LIGHT, DARK)[:, :3]
    assert np.abs(found - expected.real).max() < 0.03  # the floor under variances
    assert np.allclose(found, found.T, atol=1e-5)


def test_lct_is_whitening_and_colouring() -> None:
    _, ours = moments(LIGHT.bgr, LIGHT.weights)
    _, theirs = moments(DARK.bgr, DARK.weights)
    expected = sqrtm(theirs).real @ np.linalg.inv(sqrtm(ours).real)
    assert np.abs(lct(LIGHT, DARK)[:, :3] - expected).max() < 0.03


@pytest.mark.parametrize("name", ["lct", "mkl"])
def test_mean_and_covariance_become_the_target_s(name: str) -> None:
    mean, covariance = moments(through(LINEAR[name](LIGHT, DARK), LIGHT.bgr), LIGHT.weights)
    wanted_mean, wanted = moments(DARK.bgr, DARK.weights)
    assert np.abs(mean - wanted_mean).max() < 0.01
    assert np.abs(covariance - wanted).max() < 0.03 * wanted.max()


def test_rct_is_reinhard_in_lab() -> None:
    def lab(bgr: np.ndarray) -> np.ndarray:
        return rgb2lab(bgr[:, None, ::-1].astype(np.float64) / 255)[:, 0]

    ours, theirs = lab(LIGHT.bgr), lab(DARK.bgr)
    (our_mean, our_spread), (their_mean, their_spread) = moments(ours, LIGHT.weights), moments(theirs, DARK.weights)
    gain = np.sqrt(np.diag(their_spread) / np.diag(our_spread))
    goal = (ours - our_mean) * gain + their_mean
    expected = lab2rgb(goal[:, None])[:, 0, ::-1] * 255
    error = np.abs(through(rct(LIGHT, DARK), LIGHT.bgr) - expected)
    assert np.median(error) < 1
    assert np.percentile(error, 99) < 5  # an affine map is not quite it


def test_curves_are_histogram_matching() -> None:
    theirs = DARK.bgr.round()[:2000]
    ours = LIGHT.bgr.round()
    curves = match_curves(Colors(ours, np.ones(len(ours), np.float32)), Colors(theirs, np.ones(2000, np.float32)))
    expected = match_histograms(ours.astype(np.uint8), theirs.astype(np.uint8), channel_axis=1)
    found = np.stack([curves[ours[:, c].astype(int), c] for c in range(3)], 1)
    assert np.median(np.abs(found - expected)) < 1.5
    assert (np.diff(curves, axis=0) >= 0).all()


@pytest.mark.parametrize("name", ["hist", "idt", "sot"])
def test_distributions_that_no_linear_map_reaches(name: str) -> None:
    """A target with a long tail of highlights; along any direction the moved colours lie as the target's."""
    rng = np.random.default_rng(4)
    tail = rng.gamma(2.0, 1.0, (4000, 3)) @ (np.array([[8, 1, 1], [6, 2, 0.5], [5, 1, 3]]).T) + (40, 50, 70)
    target = Colors(tail.astype(np.float32), np.ones(len(tail), np.float32))
    directions = np.eye(3) if name == "hist" else rng.standard_normal((6, 3))
    for direction in directions / np.linalg.norm(directions, axis=1, keepdims=True):
        before, after = (
            wasserstein_distance(bgr @ direction, tail @ direction, LIGHT.weights, target.weights)
            for bgr in (LIGHT.bgr, moved(name, LIGHT, target))
        )
        assert after < max(1.5, 0.1 * before)


@pytest.mark.parametrize("name", ALL)
def test_onto_itself_nothing_moves(name: str) -> None:
    assert np.abs(moved(name, LIGHT, LIGHT) - LIGHT.bgr).max() < 0.6


@pytest.mark.parametrize("name", ALL)
def test_weights_count(name: str) -> None:
    """Pixels of weight 0 teach nothing."""
    stray = np.full((500, 3), (255, 0, 255), np.float32)
    more = Colors(np.concatenate([DARK.bgr, stray]), np.concatenate([DARK.weights, np.zeros(500, np.float32)]))
    difference = np.abs(moved(name, LIGHT, DARK) - moved(name, LIGHT, more))
    assert np.percentile(difference, 99) < 2  # bins are wider where the range is


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("source", [(0, 0, 0), (255, 255, 255), (90, 90, 90), None], ids=str)
@pytest.mark.parametrize("target", [(0, 0, 0), (255, 0, 0), None], ids=str)
def test_plain_colours_neither_explode_nor_fail(
    name: str, source: tuple[int, int, int] | None, target: tuple[int, int, int] | None
) -> None:
    def plain(color: tuple[int, int, int] | None, other: Colors) -> Colors:
        return other if color is None else Colors(np.full((50, 3), color, np.float32), np.ones(50, np.float32))

    ours, theirs = plain(source, LIGHT), plain(target, DARK)
    found = moved(name, ours, theirs)
    assert np.isfinite(found).all()
    assert np.abs(found.mean(0) - theirs.bgr.mean(0)).max() < (
        15 if name == "rct" else 6
    )  # what Lab holds, BGR may not
    if target is not None:
        assert found.std(0).max() < 14


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.floats(0, 80), st.floats(0, 80), st.sampled_from(sorted(LINEAR)))
def test_gains_are_limited(seed: int, ours: float, theirs: float, name: str) -> None:
    rng = np.random.default_rng(seed)
    source = colors(tuple(rng.uniform(0, 255, 3)), ours, seed, 200)
    target = colors(tuple(rng.uniform(0, 255, 3)), theirs, seed + 1, 200)
    affine = LINEAR[name](source, target)
    gains = np.linalg.svd(affine[:, :3])[1]
    assert np.isfinite(affine).all()
    low, high = GAIN_LIMITS if name != "rct" else (0, 6)  # Lab's own slope between light and dark comes on top
    assert low - 1e-3 <= gains.min()
    assert gains.max() <= high + 1e-3
