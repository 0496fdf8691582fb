"""Identity metrics: judges that embed faces, cosine similarity, and retrieval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtswap.app.networks import FaceModels
from rtswap.core.errors import ModelError, SourceError
from rtswap.core.isolation import pip_install
from rtswap.core.protocols import Embedder
from rtswap.core.types import Image, Points
from rtswap.vision.geometry import keypoints_of

Vector = NDArray[np.float32]


@dataclass(frozen=True)
class IdentityJudge:
    """A network whose vectors identify a person by their cosine, about 0 for strangers."""

    name: str
    weak: bool
    """True if the network was not made for this and is unreliable alone."""
    embedder: Embedder

    def look(self, image: Image, mesh: Points) -> Vector | None:
        """Return the identity vector with unit length; None if the network cannot embed the face."""
        try:
            vector = np.asarray(self.embedder.embed(image, keypoints_of(mesh)), np.float32)
        except SourceError:
            return None
        return vector if np.isfinite(vector).all() and abs(float(np.linalg.norm(vector)) - 1) < 0.01 else None


def identity_judges(models: FaceModels, embedder: Embedder | None) -> list[IdentityJudge]:
    """Return the judges, most reliable first. ``embedder``: dlib's, if the extra ``identity`` is installed. Raises
    ModelError if there is none."""
    judges = []
    if embedder is not None:
        judges.append(IdentityJudge("dlib's face recognition ResNet, centred", False, embedder))
    if models.recogniser is not None:
        judges.append(IdentityJudge("rtswap's own recognition network", True, models.recogniser))
    if not judges:
        raise ModelError(
            "no network to judge identity", do=f"Run: {pip_install('rtswap[identity]')}, or add --follow person."
        )
    return judges


def cosine(one: Vector | None, other: Vector | None) -> float:
    """Return the cosine of two unit vectors; NaN if either is None."""
    return float(one @ other) if one is not None and other is not None else float("nan")


def retrieval(found: Sequence[Vector | None], expected: Sequence[int], gallery: Sequence[Vector | None]) -> float:
    """Return the share of ``found`` whose nearest gallery vector has the index ``expected``. An unknown vector counts
    as not retrieved. NaN if ``found`` is empty."""
    right = []
    for vector, number in zip(found, expected, strict=True):
        near = [cosine(one, vector) for one in gallery]
        right.append(not np.isnan(near[number]) and int(np.nanargmax(near)) == number)
    return float(np.mean(right)) if right else float("nan")
