"""The one swapper behind every imported model: align, convert, run, convert back, mask.

A crop is placed by a family's template, and requested at a whole multiple of the network's side, at least as large as
the face in the frame: it is averaged down for the network (sampling a large face directly would shimmer), and the
result is enlarged to the frame's own resolution, at which the finishes work. With ``boost`` b the network gets the
crop b x b times, each time every b-th pixel, starting at another one, as one batch if the file allows it; the results
are interleaved again (facefusion's "pixel boost").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from rtswap.core.errors import EngineError
from rtswap.core.protocols import Engine, Swapper
from rtswap.core.types import Image, Mask, Matrix, Points, Quality, SourceIdentity, SwappedFace, Target, Tensor
from rtswap.networks.catalog import Entry
from rtswap.networks.model_catalog import Family
from rtswap.networks.pixel_layout import PixelLayout, mask_of
from rtswap.swappers.onnx.crops import COVERAGE, aligned_view, join, split, swap_mask, to_side
from rtswap.swappers.onnx.identity import Latent

TARGET, SOURCE, MORPH = "target", "source", "morph_value:0"
"""Inputs by name. The picture of a DFM is its first input."""
MOST_TILES = 16
"""Pictures in one run: as many as a plan is built for."""
Tile = tuple[Image, Mapping[str, Tensor]]
"""A picture for the network, and the inputs from the source."""
T = TypeVar("T")


class OnnxSwapModel:
    """Implements ``protocols.SwapModel`` for one imported model. ``hull``: end the swap at the face's outline.
    ``morph``: how far a DFM changes the shape towards its own face, 0..1. ``coverage``: side of the swap, as a share
    of the outline's."""

    def __init__(
        self,
        engine: Engine,
        entry: Entry,
        family: Family,
        latent: Latent,
        *,
        hull: bool = True,
        boost: int = 1,
        morph: float = 0.75,
        coverage: float = COVERAGE,
    ) -> None:
        self.engine, self.entry, self.family, self.latent = engine, entry, family, latent
        self.coverage, self.boost, self.morph = coverage if hull else None, boost, morph
        self.layout = PixelLayout(family)
        self.inputs = entry.zeros()
        self.batches = entry.batches
        self.target = TARGET if TARGET in entry.sample else next(iter(entry.sample))
        self.side = self.inputs[self.target].shape[2]

    def bind(self, source: SourceIdentity) -> Swapper:
        """Compute the latent, once. Raises SourceError, NotInstalled, ModelError, EngineError."""
        given: dict[str, Tensor] = {}
        if SOURCE in self.entry.sample and self.family.identity != "none":
            given[SOURCE] = self.latent.of(source, self.inputs[SOURCE])
        if MORPH in self.entry.sample:
            given[MORPH] = np.full_like(self.inputs[MORPH], self.morph)
        return OnnxSwapper(self, given)


class OnnxSwapper:
    """Implements ``protocols.BatchSwapper``. ``given``: the inputs that depend only on the source."""

    def __init__(self, model: OnnxSwapModel, given: dict[str, Tensor]) -> None:
        self._model, self.given = model, given

    @property
    def batch(self) -> OnnxSwapModel | None:
        """The model, if its file takes several pictures at once."""
        return self._model if self._model.batches else None

    def view(self, landmarks: Points, max_px: int) -> tuple[Matrix, tuple[int, int]]:
        """The crop of the family's template, at a multiple of the network's side."""
        model = self._model
        return aligned_view(landmarks, model.family.template, model.side, max_px, boost=model.boost)

    def swap(self, face: Target, quality: Quality) -> SwappedFace:
        """Run the network. Raises EngineError, and ModelError for outputs that are not images."""
        return self.swap_together([(self, face)], quality)[0]

    def swap_together(self, faces: Sequence[tuple[Swapper, Target]], quality: Quality) -> list[SwappedFace]:
        """Swap each face with its own source, in as few runs as the file allows. Raises as ``swap``."""
        model = self._model
        crops = [to_side(face.crop, model.side * model.boost) for _, face in faces]
        tiles = [
            (tile, of.given)
            for crop, (of, _) in zip(crops, faces, strict=True)
            if isinstance(of, OnnxSwapper)
            for tile in split(crop, model.boost)
        ]
        pictures, masks = self._run(tiles)
        together = zip(faces, pictures, masks, strict=True)
        return [self._finished(face, picture, own) for (_, face), picture, own in together]

    def _finished(self, face: Target, picture: Image, own: Mask | None) -> SwappedFace:
        """Return the result in the face's own resolution. ``own``: the network's mask."""
        size, limits = face.crop.shape[0], () if own is None else (own,)
        return SwappedFace(to_side(picture, size), swap_mask(face, size, self._model.coverage, *limits))

    def forget(self, track_id: int) -> None:
        """There is no state."""

    def _run(self, tiles: Sequence[Tile]) -> tuple[list[Image], list[Mask | None]]:
        """Swap all tiles; return each crop's picture, and the network's own mask if it has one."""
        model, family, each = self._model, self._model.family, self._model.boost**2
        found: list[Mapping[str, Tensor]] = []
        for part in _parts(tiles, MOST_TILES if model.batches else 1):
            try:
                found.append(self._outputs(part))
            except EngineError:
                if len(part) == 1:
                    raise
                model.batches = False  # the file says that it takes several, and does not
                found += [self._outputs([tile]) for tile in part]

        def gathered(number: int) -> list[Tensor]:
            return [one for outputs in found for one in np.asarray(outputs[model.entry.outputs[number]])]

        def joined(made: list[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
            return [join(part, model.boost) for part in _parts(made, each)]

        pictures = joined([model.layout.image(one) for one in gathered(family.picture)])
        numbers = [number for number in (family.mask, family.target_mask) if number >= 0]
        limits = [joined([mask_of(one) for one in gathered(number)]) for number in numbers]
        if not limits:
            return pictures, [None] * len(pictures)
        return pictures, [np.asarray(np.minimum.reduce(masks), np.uint8) for masks in zip(*limits, strict=True)]

    def _outputs(self, tiles: Sequence[Tile]) -> Mapping[str, Tensor]:
        """Run the network once."""
        model = self._model
        taken = {
            model.target: model.layout.tensor([picture for picture, _ in tiles], model.inputs[model.target].dtype)
        }
        for name, value in tiles[0][1].items():
            alone = len(tiles) == 1 or name == MORPH
            taken[name] = value if alone else np.concatenate([given[name] for _, given in tiles])
        return model.engine.run(taken)


def _parts(values: Sequence[T], length: int) -> list[Sequence[T]]:
    return [values[begin : begin + length] for begin in range(0, len(values), length)]
