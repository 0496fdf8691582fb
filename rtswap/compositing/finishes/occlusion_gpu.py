"""Keep occluders in front of the swap, on a GPU: ``occlusion``, which explains the method.

The host draws everything that depends only on landmarks; the network's answers stay on the GPU.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtswap.compositing.finishes.occlusion import (
    BELIEVED,
    BENEFIT,
    FEATHER,
    GAP_S,
    HALF,
    OPEN,
    SHUT,
    SPECK,
    STEP,
    WITHDRAWN,
    Turns,
    benefit_of,
    coarse_places,
    midst_of,
    places,
    shares,
)
from rtswap.compositing.finishes.parts_gpu import limited
from rtswap.compositing.finishes.regions_gpu import Islands
from rtswap.core.protocols import Engine, OnDownload
from rtswap.core.types import BatchedTarget, Matrix, Points, Quality, SwappedBatch, TargetBatch
from rtswap.gpu.batched_run import Run, run_batched, run_of
from rtswap.gpu.crops import CUT, halve, pixels_seen
from rtswap.gpu.graphs import Captured
from rtswap.gpu.resample import Device, Tensor, bilinear, rounded, uploaded
from rtswap.gpu.torch_import import load_torch
from rtswap.networks.occlusion import ANSWER, SHRINK, SIZE, guide, place
from rtswap.vision.crops import sampling
from rtswap.vision.geometry import transform

torch = load_torch()


class _Placed(NamedTuple):
    row: int
    face: BatchedTarget
    matrix: Matrix
    """Crop -> network input."""
    points: Points


class GpuOcclusionMask:
    """Implements ``protocols.GpuFinish``. ``engine`` runs the network of ``occlusion_model``; without
    ``run_on_device`` its crops pass through the host, which waits for them."""

    def __init__(self, engine: Engine, every_s: float = 0.0) -> None:
        self._run = run_of(engine)
        self._turns = Turns(every_s)
        self._hidden: dict[int, Tensor] = {}
        """Per track: the smoothed answer (64, 64)."""
        self._opened: dict[int, Tensor] = {}
        self._works: _Works | None = None

    def apply_all(
        self, swapped: SwappedBatch, targets: TargetBatch, quality: Quality, on_download: OnDownload
    ) -> SwappedBatch:
        """``OcclusionMask.apply``. Raises EngineError, and ModelError if the network's outputs violate its
        contract."""
        placed = [one for row, face in enumerate(targets.faces) if (one := _place(row, face)) is not None]
        if not placed:
            return swapped
        due = [one for one in placed if not self._turns.may_rest(one.face.track_id, one.face.time_s, quality)]
        with torch.inference_mode():
            works = self._works = self._works or _Works(swapped.masks.device)
            if due:
                self._look(works, due, targets)
            opened = [works.all_open] * len(targets.faces)
            for one in placed:
                opened[one.row] = self._opened[one.face.track_id]
            numbers = uploaded(_lying(placed, targets), swapped.masks.device)
            masks = works.laid_over(swapped.masks, torch.stack(opened), numbers)
            return SwappedBatch(swapped.crops, masks)

    def forget(self, track_id: int) -> None:
        """Drop the state of a track that has ended."""
        self._turns.forget(track_id)
        self._hidden.pop(track_id, None)
        self._opened.pop(track_id, None)

    def _look(self, works: _Works, due: list[_Placed], targets: TargetBatch) -> None:
        """Run the network on these faces and process its answers."""
        device = targets.crops.device
        drawn = uploaded(np.stack([self._pack(one) for one in due]), device)
        guides = uploaded(np.stack([guide(one.points) for one in due]), device)
        crops = torch.empty((len(due), SIZE, SIZE, 3), dtype=torch.uint8, device=device)
        for crop, one, numbers in zip(crops, due, drawn, strict=True):
            crop.copy_(works.cut(targets.crops[one.row], numbers[:CUT], _sampling(one)[1]))
        none = torch.zeros_like(works.all_open)
        last = torch.stack([self._hidden.get(one.face.track_id, none) for one in due])
        visible = _ask(self._run, crops, guides)
        found = works.answered(visible, last, drawn[:, CUT:])
        for one, hidden, opened in zip(due, *(part.clone() for part in found), strict=True):
            self._hidden[one.face.track_id], self._opened[one.face.track_id] = hidden, opened

    def _pack(self, one: _Placed) -> NDArray[np.float32]:
        """Pack the inputs of one face: how to cut it (8 numbers); then, in cells of an answer, the benefit of the
        doubt (64 x 64), 1 in the centre of the face (64 x 64), the cells of the seen landmarks, -1 for the others
        (468); and the shares with which the average rises and falls."""
        row = np.empty(CUT + 2 * ANSWER * ANSWER + len(one.points) + 2, np.float32)
        cut, benefit, midst, asked, rates = np.split(row, np.cumsum([CUT, ANSWER**2, ANSWER**2, len(one.points)]))
        cut[:] = _sampling(one)[0]
        at, seen = places(one.points, one.face.visibility)
        benefit[:] = benefit_of(one.points, at, seen).ravel()
        midst[:] = midst_of(one.points).ravel()
        asked[:] = -1
        asked[: np.count_nonzero(seen)] = at[seen] @ np.array([1, ANSWER])
        passed = self._turns.looked(one.face.track_id, one.face.time_s)
        rates[:] = shares(passed) if 0 < passed <= GAP_S and one.face.track_id in self._hidden else 1.0
        return row


class _Works:
    """The computations of one device, as captured graphs."""

    def __init__(self, device: Device) -> None:
        on_gpu = device.type == "cuda"
        self.cut = Captured(cut, 2, on_gpu=on_gpu)
        self.answered = Captured(read_answers, 3, on_gpu=on_gpu)
        self.laid_over = Captured(limit_masks, 3, on_gpu=on_gpu)
        self.all_open = torch.full((ANSWER, ANSWER), 255.0, device=device)


def _ask(run: Run, crops: Tensor, guides: Tensor) -> Tensor:
    """The network's output (N, 64, 64), valid until its next run. Raises ModelError."""
    return run_batched("occlusion", run, {"crops": crops, "guides": guides}, "visible", (ANSWER, ANSWER))


