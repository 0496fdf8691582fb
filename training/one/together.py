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


def spread(work: Callable[[int], None], workers: int) -> None:
    """Run ``work(rank)`` in ``workers`` processes that hear each other; here, if it is one."""
    if workers == 1:
        work(0)
        return
    with tempfile.TemporaryDirectory() as folder:
        multiprocessing.spawn(_one, (work, workers, Path(folder) / "meeting"), nprocs=workers)


def _one(rank: int, work: Callable[[int], None], workers: int, meeting: Path) -> None:
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=workers)
    work(rank)
    distributed.destroy_process_group()


def alike(tensors: Iterable[Tensor]) -> None:
    """Everybody takes over what the first process has, in place."""
    if distributed.is_initialized():
        for tensor in tensors:
            distributed.broadcast(tensor, 0)


def told(value: float) -> float:
    """The first process's ``value``, to everybody."""
    carried = torch.tensor([value], dtype=torch.float64)
    alike([carried])
    return float(carried)


def averaged(gradients: Iterable[Tensor]) -> None:
    """Everybody's mean, in place."""
    if distributed.is_initialized():
        parts = list(gradients)
        flat = torch.cat([part.reshape(-1) for part in parts])
        distributed.all_reduce(flat)
        flat /= distributed.get_world_size()
        for part, mean in zip(parts, flat.split([part.numel() for part in parts]), strict=True):
            part.copy_(mean.view(part.shape))
