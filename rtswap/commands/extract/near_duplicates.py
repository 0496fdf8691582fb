"""Which faces have been seen before, nearly so: the same picture again, or the next moment of a clip."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from rtswap.core.errors import SourceError
from rtswap.core.protocols import Embedder
from rtswap.core.types import Image, Points

USUAL = MappingProxyType({"dlib": 0.95, "rtswap": 0.985})
"""Cosine from which two faces are too alike, by who tells: ours was trained to overlook how a head is turned. A clip
of a head that turns and speaks gives 13 and 6 of 24 pictures half a second apart."""
_FIRST = 256
"""Room for so many vectors at first; it is doubled when they fill it."""


class NearDuplicates:
    """Remembers the embedding of every face that was kept: half a kilobyte each."""

    def __init__(self, embedder: Embedder, name: str, similar: float | None) -> None:
        self.name = name
        self._embedder, self._similar = embedder, USUAL[name] if similar is None else similar
        self._vectors: NDArray[np.float32] = np.zeros((_FIRST, 0), np.float32)
        self._count = 0
        self._owners: list[str] = []

    def of(self, image: Image, keypoints: Points) -> NDArray[np.float32] | None:
        """Unit norm; None where the network makes nothing of the face."""
        try:
            vector = np.asarray(self._embedder.embed(image, keypoints), np.float32)
        except SourceError:
            return None
        return vector if np.isfinite(vector).all() and vector.any() else None

    def known(self, vector: NDArray[np.float32] | None) -> bool:
        """Is a face that was kept as like as ``similar``?"""
        if vector is None or not self._count:
            return False
        return float((self._vectors[: self._count] @ vector).max()) >= self._similar

    def remember(self, vector: NDArray[np.float32] | None, owner: str) -> None:
        """One more that was kept; ``owner`` is the file it is from."""
        if vector is None:
            return
        if not self._vectors.shape[1]:
            self._vectors = np.zeros((_FIRST, len(vector)), np.float32)
        if self._count == len(self._vectors):
            self._vectors = np.concatenate([self._vectors, np.zeros_like(self._vectors)])
        self._vectors[self._count] = vector
        self._owners.append(owner)
        self._count += 1

    def forget(self, owner: str) -> None:
        """The faces of a file are no longer kept."""
        stay = [number for number, name in enumerate(self._owners) if name != owner]
        self._vectors[: len(stay)] = self._vectors[stay]
        self._owners, self._count = [self._owners[number] for number in stay], len(stay)
