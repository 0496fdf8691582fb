"""The watermark's pattern: a tile of waves, fixed except for the payload's signs (docs/watermark.md)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from rtswap.disclosure.error_correction import CODED_BITS, encode

TILE = 256
"""Side of the tile in a frame whose shorter side is ``NOMINAL`` pixels; scales with the frame."""
NOMINAL = 720
LEAST_TILE = 128
"""Pixels. In a smaller tile the waves would be too short for codecs."""
LONGEST, SHORTEST = 40.0, 12.0
"""Wave lengths in a nominal frame, pixels."""
REPEATS = 4
DATA_WAVES = CODED_BITS * REPEATS // 2
"""Each wave carries two signs, on its cosine and on its sine."""
NAME = b"rtswap mark 1"

Waves = NDArray[np.complex128]


@dataclass(frozen=True, slots=True, eq=False)
class Lattice:
    """The waves of the tile: ``exp(2 pi i (kx x + ky y) / side)``, one of each pair of opposite ones."""

    kx: NDArray[np.int64]
    ky: NDArray[np.int64]
    phase: Waves
    """Unit phasors, pseudo-random and public."""
    data: NDArray[np.int64]
    """(320,) indices of the waves that carry the payload, in the order of its signs."""
    sync: NDArray[np.int64]
    """Indices of the other waves. They are constant and used to find the watermark."""


@cache
def lattice() -> Lattice:
    """The lattice, cached; callers must not modify it."""
    reach = int(TILE / SHORTEST)
    ky, kx = np.mgrid[1 : reach + 1, -reach : reach + 1]
    length = np.hypot(kx, ky)
    chosen = (length >= TILE / LONGEST) & (length <= TILE / SHORTEST) & (kx != 0)
    kx, ky = kx[chosen], ky[chosen]
    drawn = np.frombuffer(hashlib.shake_256(NAME).digest(5 * len(kx)), np.uint8).reshape(-1, 5)
    phase = np.exp(2j * np.pi * drawn[:, 0] / 256)
    order = np.argsort(np.ascontiguousarray(drawn[:, 1:]).view(">u4")[:, 0], kind="stable")
    return Lattice(kx, ky, phase, order[:DATA_WAVES], np.sort(order[DATA_WAVES:]))


def waves(message: int) -> Waves:
    """Complex amplitudes of the waves (K,) for a message of 24 bits."""
    signs = np.tile(encode(message), REPEATS).reshape(DATA_WAVES, 2)
    table = lattice()
    values = table.phase.copy()
    values[table.data] *= (signs[:, 0] + 1j * signs[:, 1]) / np.sqrt(2)
    return values


@cache
def bayer() -> NDArray[np.float32]:
    """Thresholds (8, 8) for ordered dithering, -0.5..0.5 with mean 0 (Bayer 1973); callers must not modify them."""
    order = np.zeros((1, 1))
    for _ in range(3):
        order = np.block([[4 * order, 4 * order + 2], [4 * order + 3, 4 * order + 1]])
    return ((order + 0.5) / order.size - 0.5).astype(np.float32)


def tile_side(width: int, height: int) -> int:
    """Side of the tile in pixels, for frames of this size."""
    return max(LEAST_TILE, round(TILE * min(width, height) / NOMINAL))


def tile(message: int, side: int) -> NDArray[np.float32]:
    """The pattern's tile (side, side), with mean 0 and standard deviation 1."""
    table = lattice()
    spectrum = np.zeros((side, side // 2 + 1), np.complex128)
    # rfft2 keeps the half with kx >= 0; waves with kx < 0 are conjugates of their opposites.
    values = waves(message)
    values = np.where(table.kx > 0, values, values.conj())
    ky = np.where(table.kx > 0, table.ky, -table.ky)
    spectrum[ky % side, np.abs(table.kx)] = values
    plane = np.fft.irfft2(spectrum, (side, side))
    return np.asarray(plane / plane.std(), np.float32)
