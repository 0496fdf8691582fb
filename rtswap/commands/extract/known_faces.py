"""The embeddings of all stored faces: to find near duplicates, and to group the faces by person."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from rtswap.core.errors import SourceError
from rtswap.core.protocols import Embedder
from rtswap.core.types import Image, Points

USUAL = MappingProxyType({"dlib": 0.95, "rtswap": 0.985})
"""Network -> cosine at which two faces count as duplicates. Our network was trained to ignore pose, so its limit is
higher. Of 24 frames half a second apart, of a head that turns and speaks, 13 (dlib) and 6 (rtswap) remain."""
_FIRST = 256
"""Embeddings that there is room for at first."""


class KnownFaces:
    """Half a kilobyte per face. Embeddings are computed from stored pictures, so that a run that continues another
    comes to the same result."""

    def __init__(self, embedder: Embedder, name: str, similar: float | None) -> None:
        self.name = name
        self._embedder, self._similar = embedder, USUAL[name] if similar is None else similar
        self._vectors: NDArray[np.float32] = np.zeros((0, 0), np.float32)
        self.files: list[str] = []
        """Pictures of the faces, in the order in which they were remembered."""

    @property
    def vectors(self) -> NDArray[np.float32]:
        """(N, D) of unit length, one for each of ``files``."""
        return self._vectors[: len(self.files)]

    def of(self, picture: Image, keypoints: Points) -> NDArray[np.float32] | None:
        """Return the embedding with unit norm; None if the network cannot embed the face."""
        try:
            vector = np.asarray(self._embedder.embed(picture, keypoints), np.float32)
        except SourceError:
            return None
        return vector if np.isfinite(vector).all() and vector.any() else None

    def known(self, vector: NDArray[np.float32] | None) -> bool:
        """Tell whether the cosine to any stored face is at least ``similar``."""
        if vector is None or not self.files:
            return False
        return float((self.vectors @ vector).max()) >= self._similar

    def remember(self, vector: NDArray[np.float32] | None, file: str) -> None:
        """Add a stored face."""
        if vector is None:
            return
        count = len(self.files)
        if count == len(self._vectors):
            grown = np.zeros((max(_FIRST, 2 * count), len(vector)), np.float32)
            grown[:count] = self.vectors if count else 0
            self._vectors = grown
        self._vectors[count] = vector
        self.files.append(file)
