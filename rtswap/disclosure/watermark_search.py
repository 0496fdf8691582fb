"""Search for the watermark in one image (or the mean of many): its scale, offset and confidence.

A high-pass and division by the local contrast suppress the image's own content. For each scale, the waves are sampled
from one Fourier transform, reduced to unit phasors, multiplied by the sync waves' known conjugate phases, and summed
for all offsets at once by an inverse transform. The score is that sum over its standard deviation for random phases.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.disclosure.error_correction import CODED_BITS, decode
from rtswap.disclosure.watermark_pattern import NOMINAL, REPEATS, SHORTEST, TILE, lattice

Plane = NDArray[np.float32]
Phasors = NDArray[np.complex64]


@dataclass(frozen=True, slots=True)
class Octave:
    """A range of scales, and the image size in which to search for them."""

    least: float
    most: float
    short: int
    """Shorter side of the image in pixels: makes tiles 68 to 192 px."""

    def scales(self) -> NDArray[np.float64]:
        count = math.ceil(math.log(self.most / self.least) / STEP)
        return np.asarray(self.least * np.exp(STEP * (0.5 + np.arange(count))))

    def tile_px(self, scale: float) -> float:
        return scale * TILE * self.short / NOMINAL


STEP = 0.006
"""Relative step between scales: at the frame's edge the pattern is then off by at most a fifth of its shortest
wave."""
OCTAVES = (Octave(0.8, 1.6, 337), Octave(0.4, 0.8, 480), Octave(1.6, 2.35, 169))
"""Scale 1: the tile relates to the shorter side as in an uncropped frame. Most likely first."""
COARSE, FINE = 64, 128
"""Offsets per tile, each way."""
REFINED, WORTHWHILE = 3, 5.2
"""Number of candidates to refine, and the minimum score for refinement."""
NUDGES = (-0.004, -0.002, 0.0, 0.002, 0.004)
"""Relative changes of width and of height that refinement tries."""
CERTAIN = 9.0
"""Score above which no other octave is searched, if the message can be decoded."""
LEAST_SHORT = 64
"""Pixels: smaller images are not searched."""
FALSE_POSITIVES = 1e-6
"""Per window."""
REACH = int(TILE / SHORTEST)

HYPOTHESES = 2 * sum(len(octave.scales()) for octave in OCTAVES) * (COARSE**2 + len(NUDGES) ** 2 * FINE**2)
"""Upper bound on the number of sums evaluated: any scale may be refined. Neighbours are correlated, so the effective
number is lower."""


@dataclass(frozen=True, slots=True)
class Match:
    """The best match."""

    score: float
    scale: float = 1.0
    """Scale of the tile relative to an uncropped frame of the image's size."""
    mirrored: bool = False
    message: int | None = None
    """24 bits, or None if they could not be decoded."""

    @property
    def present(self) -> bool:
        return false_positive(self.score) <= FALSE_POSITIVES


@dataclass(frozen=True, slots=True, eq=False)
class _Candidate:
    score: float
    octave: Octave
    picture: Plane
    scale: float
    mirrored: bool


def false_positive(score: float) -> float:
    """Upper bound on the probability that an unmarked window scores as high, 0..1.

    A sum of unit phasors of random phase is sub-Gaussian (Hoeffding: E exp(t cos) = I0(t) <= exp(t^2 / 4)), hence
    P(score > z) <= exp(-z^2 / 2) for each hypothesis, and at most their number times as much for the best of them.
    """
    return min(1.0, HYPOTHESES * math.exp(-0.5 * score * score)) if score > 0 else 1.0


