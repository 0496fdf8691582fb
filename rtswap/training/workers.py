"""Batches from worker processes, which make them beside the training."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

Sample = tuple[NDArray[Any], ...]
BESIDE_GPU, AHEAD = 12, 4
"""Worker processes that make whole batches for a GPU, and batches that each of them keeps ready."""


class Source(Protocol):
    """What a recipe's batches are made from."""

    def batches(self, seed: int) -> Iterator[Sample]:
        """Endless whole batches: arrays whose first axis counts the samples."""


class Numbered(Protocol):
    """Batches by number: the same number is the same batch, so that a training that goes on sees what it would have
    seen."""

    def batch(self, number: int) -> Sample:
        """Arrays whose first axis counts the samples."""


@contextmanager
def from_workers(source: Source, device: str, seed: int, workers: int = 1) -> Iterator[Iterator[list[Tensor]]]:
    """Whole batches from ``workers`` processes, or a dozen beside a GPU, moved to the device."""
    workers = workers if device == "cpu" else BESIDE_GPU
    stream = DataLoader(
        _Stream(source, seed),
        batch_size=None,
        num_workers=workers,
        prefetch_factor=AHEAD,
        worker_init_fn=_step_back if workers == 1 else None,
    )
    yield ([part.to(device) for part in parts] for parts in stream)


@contextmanager
def in_order(source: Numbered, device: str, start: int, workers: int = 1) -> Iterator[Iterator[list[Tensor]]]:
    """Batches ``start``, ``start + 1``, ... in this order, however many processes make them; 0: this process does."""
    count = workers if device == "cpu" else BESIDE_GPU
    stream = DataLoader(
        _Rows(source),
        batch_size=None,
        sampler=range(start, 1 << 40),
        generator=torch.Generator(),  # else it would draw from the numbers that a checkpoint restores
        num_workers=count,
        prefetch_factor=AHEAD if count else None,
        worker_init_fn=_step_back if count == 1 else None,
    )
    yield ([part.to(device) for part in parts] for parts in stream)


class _Stream(IterableDataset[tuple[Tensor, ...]]):
    """Every worker and every seed draws other batches."""

    def __init__(self, source: Source, seed: int) -> None:
        self._source, self._seed = source, seed

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        cv2.setNumThreads(1)
        worker = torch.utils.data.get_worker_info()
        for parts in self._source.batches(64 * self._seed + (worker.id if worker else 0)):
            yield tuple(map(torch.from_numpy, parts))


class _Rows(torch.utils.data.Dataset[tuple[Tensor, ...]]):
    def __init__(self, source: Numbered) -> None:
        self._source = source

    def __getitem__(self, number: int) -> tuple[Tensor, ...]:
        cv2.setNumThreads(1)
        return tuple(torch.from_numpy(np.ascontiguousarray(part)) for part in self._source.batch(number))


def _step_back(_: int) -> None:
    """Lower the priority of a worker that shares the network's cores: a quarter more samples per second."""
    if hasattr(os, "nice"):
        os.nice(19)
