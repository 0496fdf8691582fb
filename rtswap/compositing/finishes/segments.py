"""Limit the mask to the visible face, by imported maskers: XSeg (objects in front of a face) and BiSeNet (parts of a
head).

A masker gets the target, placed by its own template. Its output is blurred and its lower half cut off, as facefusion
does (an edge that is half face then ends at 0), averaged over time in that place, and limits the swap's mask.
"""

from __future__ import annotations

import cv2
import numpy as np

from rtswap.compositing.finishes.occlusion import Turns, every_s
from rtswap.compositing.finishes.temporal import TemporalAverage
from rtswap.core.errors import ModelError, NotInstalled
from rtswap.core.parts import BuildContext, FinishSpec
from rtswap.core.protocols import Engine
from rtswap.core.types import Quality, SwappedFace, Target, Tensor
from rtswap.networks.catalog import Entry, imported_models
from rtswap.networks.installed_models import names_of
from rtswap.networks.model_catalog import model_catalog
from rtswap.networks.pixel_layout import PixelLayout
from rtswap.networks.registry import not_installed
from rtswap.vision.crops import AVERAGED, cut
from rtswap.vision.geometry import inverse, keypoints_of, scale_of
from rtswap.vision.resample import blurred, warped
from rtswap.vision.templates import placement

FAMILIES = ("xseg", "bisenet")
"""Values of ``--mask`` that are families of maskers."""
FACE = (1, 2, 3, 4, 5, 10, 11, 12, 13)
"""BiSeNet's classes that are replaced: skin, brows, eyes, nose, mouth and lips. Glasses (6) stay the target's."""
BLUR = 5.0
"""Sigma in pixels of the blur of the masker's output."""
SMOOTH_S = 0.05
"""Time constant of the average."""


class SegmentMask:
    """Implements ``protocols.Finish`` with one masker, which runs at most every ``every_s`` seconds of the stream; in
    between its last output moves with the face."""

    def __init__(self, engine: Engine, entry: Entry, every_s: float = 0.0) -> None:
        self._family = family = model_catalog().family_of(entry.family, entry.known)
        self._engine, self._layout = engine, PixelLayout(family)
        (self._input, zeros), *_ = entry.zeros().items()
        self._dtype, self._side, self._output = zeros.dtype, zeros.shape[2], entry.outputs[0]
        self._turns, self._answers = Turns(every_s), TemporalAverage(SMOOTH_S)

    def apply(self, swapped: SwappedFace, target: Target, quality: Quality) -> SwappedFace:
        """Limit the mask. Raises EngineError, and ModelError for an output that is not a mask."""
        matrix = placement(keypoints_of(target.landmarks), self._family.template, self._side)
        if not np.isfinite(matrix).all() or not scale_of(matrix) > 0:
            return swapped
        answer = self._answers.last(target.track_id)
        if answer is None or not self._turns.may_rest(target.track_id, target.time_s, quality):
            self._turns.looked(target.track_id, target.time_s)
            answer = self._answers.follow(target.track_id, self._look(target, matrix), target.time_s)
        height, width = swapped.mask.shape
        seen = warped(np.round(answer).astype(np.uint8), inverse(matrix), (width, height))
        return SwappedFace(swapped.crop, np.asarray(cv2.min(swapped.mask, seen), np.uint8))

    def forget(self, track_id: int) -> None:
        """Drop the state of a track that has ended."""
        self._turns.forget(track_id)
        self._answers.forget(track_id)

    def _look(self, target: Target, matrix: np.ndarray) -> np.ndarray:
        """Return (S, S) 0..255: how much of the face is visible."""
        view = cut(target.crop, matrix, self._side, AVERAGED)
        output = np.asarray(self._engine.run({self._input: self._layout.tensor([view], self._dtype)})[self._output])[
            0
        ]
        if not np.isfinite(output).all():
            raise ModelError(
                f"{self._family.title} returns no mask", expected="numbers", got="values that are not finite"
            )
        share = _parts(output) if self._family.classes else np.squeeze(output).astype(np.float32)
        soft = blurred(np.clip(share, 0, 1).astype(np.float32), BLUR)
        return np.asarray(np.clip(soft - 0.5, 0, 0.5) * 510, np.float32)


def _parts(output: Tensor) -> np.ndarray:
    """Return 1 where the most likely class (C, S, S) belongs to the face."""
    return np.isin(output.argmax(0), FACE).astype(np.float32)


def masker_of(family: str) -> Entry:
    """Return the user's best model of a family. Raises NotInstalled."""
    names = names_of("masker", family)
    if not names:
        known = next(name for name, model in model_catalog().models.items() if model.family == family)
        error = not_installed(known)
        raise NotInstalled(f"--mask {family}: {error.what}", do=error.do)
    return imported_models()[names[0]]


def _spec(family: str) -> FinishSpec:
    def networks(context: BuildContext) -> tuple[str, ...]:
        return (masker_of(family).name,) if family in context.mask.masks else ()

    def build(context: BuildContext) -> SegmentMask:
        entry = masker_of(family)
        return SegmentMask(context.engines[entry.name], entry, every_s(context))

    return FinishSpec(
        family,
        "limits the swap to the face as segmented by an imported model",
        "mask",
        build,
        enabled=lambda context: family in context.mask.masks,
        flag=lambda context: f"--mask {family}",
        networks=networks,
        slow=lambda context: True,
    )


SPEC = tuple(map(_spec, FAMILIES))
