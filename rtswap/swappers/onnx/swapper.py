"""The one swapper behind every imported model: align, convert, run, convert back, mask.

A crop is placed by a family's template, and asked for at a whole multiple of the network's side, at least as large as
the face in the frame: it is averaged down for the network (sampled directly a large face would shimmer), and what
comes back is enlarged into the frame's own resolution, where the finishes work.

With ``boost`` b the network sees the crop b x b times, each time every b-th pixel, starting at another one, as one
batch if the file allows it; what comes back is interleaved again (facefusion's "pixel boost").
"""

from __future__ import annotations

import math
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

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
INSET, FEATHER = 0.05, 0.025
"""How far inside the face's outline the mask's is drawn, as a share of its size; sigma of its edge in face widths."""
MASK_STEP = 2
"""Crop pixels per pixel in which the outline is drawn."""
TARGET, SOURCE, MORPH = "target", "source", "morph_value:0"
"""Inputs by name. A DFM's picture is the first input."""


class OnnxSwapModel:
    """Implements ``protocols.SwapModel`` for one imported model. ``hull``: end the swap at the face's outline.
    ``morph``: how far a DFM's shape goes towards its own face, 0..1."""

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
    ) -> None:
        self.engine, self.entry, self.family, self.latent = engine, entry, family, latent
        self.hull, self.boost, self.morph = hull, boost, morph
        self.layout = PixelLayout(family)
        self.dtypes = {name: words.split()[0] for name, words in entry.sample.items()}
        self.shapes = {
            name: tuple(int(side) for side in words.partition(" ")[2].split("x") if side)
            for name, words in entry.sample.items()
        }
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
    """Implements ``protocols.Swapper``. ``given``: the inputs that depend on the source alone."""

    def __init__(self, model: OnnxSwapModel, given: dict[str, Tensor]) -> None:
        self._model, self._given = model, given
        tiles = model.boost**2
        self._batched = (
            given if tiles == 1 else {name: _repeated(name, value, tiles) for name, value in given.items()}
        )

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
        """Run the network. Raises EngineError, and ModelError for outputs that are no picture."""
        model, size = self._model, face.crop.shape[0]
        side = model.side * model.boost
        crop = _to_side(face.crop, side)
        picture, own = self._run(crop)
        mask = outline(face.landmarks, size) if model.hull else border(size)
        if own is not None:
            mask = np.asarray(cv2.min(mask, _to_side(own, size)), np.uint8)
        mask[[0, -1]] = mask[:, [0, -1]] = 0
        return SwappedFace(_to_side(picture, size), mask)

    def forget(self, track_id: int) -> None:
        """Nothing is remembered."""

    def _run(self, crop: Image) -> tuple[Image, Mask | None]:
        """Swap a crop (S b, S b, 3); return the picture and the network's own mask, if it makes one."""
        model, boost = self._model, self._model.boost
        tiles = split(crop, boost)
        if model.entry.batches or boost == 1:
            found = [self._outputs(tiles, self._batched)]
        else:
            found = [self._outputs([tile], self._given) for tile in tiles]
        wanted, dtypes = model.family, model.entry.outputs
        pictures = [model.layout.image(one) for part in found for one in part[dtypes[wanted.picture]]]
        masks = [
            [mask_of(one) for part in found for one in part[dtypes[number]]]
            for number in (wanted.mask, wanted.target_mask)
            if number >= 0
        ]
        own = None
        if masks:
            own = np.asarray(np.minimum.reduce([join(one, boost) for one in masks]), np.uint8)
        return join(pictures, boost), own

    def _outputs(self, tiles: list[Image], given: dict[str, Tensor]) -> dict[str, Tensor]:
        model = self._model
        taken = model.layout.tensor(tiles, model.dtypes[model.target])
        found = model.engine.run({model.target: taken, **given})
        return {name: np.asarray(value) for name, value in found.items()}


def _repeated(name: str, value: Tensor, times: int) -> Tensor:
    return value if name == MORPH else np.repeat(value, times, axis=0)


def enlarged(matrix: Matrix, times: float) -> Matrix:
    """The matrix to a crop ``times`` as large, whose blocks of pixels have the centres of the small one's pixels."""
    return np.asarray(matrix * times + np.array([0, 0, (times - 1) / 2]), np.float32)


def split(crop: Image, boost: int) -> list[Image]:
    """The crop's ``boost`` x ``boost`` interleaved pictures, by rows."""
    return [np.ascontiguousarray(crop[y::boost, x::boost]) for y in range(boost) for x in range(boost)]


def join(tiles: list[NDArray[np.uint8]], boost: int) -> NDArray[np.uint8]:
    """Interleave what ``split`` took apart."""
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


def outline(landmarks: Points, size: int) -> Mask:
    """Mask (size, size): 255 inside the face's outline, with a soft edge, fading at the crop's border."""
    small = max(1, size // MASK_STEP)
    ring = (np.clip(landmarks[OVAL, :2], -4 * size, 5 * size) + 0.5) * (small / size) - 0.5
    ring = ring.mean(0) + (1 - INSET) * (ring - ring.mean(0))
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
