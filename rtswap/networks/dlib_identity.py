"""Identity vectors from dlib's ResNet, on a crop placed by the five keypoints."""

from __future__ import annotations

from importlib import resources

import numpy as np
from numpy.typing import NDArray

from rtswap.core.errors import SourceError
from rtswap.core.protocols import Engine
from rtswap.core.types import Image, Points
from rtswap.vision.crops import AVERAGED, cut
from rtswap.vision.geometry import similarity

SIDE = 150
TEMPLATE: Points = (
    (
        np.array(
            [[0.2255, 0.2160], [0.7548, 0.2160], [0.4901, 0.5156], [0.2541, 0.7802], [0.7261, 0.7802]],
            np.float32,
        )
        + np.float32(0.25)
    )
    / np.float32(1.5)
    * np.float32(SIDE)
)
"""(5, 2) keypoints in dlib's crop: its 68-point mean face with a padding of a quarter on each side."""


class DlibEmbedder:
    """Implements ``protocols.Embedder``: 128 numbers of unit length; the cosine of two is about 0 for strangers and
    above 0.5 for one person.

    All of dlib's embeddings share a large component (raw cosines between strangers are about 0.8); their mean over
    2,011 people who do not exist is subtracted (``assets/dlib_mean.npy``).
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        with resources.files("rtswap").joinpath("assets/dlib_mean.npy").open("rb") as file:
            self._mean: NDArray[np.float32] = np.load(file, allow_pickle=False)

    def embed(self, image: Image, keypoints: Points) -> NDArray[np.float32]:
        """Embedding (128,) of unit norm. Raises SourceError if the keypoints coincide, EngineError."""
        raw = self.raw(image, keypoints) - self._mean
        length = float(np.linalg.norm(raw))
        if not np.isfinite(length) or length < 1e-6:
            raise SourceError("the identity network returned no embedding for this face", do="Use another photo.")
        return raw / np.float32(length)

    def raw(self, image: Image, keypoints: Points) -> NDArray[np.float32]:
        """Embedding (128,) as dlib returns it. Raises SourceError if the keypoints coincide, EngineError."""
        if not np.isfinite(keypoints).all() or np.ptp(keypoints, axis=0).max() < 1:
            raise SourceError("the face's keypoints coincide", got=str(np.round(keypoints).tolist()))
        matrix = similarity(keypoints.astype(np.float64), TEMPLATE.astype(np.float64))
        crop = cut(image, matrix, SIDE, AVERAGED, zero=True)
        return np.array(self._engine.run({"image": crop[None]})["embedding"][0], np.float32)
