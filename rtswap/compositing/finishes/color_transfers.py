"""Colour transfers: move the colours of one set of pixels to those of another. No images, no time.

A set is (N, 3) float32 BGR 0..255 with (N,) weights. Linear transfers return an affine map (3, 4), ``out = M x + b``;
``match_curves`` a curve per channel; iterative transfers the moved colours.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Affine = NDArray[np.float32]
"""(3, 4)"""
Curves = NDArray[np.float32]
"""(256, 3) new value of each level of each channel, 0..255."""

GAIN_LIMITS = (0.4, 1.4)
"""Limits of the change of contrast in any direction. A target lit from one side has a wide spread for reasons other
than contrast: at 2, brows turn black."""
STEEPEST = 2.0
"""Maximum slope of a channel's curve: steeper, highlights break into colours."""
FLOOR, LAB_FLOOR = 1.0, 0.1
"""Added to every variance, in levels squared and in Lab: a spread below the sensor's noise counts as none."""
ITERATIONS = 20
DIRECTIONS = 4
"""Directions per step of the sliced transport."""
BINS = 256


class Colors(NamedTuple):
    """Pixels to learn from."""

    bgr: NDArray[np.float32]
    """(N, 3) 0..255"""
    weights: NDArray[np.float32]
    """(N,) >= 0, not all of them 0."""

    def mean(self) -> Floats:
        """(3,)"""
        return np.asarray(self.weights @ self.bgr / self.weights.sum(), np.float64)

    def covariance(self, floor: float = FLOOR) -> Floats:
        """Covariance (3, 3), with ``floor`` added to each variance."""
        centred = self.bgr - self.mean().astype(np.float32)
        spread = (centred * (self.weights / self.weights.sum())[:, None]).T @ centred
        return np.asarray(spread, np.float64) + floor * np.eye(3)


def rct(source: Colors, target: Colors) -> Affine:
    """Reinhard et al. 2001 in CIE Lab: match mean and deviation of each channel to the target.

    In BGR this is not affine; returns the least-squares affine map over the source's own colours.
    """
    ours, theirs = (Colors(_lab(colors.bgr), colors.weights) for colors in (source, target))
    gain = np.sqrt(np.diag(theirs.covariance(LAB_FLOOR)) / np.diag(ours.covariance(LAB_FLOOR))).clip(*GAIN_LIMITS)
    goal = (ours.bgr - ours.mean()) * gain + theirs.mean()
    return _fit(source, _bgr(goal.astype(np.float32)))


def lct(source: Colors, target: Colors) -> Affine:
    """Whiten along the source's principal axes, colour along the target's: Ct^1/2 Cs^-1/2 (Gatys et al. 2016)."""
    linear = _power(target.covariance(), 0.5) @ _power(source.covariance(), -0.5)
    return _around_means(linear, source, target)


def mkl(source: Colors, target: Colors) -> Affine:
    """The linear map that moves colours least (Monge-Kantorovich, Pitie & Kokaram 2007): Cs^-1/2 (Cs^1/2 Ct
    Cs^1/2)^1/2 Cs^-1/2."""
    covariance = source.covariance()
    root, inverse = _power(covariance, 0.5), _power(covariance, -0.5)
    linear = inverse @ _power(root @ target.covariance() @ root, 0.5) @ inverse
    return _around_means(linear, source, target)


def match_curves(source: Colors, target: Colors) -> Curves:
    """Histogram matching: map each level to the target's level of the same rank, channel by channel."""
    curves = np.empty((256, 3), np.float32)
    for channel in range(3):
        ours, theirs = (
            np.bincount(np.round(colors.bgr[:, channel]).astype(np.int64), colors.weights, 256)[:256]
            for colors in (source, target)
        )
        curves[:, channel] = _curve(ours, theirs).clip(0, 255)
    return curves


def idt(source: Colors, target: Colors) -> NDArray[np.float32]:
    """Iterative distribution transfer (Pitie et al. 2005), (N, 3): 1-D transfers along three axes, randomly rotated
    20 times. Deterministic."""
    return _transport(source, target, _rotations(), share=1.0)


def sot(source: Colors, target: Colors) -> NDArray[np.float32]:
    """Sliced optimal transport (Rabin et al. 2011), (N, 3): each step is the mean of the 1-D transports along a few
    random directions. Deterministic."""
    rng = np.random.default_rng(2011)
    steps = rng.standard_normal((ITERATIONS, DIRECTIONS, 3))
    steps /= np.linalg.norm(steps, axis=2, keepdims=True)
    return _transport(source, target, steps, share=1 / DIRECTIONS)


