"""Triton functions that read and round pixels as OpenCV and torch do."""

# mypy: ignore-errors
from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def rounded(value):
    """Round to the nearest integer, ties to even; exact below 2^22."""
    magic = 12582912.0  # 1.5 * 2^23
    return (value + magic) - magic


@triton.jit
def byte(value):
    """Round to the nearest integer and clamp to 0..255."""
    return tl.minimum(tl.maximum(rounded(value), 0.0), 255.0)


@triton.jit
def pixel(picture, row, column, stride, shown):
    """Load a pixel of interleaved BGR bytes as three floats."""
    at = picture + (row * stride + column) * 3
    blue = tl.load(at, mask=shown, other=0).to(tl.float32)
    green = tl.load(at + 1, mask=shown, other=0).to(tl.float32)
    red = tl.load(at + 2, mask=shown, other=0).to(tl.float32)
    return blue, green, red


def grid(across: int, down: int, tile: tuple[int, int]) -> tuple[int, int]:
    """Return the number of programs across and down, each for a tile of (width, height)."""
    return triton.cdiv(across, tile[0]), triton.cdiv(down, tile[1])
