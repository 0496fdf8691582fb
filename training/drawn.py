"""What the trainings draw their batches from, as far as it is alike: contexts on which ``next`` is called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from training.camera import Camera
from training.landmarks.degrade import noise_bank
from training.pool import Pool


class FromPool:
    """Batches of ``pool`` on the device, filmed by a camera for crops of ``size`` px. A subclass draws them."""

    def __init__(self, pool: Pool, device: str, batch: int, seed: int, size: int) -> None:
        self._pool, self._batch = pool, batch
        bank = torch.from_numpy(noise_bank(np.random.default_rng(seed), size + 16)).permute(0, 3, 1, 2)
        self._camera = Camera(bank.contiguous().to(device), torch.Generator(device).manual_seed(seed))

    def __enter__(self) -> FromPool:
        self._pool.__enter__()
        return self

    def __exit__(self, *of_what: object) -> None:
        self._pool.__exit__(*of_what)

    def __next__(self) -> list[Tensor]:
        raise NotImplementedError


class FromWorkers:
    """Batches that ``workers`` processes make whole, ``ahead`` each, moved to the device. ``first`` is called in each
    with its number."""

    def __init__(
        self,
        samples: IterableDataset[Any],
        device: str,
        workers: int,
        *,
        ahead: int,
        first: Callable[[int], None] | None = None,
    ) -> None:
        self._device = device
        self._stream = iter(
            DataLoader(samples, batch_size=None, num_workers=workers, prefetch_factor=ahead, worker_init_fn=first)
        )

    def __enter__(self) -> FromWorkers:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __next__(self) -> list[Tensor]:
        return [part.to(self._device) for part in next(self._stream)]


def seed_of_worker(seed: int) -> int:
    """Another one for every worker and every run's ``seed``; the worker then computes on one thread."""
    cv2.setNumThreads(1)
    worker = torch.utils.data.get_worker_info()
    return seed * 64 + (worker.id if worker else 0)
