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
from rtswap.swappers.refiner.crop_view import SIZE, ZERO
from rtswap.swappers.refiner.gpu import GpuRefinerSwapModel, GpuRefinerSwapper
from rtswap.swappers.refiner.swapper import RefinerSwapper, style_of

LEVELS = 2
"""Of 255: how far host and device may be apart."""


class Encoder:
    name = "encoder"

    def run(self, inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        return {"style": np.linspace(-9, 9, 864, dtype=np.float32)[None]}


@dataclass
class Generator:
    """Says something of all it is given, rows apart; on the host and on the device."""

    lift: float = 0.0
    kept: float = 1.0
    """Of what shows at the left; at the right it is ``least``."""
    least: float = 1.0
    asked: list[dict[str, Tensor]] = field(default_factory=list)
    name: str = "generator"

    def run(self, inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        self.asked.append({name: value.copy() for name, value in inputs.items()})
        composite, lowered, target, mask, style = (
            np.asarray(inputs[name], np.float32) for name in ("composite", "lowered", "target", "mask", "style")
        )
        made = np.empty((*mask.shape, 4), np.float32)
        told = 0.4 * (lowered - composite) + 0.1 * (target - composite)
        made[..., :3] = ZERO + self.lift + told + style[:, None, None, :3]
        made[..., 3] = np.linspace(self.kept, self.least, mask.shape[-1]) * (205 + 50 * mask / 255)
        return {"made": made}

    def run_on_device(self, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        return {name: torch.from_numpy(one) for name, one in self.run(as_arrays(inputs)).items()}


def as_arrays(inputs: Mapping[str, Any]) -> dict[str, Tensor]:
    return {name: tensor.numpy() for name, tensor in inputs.items()}


class Given:
    """What the GPU's ``mesh`` has made: so that only what the refiner adds is compared."""

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


def bound(generator: Any) -> GpuRefinerSwapper:
    found = GpuRefinerSwapModel(Bound(), Encoder(), generator).bind(person("ada"))
    assert isinstance(found, GpuRefinerSwapper)
    return found


class Both:
    """The device's swapper and the host's, over the same ``mesh`` and the same network."""

    def __init__(self, **wanted: float) -> None:
        self.there, self.here = Generator(**wanted), Generator(**wanted)
        self.base = Given()
        self.host = RefinerSwapper(self.base, self.here, Encoder().run({})["style"], SIZE)  # type: ignore[arg-type]
        self.below: list[SwappedBatch] = []
        recorded: Any = Recorded(Bound().bind(None), self.below)
        style = style_of(person("ada"), Encoder())
        assert style is not None
        self.device = GpuRefinerSwapper(recorded, self.there, style)

    def compare(self, faces: list[Target], quality: Quality | None = None) -> SwappedBatch:
        """Pixel by pixel, all of each crop and what lies beyond; and what the networks were asked."""
        quality, before = quality or Quality(), (len(self.there.asked), len(self.here.asked))
        targets = batch_of(faces)
        kept = targets.crops.clone()
        found = self.device.swap_all(targets, quality)
        assert torch.equal(targets.crops, kept)
        below = self.below[-1]
        assert (found.masks <= below.masks).all()
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
            for name in ("composite", "target", "mask"):
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
