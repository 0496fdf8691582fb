"""Several processes that train one network.

On cores that other work shares, two processes of one thread, which wait for each other once per step, get further
than two threads that wait hundreds of times.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from torch import Tensor, distributed, multiprocessing


def spread(work: Callable[[int], None], count: int) -> None:
    """Run ``work(rank)`` in ``count`` processes that exchange tensors; in this process if ``count`` is 1."""
    if count == 1:
        work(0)
        return
    with tempfile.TemporaryDirectory() as folder:
        multiprocessing.spawn(_join, (work, count, Path(folder) / "meeting"), nprocs=count)


def _join(rank: int, work: Callable[[int], None], count: int, meeting: Path) -> None:
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=count)
    work(rank)
    distributed.destroy_process_group()


def broadcast(*tensors: Tensor) -> None:
    """Overwrite ``tensors`` in every process with those of the first."""
    if distributed.is_initialized():
        for tensor in tensors:
            distributed.broadcast(tensor, 0)


def average_gradients(gradients: Iterable[Tensor]) -> None:
    """Overwrite ``gradients`` in every process with the mean over all of them."""
    if distributed.is_initialized():
        parts = list(gradients)
        flat = torch.cat([part.reshape(-1) for part in parts])
        distributed.all_reduce(flat)
        flat /= distributed.get_world_size()
        for part, mean in zip(parts, flat.split([part.numel() for part in parts]), strict=True):
            part.copy_(mean.view(part.shape))
