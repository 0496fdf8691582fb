"""Refuse a swapper that gives back the target's own face. A network that was hardly trained, or that is broken, may
do so: the run would show the user's real face and call it swapped. Exact copies are noticed in every frame
(``compositing.renderer``); this is for what is nearly one.
"""

from __future__ import annotations

from contextlib import nullcontext
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np

from rtswap.app.networks import FaceModels
from rtswap.core.errors import ModelError
from rtswap.core.protocols import Embedder, Renderer
from rtswap.core.types import Image, Quality, SourceIdentity, Track
from rtswap.source.personas import PREFIX
from rtswap.vision.geometry import box_of

FACES = "amara", "george"
"""The personas whose faces are swapped. They are unlike, so that hardly any source resembles both."""
UNCHANGED = 0.9
"""Cosine from which a swapped face is the target's own, in our recogniser's space, if both of ``FACES`` reach it. The
lower one of ``mesh``, DFM files and one-shot systems trained for 3 minutes is at most 0.82; that of a target with 30%
of a swap blended in at least 0.95 (five sources)."""

CHANGED = 4
"""Levels by which a pixel differs where something was swapped."""


class SwapCheck:
    """Swaps faces that are known and compares them with what they were. ``models``: those of the program."""

    def __init__(self, models: FaceModels) -> None:
        self._models = models

    def run(self, renderer: Renderer, name: str) -> None:
        """Check the only swapper of ``renderer``, which is called ``name``. Raises ModelError if every face stays its
        own. A face that cannot be swapped is covered when the program runs, so it counts as changed."""
        likeness = 1.0
        for face in self._faces:
            swapped = _swap(renderer, face)
            if swapped is None:
                return
            before = self.recogniser.embed(face.portrait, face.landmarks)
            shown = swapped, _in_colours_of(face, swapped)
            likeness = min(
                likeness, max(float(before @ self.recogniser.embed(image, face.landmarks)) for image in shown)
            )
        if likeness > UNCHANGED:
            raise ModelError(
                f"the swapper {name} does not change faces: it shows the target's own",
                expected="a face that is recognised as somebody else",
                got=f"the same person, with a similarity of {likeness:.2f} of 1",
                do="Train it longer, or use another --swapper.",
            )

    @cached_property
    def _faces(self) -> list[SourceIdentity]:
        return [self._models.load_source([Path(PREFIX + name)]) for name in FACES]

    @cached_property
    def recogniser(self) -> Embedder:
        """The network that compares faces."""
        return self._models.recogniser or self._models.spaces["rtswap"]()


def _in_colours_of(face: SourceIdentity, picture: Image) -> Image:
    """``picture``, in which what was swapped has the face's own mean and deviation of each channel there (as Reinhard
    et al. 2001, but in BGR): a copy that is only tinted is a copy."""
    swapped = (cv2.absdiff(picture, face.portrait).max(2) > CHANGED).astype(np.uint8)
    if not swapped.any():
        return picture
    (mean, spread), (own_mean, own_spread) = (cv2.meanStdDev(one, mask=swapped) for one in (picture, face.portrait))
    gain = own_spread / np.maximum(spread, 1e-3)
    matched = np.clip(np.round((picture - mean.T) * gain.T + own_mean.T), 0, 255)
    return np.asarray(np.where(swapped[..., None] > 0, matched, picture), np.uint8)


def _swap(renderer: Renderer, face: SourceIdentity) -> Image | None:
    visible = np.ones(len(face.landmarks), np.float32)
    track = Track(1, box_of(face.landmarks), np.zeros((5, 2), np.float32), face.landmarks, visible, 1.0)
    frame = renderer.begin(face.portrait.copy())
    frame.swap([(track, 0)], quality=Quality(), now=0.0, stages=lambda _: nullcontext())
    frame.paste()
    image = frame.deliver().image
    renderer.forget(track.id)
    return None if frame.verdict().bare else image
