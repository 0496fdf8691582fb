"""Batches from worker processes, which make them beside the training."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from rtswap.core.errors import EngineError, reason

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
    yield _moved(stream, device)


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
    yield _moved(stream, device)


class _Stream(IterableDataset[tuple[Tensor, ...]]):
    """Every worker and every seed draws other batches."""

    def __init__(self, source: Source, seed: int) -> None:
        self._source, self._seed = source, seed

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        cv2.setNumThreads(1)
        worker = torch.utils.data.get_worker_info()
        for parts in self._source.batches(64 * self._seed + (worker.id if worker else 0)):
            yield _tensors(parts)


class _Rows(torch.utils.data.Dataset[tuple[Tensor, ...]]):
    def __init__(self, source: Numbered) -> None:
        self._source = source

    def __getitem__(self, number: int) -> tuple[Tensor, ...]:
        cv2.setNumThreads(1)
        return _tensors(self._source.batch(number))


def _step_back(_: int) -> None:
    """Lower the priority of a worker that shares the network's cores: a quarter more samples per second."""
    if hasattr(os, "nice"):
        os.nice(19)


def _tensors(parts: Sample) -> tuple[Tensor, ...]:
    """As tensors; those of a worker in shared memory. Raises OSError if there is none: a moment later, when PyTorch
    hands them over, Python would print a traceback, and the training wait for ever."""
    found = tuple(torch.from_numpy(np.ascontiguousarray(part)) for part in parts)
    if torch.utils.data.get_worker_info() is None:
        return found
    try:
        return tuple(part.share_memory_() for part in found)
    except RuntimeError as error:
        raise OSError(reason(error)) from None


def _moved(stream: DataLoader[Any], device: str) -> Iterator[list[Tensor]]:
    """The batches on the device. Raises EngineError if no process can be started, or a batch not be taken over."""
    try:
        # As many as PyTorch makes for its queues: where there is no place for them, its clean-up prints a traceback.
        locks = [torch.multiprocessing.Lock() for _ in range(_locks(stream.num_workers))]
        del locks
        for parts in stream:
            yield [part.to(device) for part in parts]
    except (OSError, EOFError) as error:
        raise _no_batches(error) from None


def _locks(workers: int) -> int:
    """In shared memory, of so many processes: five of an event, three of each queue, and some to spare."""
    return 12 + 4 * workers if workers else 0


@contextmanager
def watch_workers() -> Iterator[None]:
    """Raise EngineError if a worker has ended, of which PyTorch tells at any place of the block."""
    try:
        yield
    except RuntimeError as error:
        if not str(error).startswith("DataLoader worker"):
            raise
        raise _no_batches(error) from None


def _no_batches(error: Exception) -> EngineError:
    if hasattr(signal, "SIGCHLD"):
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # PyTorch would raise once more, wherever the process is
    got = "no shared memory" if "shared memory" in str(error) else reason(error) if str(error) else "no answer"
    do = "Give it more shared memory (docker run --shm-size=2g), more files (ulimit -n 1024), or --workers 0."
    return EngineError("a process that prepares batches failed", got=got, do=do)
