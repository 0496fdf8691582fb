"""Restore the swapped face with an imported enhancer: GFPGAN, CodeFormer, GPEN, RestoreFormer++.

The enhancer sees the swapped face over the target, placed by its own template. What it changes is kept per face as a
difference in that place. It runs on every n-th frame; in each frame the difference is laid on by the transform of
that frame, so that it follows the face, and a new one is blended with the last, so that it does not flicker.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.parts import BuildContext, FinishSpec
from rtswap.core.protocols import Engine
from rtswap.core.types import Matrix, Quality, SwappedFace, Target
from rtswap.networks.catalog import Entry, imported_models
from rtswap.networks.model_catalog import model_catalog
from rtswap.networks.pixel_layout import PixelLayout
from rtswap.vision.crops import AVERAGED, cut
from rtswap.vision.geometry import inverse, keypoints_of, scale_of
from rtswap.vision.resample import blended, warped
from rtswap.vision.templates import placement

SMOOTH_S = 0.05
"""Time constant with which a new difference replaces the last."""
GAP_S = 0.5
"""Pause after which the last difference is dropped."""
NONE = "none"


@dataclass(slots=True)
class _Past:
    difference: NDArray[np.float32]
    """(S, S, 3) in levels."""
    ran_s: float
    frames: int = 0
    """Frames since the enhancer ran."""


class Enhance:
    """Implements ``protocols.Finish``. ``weight``: CodeFormer's. ``blend``: share of the difference that shows.
    ``every``: frames between two runs for a face."""

    def __init__(
        self, engine: Engine, entry: Entry, *, weight: float = 0.5, blend: float = 0.8, every: int = 1
    ) -> None:
        family = model_catalog().family_of(entry.family, entry.known)
        self._engine, self._template, self._blend, self._every = engine, family.template, blend, every
        self._layout, self._output = PixelLayout(family), entry.outputs[family.picture]
        (self._input, zeros), *further = entry.zeros().items()
        self._dtype, self._side = zeros.dtype, zeros.shape[2]
        self._given = {name: np.full_like(one, weight) for name, one in further}
        self._past: dict[int, _Past] = {}

    def apply(self, swapped: SwappedFace, target: Target, quality: Quality) -> SwappedFace:
        """Lay the enhancer's difference on. Raises EngineError, and ModelError for an output that is no picture."""
        matrix = placement(keypoints_of(target.landmarks), self._template, self._side)
        if not np.isfinite(matrix).all() or not scale_of(matrix) > 0:
            return swapped
        past = self._past.get(target.track_id)
        if past is not None and not 0 <= target.time_s - past.ran_s <= GAP_S:
            past = None
        if past is not None and (past.frames + 1 < self._every or not quality.match_color):
            past.frames += 1
        elif quality.match_color:
            past = self._past[target.track_id] = self._look(swapped, target, matrix, past)
        if past is None:
            return swapped
        height, width = swapped.mask.shape
        change = warped(past.difference, inverse(matrix), (width, height), zero=True)
        cv2.add(swapped.crop, change * np.float32(self._blend), dst=swapped.crop, dtype=cv2.CV_8U)
        return swapped

    def forget(self, track_id: int) -> None:
        """Drop the difference of a track that has ended."""
        self._past.pop(track_id, None)

    def _look(self, swapped: SwappedFace, target: Target, matrix: Matrix, past: _Past | None) -> _Past:
        """Run the enhancer, and blend what it changes with the last difference."""
        shown = blended(swapped.crop, np.ascontiguousarray(target.crop), swapped.mask)
        view = cut(shown, matrix, self._side, AVERAGED)
        outputs = self._engine.run({self._input: self._layout.tensor([view], self._dtype), **self._given})
        made = self._layout.image(np.asarray(outputs[self._output])[0])
        difference = made.astype(np.float32) - view
        if past is not None:
            share = np.float32(1 - math.exp(-(target.time_s - past.ran_s) / SMOOTH_S))
            difference = past.difference + share * (difference - past.difference)
        return _Past(difference, target.time_s)


def _build(context: BuildContext) -> Enhance:
    models = context.models
    return Enhance(
        context.engines[models.enhance],
        imported_models()[models.enhance],
        weight=models.enhance_weight,
        blend=models.enhance_blend,
        every=models.enhance_every,
    )


SPEC = FinishSpec(
    "enhance",
    "restores the swapped face with an imported model",
    "color",  # before the detail is matched, which then adds the target's grain
    _build,
    enabled=lambda context: context.models.enhance != NONE,
    flag=lambda context: f"--enhance {context.models.enhance}",
    networks=lambda context: () if context.models.enhance == NONE else (context.models.enhance,),
    slow=lambda context: True,
)
