"""Compute the source's identity vector in the space that a swapper requests, on first use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtswap.core.errors import SourceError
from rtswap.core.protocols import Embedder, IdentitySpaces
from rtswap.core.types import Image, Points

Vector = NDArray[np.float32]


class WeighedFace(NamedTuple):
    """The face in one photo."""

    portrait: Image
    keypoints: Points
    """(5, 2) in ``portrait``."""
    weight: float
    """> 0: weight of the photo."""


class IdentityVectors:
    """Implements ``SourceIdentity.identity``: the weighted mean over a person's photos, per space.

    ``known``: vectors that are already computed. A space is opened on first use, and its vector cached.
    """

    def __init__(
        self, faces: Sequence[WeighedFace], spaces: IdentitySpaces, known: dict[str, Vector] | None = None
    ) -> None:
        self._faces, self._spaces, self._vectors = tuple(faces), spaces, dict(known or {})

    def __call__(self, space: str) -> Vector:
        """The identity vector (D,), unit norm. Raises SourceError for an unknown space or a face that the space's
        network does not find, NotInstalled, ModelError, EngineError."""
        if space not in self._vectors:
            embedder = self._open(space)
            vectors = [np.asarray(embedder.embed(face.portrait, face.keypoints), np.float32) for face in self._faces]
            self._vectors[space] = mean_vector(vectors, [face.weight for face in self._faces])
        return self._vectors[space]

    def _open(self, space: str) -> Embedder:
        if space not in self._spaces:
            raise SourceError(
                f"no identity space {space!r}",
                expected=" or ".join(sorted(self._spaces)) or "none: no identity network was given",
            )
        return self._spaces[space]()


def mean_vector(vectors: Sequence[Vector], weights: Sequence[float]) -> Vector:
    """Mean (D,) of vectors (D,), given their mean length, so that unit vectors have a unit mean; the first vector if
    they cancel out."""
    mean = np.sum([vector * weight for vector, weight in zip(vectors, weights, strict=True)], axis=0)
    length, usual = float(np.linalg.norm(mean)), np.average(np.linalg.norm(vectors, axis=1), weights=weights)
    return np.asarray(mean / length * usual if length > 1e-6 else vectors[0], np.float32)
