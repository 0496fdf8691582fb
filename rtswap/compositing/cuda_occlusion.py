"""What is in front of the target's face stays in front of the swap, on a device: ``occlusion``, whose file says why.

The host draws what follows from landmarks alone; whatever the network has answered stays where it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtswap.captured import Captured
from rtswap.compositing.cuda_islands import Islands
from rtswap.compositing.cuda_masks import limited
from rtswap.compositing.occlusion import (
    BELIEVED,
    BENEFIT,
    FEATHER,
    GAP_S,
    HALF,
    OPEN,
    SHUT,
    SPECK,
    WITHDRAWN,
    Turns,
    coarse_places,
    midst_of,
    places,
    seen_around,
    shares,
)
from rtswap.errors import ModelError
from rtswap.occluders import ANSWER, SIZE, guide, placing
from rtswap.protocols import Engine, Later
from rtswap.tensors import Device, Tensor, bilinear, rounded, uploaded
from rtswap.torch_door import load_torch
from rtswap.types import DeviceFace, DeviceFaces, DeviceSwapped, Matrix, Points, Quality

torch = load_torch()

MOST = 16
"""Faces that are asked about at once: what plans are built for."""

Run = Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]]


class _Placed(NamedTuple):
    row: int
    face: DeviceFace
    matrix: Matrix
    """Crop -> what the network sees."""
    points: Points


class DeviceOcclusionMask:
    """Implements ``protocols.DeviceFinish``. ``engine`` runs the network of ``occluders``; without
    ``run_on_device`` its crops take a way over the host, which waits for them."""

    def __init__(self, engine: Engine, every_s: float = 0.0) -> None:
        self._run = run_of(engine)
        self._turns = Turns(every_s)
        self._hidden: dict[int, Tensor] = {}
        """Per track (64, 64), as followed so far."""
        self._opened: dict[int, Tensor] = {}
        self._open: Captured | None = None

    def apply_all(
        self, swapped: DeviceSwapped, targets: DeviceFaces, quality: Quality, later: Later
    ) -> DeviceSwapped:
        """As ``OcclusionMask.apply``. Raises EngineError, and ModelError when the network breaks its contract."""
        placed = [one for row, face in enumerate(targets.faces) if (one := _placed(row, face)) is not None]
        if not placed:
            return swapped
        due = [one for one in placed if not self._turns.may_rest(one.face.track_id, one.face.time_s, quality)]
        with torch.inference_mode():
            if due:
                self._look(due, targets)
            device = swapped.masks.device
            opened = torch.full((len(targets.faces), 1, ANSWER, ANSWER), 255.0, device=device)
            for one in placed:
                opened[one.row, 0] = self._opened[one.face.track_id]
            return DeviceSwapped(swapped.crops, self._limited(swapped.masks, opened, placed, targets))

    def forget(self, track_id: int) -> None:
        """Drop what was remembered of a track that has ended."""
        self._turns.forget(track_id)
        self._hidden.pop(track_id, None)
        self._opened.pop(track_id, None)

    def _look(self, due: list[_Placed], targets: DeviceFaces) -> None:
        device = targets.crops.device
        crops = torch.cat([_cut(targets.crops[one.row], one) for one in due])
        guides = uploaded(np.stack([guide(one.points) for one in due]), device)
        visible = _asked(self._run, crops, guides)
        hidden = 1 - visible.float().nan_to_num(1.0).clamp(0, 1)  # no number: nothing is in front
        hidden = self._followed(due, hidden)
        self._open = self._open or Captured(opened_of, 4, on_gpu=device.type == "cuda")
        opened = self._open(hidden, *_drawn(due, device)).clone()  # what is captured lives until the next call
        for one, followed, open_ in zip(due, hidden, opened, strict=True):
            self._hidden[one.face.track_id], self._opened[one.face.track_id] = followed, open_

    def _followed(self, due: list[_Placed], hidden: Tensor) -> Tensor:
        """The average over time: quick to rise, slower to fall."""
        rates = np.ones((len(due), 2), np.float32)
        for rate, one in zip(rates, due, strict=True):
            passed = self._turns.looked(one.face.track_id, one.face.time_s)
            if 0 < passed <= GAP_S:
                rate[:] = shares(passed)
        last = torch.stack([self._hidden.get(one.face.track_id, now) for one, now in zip(due, hidden, strict=True)])
        rise, fall = uploaded(rates, hidden.device).T[:, :, None, None]
        step = hidden - last
        return last + (step * rise).clamp(min=0) + (step * fall).clamp(max=0)

    def _limited(self, masks: Tensor, opened: Tensor, placed: list[_Placed], targets: DeviceFaces) -> Tensor:
        """The answers as they lie over the crops: on coarse grids first."""
        grids = np.ones((len(targets.faces), 2), np.float32)
        turns = np.zeros((len(targets.faces), 6), np.float32)
        for one in placed:
            small, to_answer = coarse_places(one.matrix, one.face.size)
            grids[one.row], turns[one.row] = small, to_answer.ravel()
        a, b, c, d, e, f = uploaded(turns, masks.device).T[:, :, None, None]
        place = torch.arange(int(grids.max()), device=masks.device, dtype=torch.float32)
        x, y = place[None, None], place[None, :, None]
        coarse = bilinear(opened, a * x + b * y + c, d * x + e * y + f).round()[:, 0]
        return limited(masks, coarse, uploaded(grids, masks.device), targets)


def _asked(run: Run, crops: Tensor, guides: Tensor) -> Tensor:
    """(N, 64, 64) what the network says. Few shapes come up: batches are powers of two. Raises ModelError."""
    found = []
    for begin in range(0, len(crops), MOST):
        count = min(MOST, len(crops) - begin)
        rows = [min(row, count - 1) + begin for row in range(1 << (count - 1).bit_length())]  # the last one repeated
        batch = {
            name: torch.stack([one[row] for row in rows]) for name, one in (("crops", crops), ("guides", guides))
        }
        visible, shape = run(batch).get("visible"), (len(rows), ANSWER, ANSWER)
        if visible is None or tuple(visible.shape) != shape:
            got = "nothing" if visible is None else str(tuple(visible.shape))
            raise ModelError("the occlusion network's output 'visible' is wrong", expected=str(shape), got=got)
        found.append(visible[:count].clone())  # it lives until the next run
    return torch.cat(found)


def run_of(engine: Engine) -> Run:
    """The engine for tensors on a device."""
    there: Run | None = getattr(engine, "run_on_device", None)
    if there is not None:
        return there

    def over_the_host(inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        device = inputs["crops"].device
        found = engine.run({name: tensor.cpu().numpy() for name, tensor in inputs.items()})
        return {name: uploaded(values, device) for name, values in found.items()}

    return over_the_host


def opened_of(hidden: Tensor, benefit: Tensor, asked: Tensor, midst: Tensor) -> Tensor:
    """(N, 64, 64) float 0..255 of ``hidden`` 0..1: 255 = replace. ``occlusion.weighed`` and what follows there; the
    others are ``_drawn``'s."""
    hidden = _weighed(hidden, benefit, asked)
    closed = hidden > HALF
    islands = Islands(closed)
    without = islands.touching(midst == 0) & (islands.sizes() >= SPECK)
    filled = ~(Islands(~without).sizes() >= SPECK)
    share = ((hidden - OPEN) * (255 / (SHUT - OPEN))).clamp(0, 255).floor()
    edge = filled.float()[:, None] * 255
    share = torch.minimum(share, torch.nn.functional.max_pool2d(edge, 3, 1, 1)[:, 0])
    share = torch.maximum(share, -torch.nn.functional.max_pool2d(-edge, 3, 1, 1)[:, 0])
    return 255 - _feathered(share)


