"""What finishes have in common that limit masks by a network's answer for each face, on a GPU: when the network runs,
and what becomes of its answers. Nothing waits for the host."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtswap.compositing.finishes.occlusion import GAP_S, Turns, shares
from rtswap.core.protocols import Engine, OnDownload
from rtswap.core.types import BatchedTarget, Matrix, Quality, SwappedBatch, TargetBatch
from rtswap.gpu.batched_run import run_of
from rtswap.gpu.crops import CUT, cut_face
from rtswap.gpu.graphs import Captured
from rtswap.gpu.resample import Device, Tensor, uploaded
from rtswap.gpu.torch_import import load_torch
from rtswap.vision.crops import Shrink, sampling

torch = load_torch()


class Placed(NamedTuple):
    """A face that the network can look at."""

    row: int
    face: BatchedTarget
    matrix: Matrix
    """Crop -> network input."""


class Works(NamedTuple):
    """The computations of one device, as captured graphs."""

    cut: Captured
    answered: Captured
    laid_over: Captured
    zeros: Tensor
    unlimited: Tensor
    """What ``read_answers`` makes where nothing is in front."""


class GpuNetworkMask(ABC):
    """Implements ``protocols.GpuFinish``. ``engine`` runs the network; without ``run_on_device`` its input passes
    through the host, which waits for it. Class attributes are what finishes differ in."""

    input_size: ClassVar[tuple[int, int]]
    """(width, height) of the network's input, which is cut from the upper end of a square as wide."""
    answer_size: ClassVar[tuple[int, int]]
    """(height, width) of its answer."""
    shrink: ClassVar[Shrink]
    unlimited: ClassVar[float] = 0.0
    """Value of the mask of ``read_answers`` where nothing is in front of the face."""

    def __init__(self, engine: Engine, every_s: float = 0.0) -> None:
        self._run = run_of(engine)
        self._turns = Turns(every_s)
        self._averaged: dict[int, Tensor] = {}
        """Per track: its answer, smoothed."""
        self._masks: dict[int, Tensor] = {}
        """What was computed from it."""
        self._works: Works | None = None

    def apply_all(
        self, swapped: SwappedBatch, targets: TargetBatch, quality: Quality, on_download: OnDownload
    ) -> SwappedBatch:
        """Limit the masks. Raises EngineError, and ModelError if the network's outputs violate its contract."""
        placed = [
            Placed(row, face, matrix)
            for row, face in enumerate(targets.faces)
            if (matrix := self._place(face)) is not None
        ]
        if not placed:
            return swapped
        due = [one for one in placed if not self._turns.may_rest(one.face.track_id, one.face.time_s, quality)]
        with torch.inference_mode():
            works = self._works = self._works or self._work_on(swapped.masks.device)
            if due:
                self._look(works, due, targets)
            return SwappedBatch(swapped.crops, self._limited(works, swapped.masks, placed, targets))

    def forget(self, track_id: int) -> None:
        """Drop the state of a track that has ended."""
        self._turns.forget(track_id)
        self._averaged.pop(track_id, None)
        self._masks.pop(track_id, None)

    @abstractmethod
    def _place(self, face: BatchedTarget) -> Matrix | None:
        """Crop -> network input; None if the face's landmarks form none."""

    @abstractmethod
    def _pack(self, one: Placed) -> NDArray[np.float32]:
        """What the host knows of a face and ``read_answers`` needs, beside the ``rates``."""

    @abstractmethod
    def _ask(self, crops: Tensor, due: Sequence[Placed]) -> Tensor:
        """The network's output (N, *answer_size), valid until its next run."""

    @staticmethod
    @abstractmethod
    def read_answers(found: Tensor, last: Tensor, drawn: Tensor) -> tuple[Tensor, Tensor]:
        """Return the new average (N, *answer_size) and the mask made of it. ``found``: the network's output;
        ``last``: the average before; ``drawn``: the packed numbers, of which the last two are the rates."""

    @staticmethod
    @abstractmethod
    def limit_masks(masks: Tensor, shown: Tensor, numbers: Tensor) -> Tensor:
        """Limit the swap's masks (N, S, S) by those of ``read_answers``; ``numbers``: their places."""

    @abstractmethod
    def _limited(self, works: Works, masks: Tensor, placed: Sequence[Placed], targets: TargetBatch) -> Tensor:
        """``masks``, limited."""

    def _work_on(self, device: Device) -> Works:
        on_gpu = device.type == "cuda"
        width, height = self.input_size

        def cut(square: Tensor, numbers: Tensor, halvings: int) -> Tensor:
            return cut_face(square, numbers, halvings, width)[:height]

        return Works(
            Captured(cut, 2, on_gpu=on_gpu),
            Captured(self.read_answers, 3, on_gpu=on_gpu),
            Captured(self.limit_masks, 3, on_gpu=on_gpu),
            torch.zeros(self.answer_size, device=device),
            torch.full(self.answer_size, self.unlimited, device=device),
        )

    def _look(self, works: Works, due: Sequence[Placed], targets: TargetBatch) -> None:
        """Run the network on these faces and process its answers."""
        device, (width, height) = targets.crops.device, self.input_size
        ways = [sampling(one.matrix, one.face.size, self.shrink) for one in due]
        packed = [
            np.concatenate([way, self._pack(one), self._rates(one)]) for (way, _), one in zip(ways, due, strict=True)
        ]
        drawn = uploaded(np.stack(packed).astype(np.float32), device)
        crops = torch.empty((len(due), height, width, 3), dtype=torch.uint8, device=device)
        for crop, one, numbers, (_, halvings) in zip(crops, due, drawn, ways, strict=True):
            crop.copy_(works.cut(targets.crops[one.row], numbers[:CUT], halvings))
        last = torch.stack([self._averaged.get(one.face.track_id, works.zeros) for one in due])
        found = works.answered(self._ask(crops, due), last, drawn[:, CUT:])
        for one, averaged, mask in zip(due, *(part.clone() for part in found), strict=True):
            self._averaged[one.face.track_id], self._masks[one.face.track_id] = averaged, mask

    def _rates(self, one: Placed) -> tuple[np.float32, np.float32]:
        """The shares with which the average rises and falls."""
        passed = self._turns.looked(one.face.track_id, one.face.time_s)
        follows = 0 < passed <= GAP_S and one.face.track_id in self._averaged
        return shares(passed) if follows else (np.float32(1), np.float32(1))


def follow(now: Tensor, last: Tensor, packed: Tensor) -> Tensor:
    """Average over time (N, h, w): ``now`` and ``last``, with the rates at the end of ``packed``."""
    rise, fall = packed[:, -2:].T[:, :, None, None]
    step = now - last
    return last + (step * rise).clamp(min=0) + (step * fall).clamp(max=0)
