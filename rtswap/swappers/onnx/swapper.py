"""The one swapper behind every imported model: align, convert, run, convert back, mask.

A crop is placed by a family's template, and requested at a whole multiple of the network's side, at least as large as
the face in the frame: it is averaged down for the network (sampling a large face directly would shimmer), and the
result is enlarged to the frame's own resolution, at which the finishes work. With ``boost`` b the network gets the
crop b x b times, each time every b-th pixel, starting at another one, as one batch if the file allows it; the results
are interleaved again (facefusion's "pixel boost").
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.errors import EngineError
from rtswap.core.protocols import Engine, Swapper
from rtswap.core.types import Image, Mask, Matrix, Points, Quality, SourceIdentity, SwappedFace, Target, Tensor
from rtswap.networks.catalog import Entry
from rtswap.networks.model_catalog import Family
from rtswap.networks.pixel_layout import PixelLayout, mask_of
from rtswap.swappers.onnx.identity import Latent
from rtswap.vision.geometry import keypoints_of, scale_of
from rtswap.vision.raster import fill
from rtswap.vision.resample import blurred, resized
from rtswap.vision.templates import placement
from rtswap.vision.topology import OVAL

BORDER = 0.06
"""Width of the soft border of a crop, as a share of its side."""
COVERAGE, FEATHER = 0.95, 0.025
"""Side of the mask's outline, as a share of the face's; sigma of its edge in face widths."""
MASK_STEP = 2
"""Crop pixels per pixel in which the outline is drawn."""
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
        self.hull, self.boost, self.morph, self.coverage = hull, boost, morph, coverage
        self.layout = PixelLayout(family)
        self.dtypes = {name: words.split()[0] for name, words in entry.sample.items()}
        self.shapes = {
            name: tuple(int(side) for side in words.partition(" ")[2].split("x") if side)
            for name, words in entry.sample.items()
        }
        self.batches = entry.batches
        self.target = TARGET if TARGET in entry.sample else next(iter(entry.sample))
        self.side = self.shapes[self.target][2]

    def bind(self, source: SourceIdentity) -> Swapper:
        """Compute the latent, once. Raises SourceError, NotInstalled, ModelError, EngineError."""
        given: dict[str, Tensor] = {}
        if SOURCE in self.entry.sample and self.family.identity != "none":
            given[SOURCE] = self.latent.of(source, self.shapes[SOURCE], self.dtypes[SOURCE])
        if MORPH in self.entry.sample:
            given[MORPH] = np.full(self.shapes[MORPH], self.morph, self.dtypes[MORPH])
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
        side = self._model.side
        matrix = placement(keypoints_of(landmarks), self._model.family.template, side)
        least = side * self._model.boost
        size = min(least, max_px)
        if size == least and scale_of(matrix) > 0:
            times = math.ceil(self._model.side / scale_of(matrix) / least - 0.25)
            size = least * max(1, min(times, max_px // least))
        return enlarged(matrix, size / side), (size, size)

    def swap(self, face: Target, quality: Quality) -> SwappedFace:
        """Run the network. Raises EngineError, and ModelError for outputs that are not images."""
        return self.swap_together([(self, face)], quality)[0]

    def swap_together(self, faces: Sequence[tuple[Swapper, Target]], quality: Quality) -> list[SwappedFace]:
        """Swap each face with its own source, in as few runs as the file allows. Raises as ``swap``."""
        model = self._model
        crops = [_to_side(face.crop, model.side * model.boost) for _, face in faces]
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
        size = face.crop.shape[0]
        mask = outline(face.landmarks, size, self._model.coverage) if self._model.hull else border(size)
        if own is not None:
            mask = np.asarray(cv2.min(mask, _to_side(own, size)), np.uint8)
        mask[[0, -1]] = mask[:, [0, -1]] = 0
        return SwappedFace(_to_side(picture, size), mask)

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
        taken = {model.target: model.layout.tensor([picture for picture, _ in tiles], model.dtypes[model.target])}
        for name, value in tiles[0][1].items():
            alone = len(tiles) == 1 or name == MORPH
            taken[name] = value if alone else np.concatenate([given[name] for _, given in tiles])
        return model.engine.run(taken)


def _parts(values: Sequence[T], length: int) -> list[Sequence[T]]:
    return [values[begin : begin + length] for begin in range(0, len(values), length)]


def enlarged(matrix: Matrix, times: float) -> Matrix:
    """The matrix to a crop ``times`` as large, whose blocks of pixels have the centres of the small one's pixels."""
    return np.asarray(matrix * times + np.array([0, 0, (times - 1) / 2]), np.float32)


def split(crop: Image, boost: int) -> list[Image]:
    """The crop's ``boost`` x ``boost`` interleaved pictures, by rows."""
    return [np.ascontiguousarray(crop[y::boost, x::boost]) for y in range(boost) for x in range(boost)]


def join(tiles: Sequence[NDArray[np.uint8]], boost: int) -> NDArray[np.uint8]:
    """Interleave the pictures of ``split`` again."""
    if boost == 1:
        return tiles[0]
    height, width = tiles[0].shape[:2]
    whole = np.empty((height * boost, width * boost, *tiles[0].shape[2:]), np.uint8)
    for number, tile in enumerate(tiles):
        whole[number // boost :: boost, number % boost :: boost] = tile
    return whole


def _to_side(picture: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Resample a square to another side."""
    side = picture.shape[0]
    if side == size:
        return picture
    return resized(picture, (size, size), cv2.INTER_AREA if size < side else cv2.INTER_CUBIC)


def outline(landmarks: Points, size: int, coverage: float = COVERAGE) -> Mask:
    """Mask (size, size): 255 inside the face's outline, ``coverage`` times as large, with a soft edge, fading at the
    crop's border."""
    small = max(1, size // MASK_STEP)
    ring = (np.clip(landmarks[OVAL, :2], -4 * size, 5 * size) + 0.5) * (small / size) - 0.5
    ring = ring.mean(0) + coverage * (ring - ring.mean(0))
    drawn = np.zeros((small, small), np.uint8)
    fill(drawn, [ring.astype(np.float32)], 255)
    soft = blurred(drawn, max(0.5, FEATHER * float(np.ptp(ring[:, 0]))))
    return np.asarray(cv2.min(resized(soft, (size, size)), border(size)), np.uint8)


@cache
def _border(size: int) -> Mask:
    ramp = np.minimum(np.arange(size), np.arange(size)[::-1]) / max(1.0, BORDER * size)
    ramp = np.clip(ramp, 0, 1)
    ramp = ramp * ramp * (3 - 2 * ramp)
    return np.asarray(np.round(255 * np.minimum(ramp[:, None], ramp[None])), np.uint8)


def border(size: int) -> Mask:
    """Mask (size, size): 255 inside, falling to 0 at the border."""
    return _border(size).copy()