def read_answers(visible: Tensor, last: Tensor, drawn: Tensor) -> tuple[Tensor, Tensor]:
    """Return the smoothed occlusion (N, 64, 64), and 0..255 where the swap may show. ``visible`` is the network's
    output, ``last`` the previous occlusion, ``drawn`` (N, B) without the cut's numbers."""
    count, area = len(visible), ANSWER * ANSWER
    benefit, midst = (drawn[:, k * area : (k + 1) * area].view(count, ANSWER, ANSWER) for k in range(2))
    rise, fall = drawn[:, -2:].T[:, :, None, None]
    hidden = 1 - visible.float().nan_to_num(1.0).clamp(0, 1)  # NaN: nothing is in front
    step = hidden - last
    followed = last + (step * rise).clamp(min=0) + (step * fall).clamp(max=0)
    return followed, open_mask(followed, benefit, drawn[:, 2 * area : -2].long(), midst)


def limit_masks(masks: Tensor, opened: Tensor, numbers: Tensor) -> Tensor:
    """Limit ``masks`` (N, S, S) by the answers (N, 64, 64), mapped to the crops by way of coarse grids. ``numbers``
    (N, 10): grid -> answer (6), the grid's width and height, the crop's."""
    a, b, c, d, e, f = numbers[:, :6].T[:, :, None, None]
    place = torch.arange(-(-masks.shape[1] // STEP), device=masks.device, dtype=torch.float32)
    x, y = place[None, None], place[None, :, None]
    coarse = bilinear(opened[:, None], a * x + b * y + c, d * x + e * y + f).round()[:, 0]
    return limited(masks, coarse, numbers[:, 6:8], numbers[:, 8:10])


def _lying(placed: list[_Placed], targets: TargetBatch) -> NDArray[np.float32]:
    """The ``numbers`` of ``limit_masks``; a face without a place is open everywhere."""
    numbers = np.zeros((len(targets.faces), 10), np.float32)
    numbers[:, 6:8] = 1
    numbers[:, 8:] = [face.size for face in targets.faces]
    for one in placed:
        small, to_answer = coarse_places(one.matrix, one.face.size)
        numbers[one.row, :6], numbers[one.row, 6:8] = to_answer.ravel(), small
    return numbers


def open_mask(hidden: Tensor, benefit: Tensor, asked: Tensor, midst: Tensor) -> Tensor:
    """Mask (N, 64, 64) float 0..255 from ``hidden`` 0..1: 255 = replace. ``occlusion.weigh`` and the steps after
    it; the other arguments come from ``GpuOcclusionMask._pack``."""
    hidden = _weigh(hidden, benefit, asked)
    closed = hidden > HALF
    islands = Islands(closed)
    without = islands.touching(midst == 0) & (islands.sizes() >= SPECK)
    filled = ~(Islands(~without).sizes() >= SPECK)
    share = ((hidden - OPEN) * (255 / (SHUT - OPEN))).clamp(0, 255).floor()
    edge = filled.float()[:, None] * 255
    share = torch.minimum(share, torch.nn.functional.max_pool2d(edge, 3, 1, 1)[:, 0])
    share = torch.maximum(share, -torch.nn.functional.max_pool2d(-edge, 3, 1, 1)[:, 0])
    return 255 - feather(share, FEATHER)


def _weigh(hidden: Tensor, benefit: Tensor, asked: Tensor) -> Tensor:
    hidden = hidden - BENEFIT * benefit
    counted = asked >= 0
    found = hidden.flatten(1).gather(1, asked.clamp(min=0))
    count = counted.sum(1)
    uncovered = ((found < HALF) & counted).sum(1) / count.clamp(min=1)
    uncovered = torch.where(count > 0, uncovered, 1.0)
    trust = ((uncovered - WITHDRAWN) / (BELIEVED - WITHDRAWN)).clamp(0, 1)
    return hidden * trust[:, None, None]


def feather(share: Tensor, sigma: float) -> Tensor:
    """``share`` (N, h, w), blurred by a Gaussian of five taps with replicated border, rounded."""
    taps = np.exp(-0.5 * (np.arange(-2, 3) / sigma) ** 2)
    weights = (taps / taps.sum()).tolist()
    height, width = share.shape[1:]
    around = torch.nn.functional.pad(share[:, None], (2, 2, 2, 2), mode="replicate")[:, 0]
    across = sum(weight * around[..., k : k + width] for k, weight in enumerate(weights))
    return sum(weight * across[:, k : k + height] for k, weight in enumerate(weights)).round()


def _place(row: int, face: BatchedTarget) -> _Placed | None:
    matrix = place(face.landmarks)
    if matrix is None:
        return None
    return _Placed(row, face, matrix, transform(matrix, face.landmarks[:, :2]))


def _sampling(one: _Placed) -> tuple[list[float], int]:
    return sampling(one.matrix, one.face.size, SHRINK)


def cut(square: Tensor, numbers: Tensor, halvings: int) -> Tensor:
    """The network's view (128, 128, 3) of a crop (S, S, 3), as ``vision.crops.cut``."""
    planes = square.permute(2, 0, 1)[None].float()
    for _ in range(halvings):
        planes = halve(planes)
    return rounded(pixels_seen(planes, numbers[None], SIZE))[0].permute(1, 2, 0)