def _transport(source: Colors, target: Colors, steps: Iterable[Floats], *, share: float) -> NDArray[np.float32]:
    """Run the ``steps``, (K, 3) unit directions each; ``share``: share of their summed moves to apply."""
    moved = source.bgr.astype(np.float32)
    for directions in steps:
        turn = np.asarray(directions.T, np.float32)
        ours, theirs = moved @ turn, target.bgr @ turn
        moves = np.empty_like(ours)
        for axis in range(turn.shape[1]):
            moves[:, axis] = _transport_1d(ours[:, axis], source.weights, theirs[:, axis], target.weights)
        moved = moved + np.float32(share) * (moves @ turn.T)
    return np.asarray(moved.clip(0, 255), np.float32)


def _transport_1d(
    ours: NDArray[np.float32],
    our_weights: NDArray[np.float32],
    theirs: NDArray[np.float32],
    their_weights: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Shift (N,) of each value to the value of the same rank in the other set."""
    low, high = float(min(ours.min(), theirs.min())), float(max(ours.max(), theirs.max()))
    if high - low < 1e-3:
        return np.zeros_like(ours)
    bins = (BINS - 1) / (high - low)
    where = (ours - low) * bins
    counts = (
        np.bincount(np.round(values).astype(np.int64), weights, BINS)
        for values, weights in ((where, our_weights), ((theirs - low) * bins, their_weights))
    )
    goals = _curve(*counts)
    return np.asarray((np.interp(where, np.arange(BINS), goals) - where) / bins, np.float32)


def _curve(ours: NDArray[Any], theirs: NDArray[Any]) -> Floats:
    """New value of each counted level: the other set's level of the same rank.

    Limits the slope, then restores the mean.
    """
    levels = np.arange(float(len(ours)))
    rise = np.diff(np.interp(_ranks(ours), _ranks(theirs), levels)).clip(0, STEEPEST)
    curve = np.concatenate([[0.0], np.cumsum(rise)])
    return np.asarray(curve + (theirs @ levels / theirs.sum() - ours @ curve / ours.sum()), np.float64)


def _ranks(counts: NDArray[Any]) -> Floats:
    """Cumulated share at the centre of each bin, strictly increasing: equal histograms map every level to itself."""
    counts = counts / counts.sum() + 1e-9
    ranks = np.cumsum(counts) - counts / 2
    return np.asarray(ranks, np.float64)


def _rotations() -> list[Floats]:
    rng = np.random.default_rng(2005)
    return [np.linalg.qr(rng.standard_normal((3, 3)))[0] for _ in range(ITERATIONS)]


def _around_means(linear: Floats, source: Colors, target: Colors) -> Affine:
    """Affine map from the linear part, with limited gains, that maps the source's mean to the target's."""
    left, gains, right = np.linalg.svd(linear)
    linear = (left * gains.clip(*GAIN_LIMITS)) @ right
    offset = target.mean() - linear @ source.mean()
    return np.hstack([linear, offset[:, None]]).astype(np.float32)


def _fit(source: Colors, goal: NDArray[np.float32]) -> Affine:
    """The affine map that brings the source's colours closest to ``goal`` (N, 3); a shift if they are all equal."""
    weights = (source.weights / source.weights.sum())[:, None]
    middle, goal_middle = source.mean(), np.asarray((weights * goal).sum(0), np.float64)
    ours, theirs = source.bgr - middle, goal - goal_middle
    spread = (weights * ours).T @ ours + FLOOR * np.eye(3)
    common = (weights * theirs).T @ ours + FLOOR * np.eye(3)
    linear = common @ np.linalg.inv(spread)
    return np.hstack([linear, (goal_middle - linear @ middle)[:, None]]).astype(np.float32)


def _power(symmetric: Floats, exponent: float) -> Floats:
    values, vectors = np.linalg.eigh(symmetric)
    return np.asarray((vectors * np.maximum(values, 1e-9) ** exponent) @ vectors.T, np.float64)


def _lab(bgr: NDArray[np.float32]) -> NDArray[np.float32]:
    """Convert (N, 3) BGR 0..255 to L 0..100, a, b."""
    picture = np.ascontiguousarray(bgr, np.float32).reshape(-1, 1, 3) * np.float32(1 / 255)
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2LAB).reshape(-1, 3), np.float32)


def _bgr(lab: NDArray[np.float32]) -> NDArray[np.float32]:
    """Convert back to BGR 0..255."""
    picture = cv2.cvtColor(np.ascontiguousarray(lab).reshape(-1, 1, 3), cv2.COLOR_LAB2BGR)
    return np.asarray(picture.reshape(-1, 3) * 255, np.float32)
