"""Find near duplicates: faces from the same picture again, or from the next moment of a clip."""

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


class NearDuplicates:
    """The embeddings of all stored faces, half a kilobyte each."""

    def __init__(self, embedder: Embedder, name: str, similar: float | None) -> None:
        self.name = name
        self._embedder, self._similar = embedder, USUAL[name] if similar is None else similar
        self._vectors: NDArray[np.float32] | None = None
        self._owners: list[str] = []

    def of(self, image: Image, keypoints: Points) -> NDArray[np.float32] | None:
        """Return the embedding with unit norm; None if the network cannot embed the face."""
        try:
            vector = np.asarray(self._embedder.embed(image, keypoints), np.float32)
        except SourceError:
            return None
        return vector if np.isfinite(vector).all() and vector.any() else None

    def known(self, vector: NDArray[np.float32] | None) -> bool:
        """Tell whether the cosine to any stored face is at least ``similar``."""
        if vector is None or self._vectors is None:
            return False
        return float((self._vectors @ vector).max(initial=-1.0)) >= self._similar

    def remember(self, vector: NDArray[np.float32] | None, owner: str) -> None:
        """Add a stored face; ``owner`` is the file it comes from."""
        if vector is not None:
            self._vectors = vector[None] if self._vectors is None else np.vstack([self._vectors, vector])
            self._owners.append(owner)

    def forget(self, owner: str) -> None:
        """Remove the faces of a file."""
        if self._vectors is not None:
            self._vectors = self._vectors[[name != owner for name in self._owners]]
            self._owners = [name for name in self._owners if name != owner]
