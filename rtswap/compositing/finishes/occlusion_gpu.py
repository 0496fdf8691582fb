"""Keep occluders in front of the swap, on a GPU: ``occlusion``, which explains the method.

The host draws everything that depends only on landmarks; the network's answers stay on the GPU.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rtswap.compositing.finishes.network_mask_gpu import GpuNetworkMask, Placed, Works, follow
from rtswap.compositing.finishes.occlusion import (
    BELIEVED,
    BENEFIT,
    FEATHER,
    GLINT,
    HALF,
    OPEN,
    SHUT,
    SPECK,
    STEP,
    WITHDRAWN,
    benefit_of,
    coarse_places,
    midst_of,
    places,
)
from rtswap.compositing.finishes.parts_gpu import limited
from rtswap.compositing.finishes.regions_gpu import Islands, feather
from rtswap.core.types import BatchedTarget, Matrix, Points, TargetBatch
from rtswap.gpu.batched_run import Run, run_batched
from rtswap.gpu.resample import Tensor, mapped, uploaded
from rtswap.gpu.torch_import import load_torch
from rtswap.networks.occlusion import ANSWER, SHRINK, SIZE, guide, place
from rtswap.vision.geometry import transform

torch = load_torch()


class GpuOcclusionMask(GpuNetworkMask):
    """Implements ``protocols.GpuFinish``. ``engine`` runs the network of ``occlusion_model``."""

    input_size, answer_size, shrink = (SIZE, SIZE), (ANSWER, ANSWER), SHRINK
    unlimited = 255.0

    def _place(self, face: BatchedTarget) -> Matrix | None:
        return place(face.landmarks)

    def _pack(self, one: Placed) -> NDArray[np.float32]:
        """In cells of an answer: the benefit of the doubt (64 x 64), 1 in the centre of the face (64 x 64), and the
        cells of the seen landmarks, -1 for the others (468)."""
        points = points_of(one)
        at, seen = places(points, one.face.visibility)
        asked = np.full(len(points), -1, np.float32)
        asked[: np.count_nonzero(seen)] = at[seen] @ np.array([1, ANSWER])
        return np.concatenate([benefit_of(points, at, seen).ravel(), midst_of(points).ravel(), asked])

    def _ask(self, crops: Tensor, due: Sequence[Placed]) -> Tensor:
        guides = uploaded(np.stack([guide(points_of(one)) for one in due]), crops.device)
        return ask(self._run, crops, guides)

    @staticmethod
    def read_answers(visible: Tensor, last: Tensor, drawn: Tensor) -> tuple[Tensor, Tensor]:
        """Return the smoothed occlusion (N, 64, 64), and 0..255 where the swap may show. ``visible`` is the network's
        output, ``last`` the previous occlusion, ``drawn`` (N, B) without the cut's numbers."""
        count, area = len(visible), ANSWER * ANSWER
        benefit, midst = (drawn[:, k * area : (k + 1) * area].view(count, ANSWER, ANSWER) for k in range(2))
        hidden = 1 - visible.float().nan_to_num(1.0).clamp(0, 1)  # NaN: nothing is in front
        followed = follow(hidden, last, drawn)
        return followed, open_mask(followed, benefit, drawn[:, 2 * area : -2].long(), midst)

    @staticmethod
    def limit_masks(masks: Tensor, opened: Tensor, numbers: Tensor) -> Tensor:
        """Limit ``masks`` (N, S, S) by the answers (N, 64, 64), mapped to the crops by way of coarse grids.
        ``numbers`` (N, 10): grid -> answer (6), the grid's width and height, the crop's."""
        coarse = mapped(opened[:, None], numbers[:, :6], -(-masks.shape[1] // STEP)).round()[:, 0]
        return limited(masks, coarse, numbers[:, 6:8], numbers[:, 8:10])

    def _limited(self, works: Works, masks: Tensor, placed: Sequence[Placed], targets: TargetBatch) -> Tensor:
        opened = [works.unlimited] * len(targets.faces)
        for one in placed:
            opened[one.row] = self._masks[one.face.track_id]
        numbers = uploaded(lie(placed, targets), masks.device)
        return works.laid_over(masks, torch.stack(opened), numbers)


def points_of(one: Placed) -> Points:
    """(468, 2) the landmarks in the network's input."""
    return transform(one.matrix, one.face.landmarks[:, :2])


def ask(run: Run, crops: Tensor, guides: Tensor) -> Tensor:
    """The network's output (N, 64, 64), valid until its next run. Raises ModelError."""
    return run_batched("occlusion", run, {"crops": crops, "guides": guides}, "visible", (ANSWER, ANSWER))


def lie(placed: Sequence[Placed], targets: TargetBatch) -> NDArray[np.float32]:
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
    sizes = islands.sizes()
    without = (islands.touching(midst == 0) & (sizes >= SPECK)) | (sizes >= GLINT)
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