def search(luminance: Plane) -> Match:
    """Search for the watermark in an image (H, W), 0..255, of any size. Stops at a certain match."""
    best = Match(0.0)
    if min(luminance.shape) < LEAST_SHORT:
        return best
    luminance = _without_far_ends(luminance)
    candidates: list[_Candidate] = []
    for octave in OCTAVES:
        found = _coarse(whiten(luminance, octave.short), octave)
        candidates += found
        if found[0].score > CERTAIN:
            best = max(best, _refine(found[0]), key=_score)
            if best.message is not None:
                return best
    candidates.sort(key=lambda candidate: -candidate.score)
    best = max(best, Match(candidates[0].score, candidates[0].scale, candidates[0].mirrored), key=_score)
    for candidate in candidates[:REFINED]:
        if candidate.score >= WORTHWHILE:
            best = max(best, _refine(candidate), key=_score)
    return best


def _score(match: Match) -> float:
    return match.score


def _without_far_ends(luminance: Plane) -> Plane:
    """Crop to the centre, at most four times as long as wide."""
    rows, columns = (
        slice(max(0, (side - 4 * min(luminance.shape)) // 2), (side + 4 * min(luminance.shape)) // 2)
        for side in luminance.shape
    )
    return luminance[rows, columns]


def whiten(luminance: Plane, short: int) -> Plane:
    """Resize to a shorter side of ``short`` px, high-pass, and attenuate busy areas.

    The divisor is the local contrast to the power 1.25: between 1, which weights all places equally, and 2, which is
    best if the content is Gaussian noise.
    """
    height, width = luminance.shape
    factor = short / min(height, width)
    size = max(1, round(width * factor)), max(1, round(height * factor))
    plane = cv2.resize(luminance, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)
    plane = plane - cv2.blur(plane, (5, 5))
    energy = cv2.boxFilter(plane * plane, -1, (11, 11)) + np.float32(0.04)
    return np.asarray(plane * cv2.pow(energy, -0.625), np.float32)


def _coarse(picture: Plane, octave: Octave) -> list[_Candidate]:
    """The two best scales, mirrored or not, best first."""
    scales = octave.scales()
    spectrum, columns = _spectrum(picture, octave)
    found = []
    for mirrored in (False, True):
        scores = _scores(_look_up(spectrum, columns, octave, mirrored), COARSE)
        peaks = scores.reshape(len(scales), -1).max(1)
        best = np.argsort(-peaks)[:2]
        found += [_Candidate(float(peaks[i]), octave, picture, float(scales[i]), mirrored) for i in best]
    return sorted(found, key=lambda candidate: -candidate.score)[:2]


def _spectrum(picture: Plane, octave: Octave) -> tuple[Phasors, int]:
    """Columns 1..C of the image's transform, transposed, (C, R), and the transform's width.

    The image is zero-padded to about twice its size, so that each wave is near a bin, with its centre at the origin
    (quadrants swapped). Columns beyond the octave's shortest wave are left out.
    """
    height, width = picture.shape
    up, left = height // 2, width // 2
    rows, columns = cv2.getOptimalDFTSize(2 * height), 2 * cv2.getOptimalDFTSize(width)
    band = min(math.ceil(REACH * columns / octave.tile_px(octave.least)) + 1, columns // 2 - 1)
    along = np.zeros((height, columns), np.float32)
    along[:, : width - left], along[:, columns - left :] = picture[:, left:], picture[:, :left]
    packed = cv2.dft(along, flags=cv2.DFT_ROWS)  # re 0, re 1, im 1, re 2, im 2 ...
    lines = np.ascontiguousarray(packed[:, 1 : 1 + 2 * band]).view(np.complex64).T
    padded = np.zeros((band, rows), np.complex64)
    padded[:, : height - up], padded[:, rows - up :] = lines[:, up:], lines[:, :up]
    down = cv2.dft(padded.view(np.float32).reshape(band, rows, 2), flags=cv2.DFT_ROWS)
    return np.ascontiguousarray(down).view(np.complex64)[..., 0], columns


def _look_up(spectrum: Phasors, columns: int, octave: Octave, mirrored: bool) -> Phasors:
    """Values (S, N) of the sync waves at each scale: the nearest bins of the transform."""
    places, negative = _places(columns, spectrum.shape[1], octave, mirrored)
    values = spectrum.ravel()[places]
    np.negative(values.imag, out=values.imag, where=negative)
    return values


@lru_cache(maxsize=24)
def _places(columns: int, rows: int, octave: Octave, mirrored: bool) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Indices (S, N) of the waves' bins in ``_spectrum``, and (N,) whether to conjugate. Cached; do not modify."""
    table = lattice()
    x, y = table.kx[table.sync] * (-1 if mirrored else 1), table.ky[table.sync]
    tiles_px = np.array([octave.tile_px(scale) for scale in octave.scales()])[:, None]
    across = np.rint(np.abs(x) / tiles_px * columns).astype(np.intp)
    down = np.rint(np.where(x < 0, -y, y) / tiles_px * rows).astype(np.intp) % rows
    return (across - 1) * rows + down, x < 0


def _scores(seen: Phasors, grid: int) -> Plane:
    """Score at every offset (S, grid, grid), from values (S, N) of the sync waves."""
    table = lattice()
    x, y = table.kx[table.sync], table.ky[table.sync]
    turned = _unit(seen) * table.phase[table.sync].conj().astype(np.complex64)
    spectrum = np.zeros((len(seen), grid, grid // 2 + 1), np.complex64)
    spectrum[:, np.where(x < 0, -y, y) % grid, np.abs(x)] = np.where(x < 0, turned.conj(), turned)
    sums = np.fft.irfft2(spectrum, (grid, grid), axes=(1, 2)) * np.float32(grid * grid / 2)
    return np.asarray(sums / math.sqrt(len(x) / 2), np.float32)


def _unit(values: Phasors) -> Phasors:
    """Reduce values to unit phasors; 0 stays 0."""
    size = np.abs(values)
    return np.asarray(values / np.maximum(size, np.float32(1e-20)), np.complex64)


def _refine(candidate: _Candidate) -> Match:
    """Refine width, height and offset of a candidate, and decode its message."""
    table, octave = lattice(), candidate.octave
    middle = octave.tile_px(candidate.scale)
    best, place, best_seen = -1.0, 0, np.zeros(0, np.complex64)
    for seen in _values(candidate.picture, middle, candidate.mirrored):
        scores = _scores(seen[None, table.sync], FINE)
        if scores.max() > best:
            best, place, best_seen = float(scores.max()), int(scores.argmax()), seen
    down, across = divmod(place, FINE)
    turn = table.phase.conj() * np.exp(2j * np.pi * (table.kx * across + table.ky * down) / FINE)
    carried = (_unit(best_seen) * turn)[table.data]
    soft = np.stack([carried.real, carried.imag], 1).reshape(REPEATS, CODED_BITS).sum(0)
    message = decode(soft) if false_positive(best) <= FALSE_POSITIVES else None
    return Match(best, candidate.scale, candidate.mirrored, message)


def _values(picture: Plane, tile_px: float, mirrored: bool) -> Iterator[Phasors]:
    """Exact values (K,) of all waves, for each pair of nudges."""
    table = lattice()
    height, width = picture.shape
    kx = np.arange(-REACH, REACH + 1) * (-1 if mirrored else 1)
    ky = np.arange(1, REACH + 1)
    downs = [_waves(height, ky / (tile_px * (1 + nudge))) for nudge in NUDGES]
    for nudge in NUDGES:
        along = _waves(width, kx / (tile_px * (1 + nudge))).T
        rows = (picture @ np.ascontiguousarray(along).view(np.float32)).view(np.complex64)
        for down in downs:
            yield (down @ rows)[table.ky - 1, table.kx + REACH]


def _waves(length: int, frequencies: NDArray[np.float64]) -> Phasors:
    """``exp(-2 pi i f x)`` (F, length), with x from the centre."""
    turns = np.outer(frequencies, np.arange(length) - length // 2)
    return np.asarray(np.exp(-2j * np.pi * turns), np.complex64)
