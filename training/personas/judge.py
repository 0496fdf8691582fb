"""Is a persona somebody? Distances of dlib's embeddings to every shared face: below 0.6 it says the same person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtswap.app.networks import Eyes
from rtswap.core.types import Image
from rtswap.networks.dlib_identity import DlibEmbedder
from training.personas.faces import Faces


class Judged(NamedTuple):
    """Euclidean distances between raw embeddings."""

    embedding: NDArray[np.float32]
    """(128,) raw."""
    nearest: float
    """To the nearest of all shared faces."""
    nearest_name: str
    parents: float
    """To the nearest parent."""


class Judge:
    """Sees faces as the program does: its own detector places dlib's crop."""

    def __init__(self, faces: Faces, eyes: Eyes, embedder: DlibEmbedder) -> None:
        self._faces, self._eyes, self._embedder = faces, eyes, embedder

    def look(self, picture: Image, parents: Sequence[str]) -> Judged | None:
        """None where no face is found."""
        found = self._eyes.detector.detect(picture)
        if not found:
            return None
        raw = self._embedder.raw(picture, found[0].keypoints)
        distances = np.linalg.norm(self._faces.embeddings - raw, axis=1)
        nearest = int(distances.argmin())
        own = [float(distances[self._faces.names.index(parent)]) for parent in parents]
        return Judged(raw, float(distances[nearest]), self._faces.names[nearest], min(own))
