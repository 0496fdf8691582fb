"""The source data that an imported swapper receives: computed once, in ``bind``."""

from __future__ import annotations

import numpy as np

from rtswap.core.errors import ModelError
from rtswap.core.protocols import Engine
from rtswap.core.types import SourceIdentity, Tensor
from rtswap.networks.model_catalog import Family
from rtswap.networks.pixel_layout import PixelLayout
from rtswap.swappers.onnx.crops import aligned_photo

UNIT, RAW = "arcface", "arcface-raw"
"""Identity spaces: ArcFace's embedding at unit length, and at its original length."""


class Latent:
    """A family's map from a source to the inputs of its networks. ``engine``: inswapper's own map, or the converter
    from ArcFace's embedding to the family's."""

    def __init__(self, family: Family, engine: Engine | None = None) -> None:
        self._family, self._engine = family, engine

    def of(self, source: SourceIdentity, like: Tensor) -> Tensor:
        """Return the input, of the type of ``like``: (1, 512), or (1, 3, S, S) for a family that takes a crop of the
        photo. Raises SourceError, NotInstalled, ModelError, EngineError."""
        family = self._family
        if family.identity == "crop":
            # The photo is given as colours 0..1, whatever the target is given as.
            plain = PixelLayout(Family(family.name, family.kind, family.title, layout=family.layout))
            crop, _ = aligned_photo(source.portrait, source.landmarks, family.source_template, like.shape[-1])
            return plain.tensor([crop], like.dtype)
        vector = source.identity(RAW if family.converter else UNIT)[None]
        if self._engine is not None:
            outputs = self._engine.run({"input": np.ascontiguousarray(vector, np.float32)})
            vector = next(iter(outputs.values()))
        length = float(np.linalg.norm(vector))
        if vector.shape != (1, 512) or not np.isfinite(length) or length < 1e-6:
            got = f"{vector.shape} of length {length:.3g}"
            raise ModelError(f"the source has no latent for {family.title}", expected="(1, 512)", got=got)
        return np.array(vector / length if family.unit else vector, like.dtype)
