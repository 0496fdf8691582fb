"""Keep the target's glasses in front of the swap, on a GPU: ``glasses``, which explains the method.

Every face is looked at as often as one with glasses: asking the host who wears some would make it wait.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rtswap.compositing.finishes.glasses import FEATHER, HALF, LEAST, OPEN, SHUT, SPECK, halvings
from rtswap.compositing.finishes.network_mask_gpu import GpuNetworkMask, Placed, Works, follow
from rtswap.compositing.finishes.regions_gpu import Islands, feather
from rtswap.core.types import BatchedTarget, Matrix, TargetBatch
from rtswap.gpu.batched_run import run_batched
from rtswap.gpu.resample import Tensor, mapped, rounded, uploaded
from rtswap.gpu.torch_import import load_torch
from rtswap.networks.glasses import HEIGHT, MOST, SHRINK, WIDTH, place

torch = load_torch()


class GpuGlassesMask(GpuNetworkMask):
    """Implements ``protocols.GpuFinish``. ``engine`` runs the network of ``glasses_model``."""

    input_size, answer_size, shrink = (WIDTH, HEIGHT), (HEIGHT, WIDTH), SHRINK

    def _place(self, face: BatchedTarget) -> Matrix | None:
        return place(face.landmarks)

    def _pack(self, one: Placed) -> NDArray[np.float32]:
        return np.zeros(0, np.float32)

    def _ask(self, crops: Tensor, due: Sequence[Placed]) -> Tensor:
        return run_batched("glasses", self._run, {"strips": crops}, "frames", (HEIGHT, WIDTH))

    @staticmethod
    def read_answers(frames: Tensor, last: Tensor, rates: Tensor) -> tuple[Tensor, Tensor]:
        """Return the smoothed answers (N, 96, 192) 0..1, and 0..255 where the target is kept. ``frames`` is the
        network's output, ``last`` the previous result, ``rates`` (N, 2) the shares of a rise and of a fall to
        follow."""
        frames = frames.float().nan_to_num(0.0).clamp(0, 1)
        frames = frames * ((frames > 0.5).sum((1, 2), keepdim=True) <= MOST)
        followed = follow(frames, last, rates)
        large = Islands(followed > HALF).sizes() >= SPECK
        large &= large.sum((1, 2), keepdim=True) >= LEAST
        near = torch.nn.functional.max_pool2d(large.float()[:, None], 3, 1, 1)[:, 0]
        share = ((followed - OPEN) * (255 / (SHUT - OPEN))).clamp(0, 255).floor()
        return followed, feather(share * near, FEATHER)

    @staticmethod
    def limit_masks(masks: Tensor, kept: Tensor, numbers: Tensor) -> Tensor:
        """Limit ``masks`` (N, S, S) by ``kept`` (N, 96, 192). ``numbers`` (N, 6): crop -> strip."""
        there = mapped(kept[:, None], numbers, masks.shape[1], zero=True)[:, 0]
        return torch.minimum(masks, 255 - rounded(there))

    def _limited(self, works: Works, masks: Tensor, placed: Sequence[Placed], targets: TargetBatch) -> Tensor:
        kept, numbers = [works.unlimited] * len(targets.faces), np.zeros((len(targets.faces), 6), np.float32)
        for one in placed:
            kept[one.row] = soften(self._masks[one.face.track_id], halvings(one.matrix))
            numbers[one.row] = one.matrix.ravel()
        return works.laid_over(masks, torch.stack(kept), uploaded(numbers, masks.device))


def soften(kept: Tensor, count: int) -> Tensor:
    """``kept`` (96, 192), averaged down ``count`` times and enlarged again."""
    if not count:
        return kept
    small = torch.nn.functional.avg_pool2d(kept[None, None], 1 << count).round()
    return torch.nn.functional.interpolate(small, kept.shape, mode="bilinear")[0, 0].round()
