"""Whose face is it? Networks that judge, and how often the nearest of all sources is the right one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtswap.app.networks import FaceModels
from rtswap.core.errors import ModelError, SourceError
from rtswap.core.protocols import Embedder
from rtswap.core.types import Image, Points
from rtswap.vision.geometry import keypoints_of

Vector = NDArray[np.float32]


@dataclass(frozen=True)
class IdentityJudge:
    """A network that tells who somebody is, by the cosine of two vectors: about 0 for strangers."""

    name: str
    weak: bool
    """True: it is not made for that, and its word alone says little."""
    embedder: Embedder

    def look(self, image: Image, mesh: Points) -> Vector | None:
        """A vector of unit length; None where it can tell nothing."""
        try:
            vector = np.asarray(self.embedder.embed(image, keypoints_of(mesh)), np.float32)
        except SourceError:
            return None
        return vector if np.isfinite(vector).all() and abs(float(np.linalg.norm(vector)) - 1) < 0.01 else None


def identity_judges(models: FaceModels, embedder: Embedder | None) -> list[IdentityJudge]:
    """The one that counts first. ``embedder``: dlib's, where the extra ``identity`` is installed. Raises ModelError
    where there is none at all."""
    judges = []
    if embedder is not None:
        judges.append(IdentityJudge("dlib's face recognition ResNet, centred", False, embedder))
    if models.recogniser is not None:
        judges.append(IdentityJudge("rtswap's own recognition network", True, models.recogniser))
    if not judges:
        raise ModelError(
            "there is no network to judge identity", do="Run: pip install 'rtswap[identity]', or add --follow person."
        )
    return judges


def cosine(one: Vector | None, other: Vector | None) -> float:
    """NaN where one of them is not known."""
    return float(one @ other) if one is not None and other is not None else float("nan")


def retrieval(found: Sequence[Vector | None], expected: Sequence[int], gallery: Sequence[Vector | None]) -> float:
    """Share of ``found`` whose nearest in the gallery is number ``expected``. A face in which nobody is seen is not
    retrieved. NaN for none."""
    right = []
    for vector, number in zip(found, expected, strict=True):
        near = [cosine(one, vector) for one in gallery]
        right.append(not np.isnan(near[number]) and int(np.nanargmax(near)) == number)
    return float(np.mean(right)) if right else float("nan")
