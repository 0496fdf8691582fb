"""Match the swapped face's colours to the target with one of six global transfers over the replaced pixels."""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.compositing.finishes.color_transfers import Affine, Colors, idt, lct, match_curves, mkl, rct, sot
from rtswap.compositing.finishes.openings import openings_of, skin_weights
from rtswap.compositing.finishes.temporal import TemporalAverage
from rtswap.core.parts import BuildContext, FinishSpec
from rtswap.core.protocols import GpuFinish
from rtswap.core.types import Image, Quality, SwappedFace, Target
from rtswap.vision.resample import blurred, resized

SAMPLES = 2500
"""Approximate number of pixels that live transfers learn from."""
MOVED = 6000
"""Number of pixels that iterative transfers move; pixels between them move alike."""
MOVES_SIGMA = 1.3
"""Sigma, in these pixels, that smooths the moves: differing neighbours would show as grain and colour specks."""
FEWEST = 24.0
"""Minimum number of pixels to learn from."""
CONSTANT_S = 0.3
JUMP = 24.0
"""Levels by which the old map may miss the target's mean: beyond it, the light or the source was switched."""

Values = NDArray[np.float32]
LINEAR: dict[str, Callable[[Colors, Colors], Affine]] = {"rct": rct, "lct": lct, "mkl": mkl}
ITERATIVE: dict[str, Callable[[Colors, Colors], Values]] = {"idt": idt, "sot": sot}


class ColorMatch:
    """Implements ``protocols.Finish``. ``method``: rct, lct, mkl, hist (2 ms for a 300 px face), idt, sot (40 ms).

    Means and spreads are measured over the mask without eyes and teeth. Maps are smoothed over time per track;
    iterative transfers have no map to smooth, and start over in every frame.
    """

    def __init__(self, method: str) -> None:
        if method not in (*LINEAR, *ITERATIVE, "hist"):
            raise ValueError(f"unknown colour transfer {method}")
        self._method = method
        self._maps = TemporalAverage(CONSTANT_S)

    def apply(self, swapped: SwappedFace, target: Target, quality: Quality) -> SwappedFace:
        """Returns the face unchanged if the quality leaves no time, or too few pixels are replaced to learn from."""
        if not quality.match_color:
            return swapped
        openings = openings_of(swapped.crop, target.landmarks)
        if self._method in ITERATIVE:
            done = self._move(swapped, target)
        else:
            values = self.learnt(swapped, target)
            done = None if values is None else _through(values, swapped.crop)
        if done is None:
            return swapped
        for opening in openings:
            opening.put_back(done)
        return SwappedFace(done, swapped.mask)

    def forget(self, track_id: int) -> None:
        """Drop the smoothed map."""
        self._maps.forget(track_id)

    def learnt(self, swapped: SwappedFace, target: Target) -> Values | None:
        """Measure once more and return the smoothed map, affine (3, 4) or curves (256, 3); None if there never was
        one."""
        colors = _sample(swapped, target)
        old = self.last(target.track_id)
        if colors is None:
            return old
        fresh = match_curves(*colors) if self._method == "hist" else LINEAR[self._method](*colors)
        middle = colors[0].mean()
        if old is not None and np.abs(_at(old, middle) - _at(fresh, middle)).max() > JUMP:
            self._maps.forget(target.track_id)
        return self._maps.follow(target.track_id, fresh, target.time_s)

    def last(self, track_id: int) -> Values | None:
        """The last result of ``learnt``."""
        return self._maps.last(track_id)

    def _move(self, swapped: SwappedFace, target: Target) -> Image | None:
        """Compute smooth moves on a coarse grid, so that the swapped face keeps its own grain."""
        height, width = swapped.mask.shape
        shrink = min(1.0, math.sqrt(MOVED / (height * width)))
        size = max(1, round(width * shrink)), max(1, round(height * shrink))
        small = SwappedFace(*(resized(picture, size, cv2.INTER_AREA) for picture in (swapped.crop, swapped.mask)))
        seen = resized(np.where(swapped.mask > 0, np.uint8(255), np.uint8(0)), size, cv2.INTER_AREA)
        small.mask[seen < 255] = 0  # these means hold pixels of what is hidden
        scale = np.array([size[0] / width, size[1] / height], np.float32)
        weights = skin_weights(small.mask, target.landmarks[:, :2] * scale, 1)
        inside = weights > 0
        if float(weights.sum()) < FEWEST * 255:
            return None
        shown = weights[inside].astype(np.float32)
        ours, theirs = (
            Colors(picture[inside].astype(np.float32), shown)
            for picture in (small.crop, resized(target.crop, size, cv2.INTER_AREA))
        )
        moves = np.zeros((*size[::-1], 3), np.float32)
        moves[inside] = ITERATIVE[self._method](ours, theirs) - ours.bgr
        moves = normalize(moves, inside.astype(np.float32), MOVES_SIGMA)
        more, less = (
            resized(np.round((sign * moves).clip(0, 255)).astype(np.uint8), (width, height)) for sign in (1, -1)
        )
        return np.asarray(cv2.subtract(cv2.add(swapped.crop, more), less), np.uint8)


