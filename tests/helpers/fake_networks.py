"""The refiner on GPU and host, with a fake network whose output depends on all inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import torch
from gpu_faces import batch_of
from people import person

from rtswap.core.types import Quality, SwappedBatch, SwappedFace, Target, TargetBatch, Tensor
from rtswap.swappers.mesh.gpu import GpuMeshSwapModel
from rtswap.swappers.mesh.swapper import MeshSwapModel
from rtswap.swappers.refiner.crop_view import CELLS
from rtswap.swappers.refiner.gpu import GpuRefinerSwapModel, GpuRefinerSwapper
from rtswap.swappers.refiner.swapper import RefinerSwapper

LEVELS = 2
"""Of 255: how far host and device may be apart."""


@dataclass
class Generator:
    """Returns values that depend on every input, row by row, on the host and on the device."""

    lift: float = 0.0
    """Of the gains' logarithms."""
    asked: list[dict[str, Tensor]] = field(default_factory=list)
    name: str = "generator"

    def run(self, inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        self.asked.append({name: value.copy() for name, value in inputs.items()})
        composite, lowered, mask = (cells(inputs[name]) for name in ("composite", "lowered", "mask"))
        told = (lowered - composite) / 600 + 0.1 * mask[..., None] / 255
        return {"gains": np.exp(self.lift + told).astype(np.float32)}

    def run_on_device(self, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        return {name: torch.from_numpy(one) for name, one in self.run(as_arrays(inputs)).items()}


def cells(planes: Tensor) -> Tensor:
    """Means of the cells that a gain belongs to."""
    side = planes.shape[1] // CELLS
    tiles = planes.astype(np.float32).reshape(len(planes), CELLS, side, CELLS, side, *planes.shape[3:])
    return np.asarray(tiles.mean((2, 4)))


def as_arrays(inputs: Mapping[str, Any]) -> dict[str, Tensor]:
    return {name: tensor.numpy() for name, tensor in inputs.items()}


class Given:
    """Returns what the GPU's ``mesh`` made, so that only the refiner's part is compared."""

    def __init__(self) -> None:
        self.next: SwappedFace | None = None

    def swap(self, face: Target, quality: Quality) -> SwappedFace:
        assert self.next is not None
        return SwappedFace(self.next.crop.copy(), self.next.mask.copy())

    def view(self, landmarks: Any, max_px: int) -> Any: ...

    def forget(self, track_id: int) -> None: ...


@cache
def mesh() -> Any:
    """ada's."""
    return GpuMeshSwapModel(MeshSwapModel(), "cpu").bind(person("ada"))


class Bound:
    """A model whose source is bound already."""

    def bind(self, source: Any) -> Any:
        for track in range(9):
            mesh().forget(track)
        return mesh()


def bind(generator: Any) -> GpuRefinerSwapper:
    found = GpuRefinerSwapModel(Bound(), generator).bind(person("ada"))
    assert isinstance(found, GpuRefinerSwapper)
    return found


class Both:
    """The device's swapper and the host's, over the same ``mesh`` and the same network."""

    def __init__(self, **wanted: float) -> None:
        self.there, self.here = Generator(**wanted), Generator(**wanted)
        self.base = Given()
        self.host = RefinerSwapper(self.base, self.here)  # type: ignore[arg-type]
        self.below: list[SwappedBatch] = []
        recorded: Any = Recorded(Bound().bind(None), self.below)
        self.device = GpuRefinerSwapper(recorded, self.there)

    def compare(self, faces: list[Target], quality: Quality | None = None) -> SwappedBatch:
        """Compare pixels of the crops and of what lies beyond, and the networks' inputs."""
        quality, before = quality or Quality(), (len(self.there.asked), len(self.here.asked))
        targets = batch_of(faces)
        kept = targets.crops.clone()
        found = self.device.swap_all(targets, quality)
        assert torch.equal(targets.crops, kept)
        below = self.below[-1]
        assert torch.equal(found.masks, below.masks)
        for index, face in enumerate(faces):
            height, width = face.crop.shape[:2]
            crops, masks = (one[index].numpy() for one in (below.crops, below.masks))
            self.base.next = SwappedFace(crops[:height, :width], masks[:height, :width])
            wanted = self.host.swap(face, quality)
            crop, mask = found.crops[index].numpy(), found.masks[index].numpy()
            assert apart(crop[:height, :width], wanted.crop) <= LEVELS
            assert apart(mask[:height, :width], wanted.mask) <= LEVELS
            assert not mask[:height, :width][masks[:height, :width] == 0].any()
            assert not mask[height:].any()
            assert not mask[:, width:].any()
        if len(self.here.asked) == before[1] + len(faces):  # no face was left out
            for name in ("composite", "mask"):
                theirs, ours = (
                    np.concatenate([one[name][: len(faces)] for one in generator.asked[begin:]])
                    for generator, begin in zip((self.there, self.here), before, strict=True)
                )
                assert apart(theirs[: len(faces)], ours) <= LEVELS, name
                assert theirs.dtype == ours.dtype == np.uint8
        return found


class Recorded:
    def __init__(self, swapper: Any, below: list[SwappedBatch]) -> None:
        self._swapper, self._below = swapper, below

    def __getattr__(self, name: str) -> Any:
        return getattr(self._swapper, name)

    def swap_all(self, targets: TargetBatch, quality: Quality) -> SwappedBatch:
        found = self._swapper.swap_all(targets, quality)
        self._below.append(SwappedBatch(found.crops.clone(), found.masks.clone()))
        return self._below[-1]


def apart(first: Tensor, second: Tensor) -> int:
    return int(np.abs(first.astype(int) - second).max())