def _weighed(hidden: Tensor, benefit: Tensor, asked: Tensor) -> Tensor:
    hidden = hidden - BENEFIT * benefit
    counted = asked >= 0
    found = hidden.flatten(1).gather(1, asked.clamp(min=0))
    count = counted.sum(1)
    uncovered = ((found < HALF) & counted).sum(1) / count.clamp(min=1)
    uncovered = torch.where(count > 0, uncovered, 1.0)
    trust = ((uncovered - WITHDRAWN) / (BELIEVED - WITHDRAWN)).clamp(0, 1)
    return hidden * trust[:, None, None]


def _feathered(share: Tensor) -> Tensor:
    """A Gaussian of five taps, the border continued."""
    taps = np.exp(-0.5 * (np.arange(-2, 3) / FEATHER) ** 2)
    weights = (taps / taps.sum()).tolist()
    height, width = share.shape[1:]
    around = torch.nn.functional.pad(share[:, None], (2, 2, 2, 2), mode="replicate")[:, 0]
    across = sum(weight * around[..., k : k + width] for k, weight in enumerate(weights))
    return sum(weight * across[:, k : k + height] for k, weight in enumerate(weights)).round()


def _placed(row: int, face: DeviceFace) -> _Placed | None:
    matrix = placing(face.landmarks)
    if matrix is None:
        return None
    return _Placed(row, face, matrix, face.landmarks[:, :2] @ matrix[:, :2].T + matrix[:, 2])


def _drawn(due: list[_Placed], device: Device) -> tuple[Tensor, Tensor, Tensor]:
    """What the landmarks say, in answers: (N, 64, 64) how much of the benefit of the doubt there is; (N, 468) where
    those lie that are seen, -1 for the others; (N, 64, 64) 1 in the midst of the face."""
    benefit = np.empty((len(due), ANSWER, ANSWER), np.float32)
    asked = np.full((len(due), len(due[0].points)), -1, np.int64)
    for one, plane, where in zip(due, benefit, asked, strict=True):
        at, seen = places(one.points, one.face.visibility)
        plane[:] = seen_around(at, seen)
        where[: np.count_nonzero(seen)] = at[seen] @ np.array([1, ANSWER])
    midst: NDArray[np.uint8] = np.stack([midst_of(one.points) for one in due])
    return uploaded(benefit, device), uploaded(asked, device), uploaded(midst, device)


def _cut(square: Tensor, one: _Placed) -> Tensor:
    """(1, 128, 128, 3) what the network sees of a crop: ``occluders.cut``."""
    width, height = one.face.size
    planes = square[:height, :width].permute(2, 0, 1)[None].float()
    matrix = one.matrix
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    while scale < 0.55 and min(planes.shape[2:]) >= 4:
        planes = torch.nn.functional.avg_pool2d(planes, 2).round()
        shift = matrix[:, :2] @ np.array([0.5, 0.5], np.float32) + matrix[:, 2]
        matrix = np.column_stack([matrix[:, :2] * 2, shift]).astype(np.float32)
        scale *= 2
    linear = np.linalg.inv(matrix[:, :2].astype(np.float64))
    (a, b), (d, e) = linear.tolist()
    c, f = (-linear @ matrix[:, 2]).tolist()
    place = torch.arange(SIZE, device=square.device, dtype=torch.float32)
    x, y = place[None, None], place[None, :, None]
    seen = bilinear(planes, a * x + b * y + c, d * x + e * y + f)
    return rounded(seen).permute(0, 2, 3, 1).contiguous()