def _sample(swapped: SwappedFace, target: Target) -> tuple[Colors, Colors] | None:
    """Subsampled pixels of the swapped face and of the target where the mask replaces skin; None if too few."""
    step = sample_step(swapped.mask.size)
    weights = skin_weights(swapped.mask, target.landmarks, step)
    inside = weights > 0
    shown = weights[inside].astype(np.float32)
    if float(shown.sum()) < FEWEST * 255:
        return None
    ours, theirs = (picture[::step, ::step][inside].astype(np.float32) for picture in (swapped.crop, target.crop))
    return Colors(ours, shown), Colors(theirs, shown)


def sample_step(pixels: int) -> int:
    """Subsampling step, each way, for a crop of this many pixels."""
    return max(1, math.isqrt(pixels // SAMPLES))


def normalize(field: Values, inside: Values, sigma: float) -> Values:
    """Gaussian of ``field`` (h, w, 3) normalised over ``inside`` (h, w) 0 or 1; 0 far away from it."""
    weight = blurred(inside, sigma)[..., None]
    return np.asarray(blurred(field * inside[..., None], sigma) / (weight + np.float32(1e-4)), np.float32)


def _at(values: Values, color: NDArray[np.float64]) -> NDArray[np.float64]:
    """Apply a map to one colour (3,): an affine map is (3, 4), curves are (256, 3)."""
    if values.shape == (3, 4):
        return np.asarray(values[:, :3] @ color + values[:, 3], np.float64)
    return np.asarray(values[np.round(color).astype(int), range(3)], np.float64)


def _through(values: Values, crop: Image) -> Image:
    """Apply a map to every pixel, rounded and clipped to 0..255."""
    if values.shape == (3, 4):
        return np.asarray(cv2.transform(crop, values), np.uint8)
    return np.asarray(cv2.LUT(crop, np.round(values).astype(np.uint8).reshape(256, 1, 3)), np.uint8)


SLOW = ("idt", "sot")
"""More than 10 ms per face, and without a GPU version: for files."""


def _build_gpu(context: BuildContext) -> GpuFinish:
    from rtswap.compositing.finishes.color_gpu import GpuColorMatch

    return GpuColorMatch(context.swap.color)


SPEC = FinishSpec(
    "color",
    "matches the swapped face's colours to the target",
    "color",
    lambda context: ColorMatch(context.swap.color),
    _build_gpu,
    enabled=lambda context: context.swap.color not in ("light", "none"),
    flag=lambda context: f"--color {context.swap.color}",
    gpu_serves=lambda context: context.swap.color not in SLOW,
    slow=lambda context: context.swap.color in SLOW,
)
