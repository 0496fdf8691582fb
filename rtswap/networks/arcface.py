"""Identity vectors from an imported ArcFace, on the crop that its template places."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtswap.core.errors import ModelError, SourceError
from rtswap.core.protocols import Engine
from rtswap.core.types import Image, Points
from rtswap.networks.catalog import Entry
from rtswap.networks.model_catalog import model_catalog
from rtswap.networks.pixel_layout import PixelLayout
from rtswap.vision.crops import AVERAGED, cut
from rtswap.vision.templates import placement

SIDE = 112


class ArcFaceEmbedder:
    """Implements ``protocols.Embedder``: 512 numbers of unit length, or with ``raw`` of the network's own length,
    which embedding converters are given (Deng et al. 2019; the better the photo, the longer)."""

    def __init__(self, engine: Engine, entry: Entry, *, raw: bool = False) -> None:
        family = model_catalog().family_of(entry.family, entry.known)
        self._engine, self._raw, self._template = engine, raw, family.template
        self._layout = PixelLayout(family)
        (self._input, zeros), *_ = entry.zeros().items()
        self._dtype, self._output = zeros.dtype, entry.outputs[0]

    def embed(self, image: Image, keypoints: Points) -> NDArray[np.float32]:
        """Embedding (512,). Raises SourceError if the keypoints coincide, EngineError, ModelError."""
        if not np.isfinite(keypoints).all() or np.ptp(keypoints, axis=0).max() < 1:
            raise SourceError("the face's keypoints coincide", got=str(np.round(keypoints).tolist()))
        crop = cut(image, placement(keypoints, self._template, SIDE), SIDE, AVERAGED)
        found = self._engine.run({self._input: self._layout.tensor([crop], self._dtype)})[self._output]
        vector = np.array(found, np.float32).ravel()
        length = float(np.linalg.norm(vector))
        if vector.shape != (512,) or not np.isfinite(length) or length < 1e-6:
            got = f"{vector.size} of length {length:.3g}"
            raise ModelError("the identity network ArcFace returns invalid values", expected="512 numbers", got=got)
        return vector if self._raw else vector / np.float32(length)
