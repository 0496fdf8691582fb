"""Where batches come from: worker processes that make them whole, or, for a GPU, a pool of samples on the device.

Painting a sample takes a processor a millisecond or more, learning from it takes a GPU a twentieth of that. So the
pool's workers write samples into memory they share with the training, new ones over the oldest; the training copies
what is new to its device and draws batches at random, each sample several times. What makes a sample another one
each time, the camera above all, then happens on the device, see ``camera``.
"""

from __future__ import annotations

import argparse
import mmap
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import repeat
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rtswap.training.workers import Sample, Source, from_workers
from training.camera import Camera, noise_bank

Maker = Callable[[int], Iterator[Sample]]
"""Endless samples, all alike in shape and type, from a seed."""
RENEW_S = 0.25
"""Seconds between two copies of what is new: each of them lets the device wait."""


class PoolSource(Source, Protocol):
    """A source whose samples a pool can keep."""

    size: ClassVar[int]
    """Side of the crops in pixels."""
    at_least: ClassVar[int]
    """Samples to wait for before the first batch."""
    draws: ClassVar[float]
    """How often a sample is drawn on average."""

    def samples(self, seed: int) -> Iterator[Sample]:
        """Endless single samples as they are before the camera."""

    def finish(self, parts: list[Tensor], camera: Camera) -> list[Tensor]:
        """A batch from a batch of samples: mirrored, filmed by ``camera``. On the device."""


def add_pool_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--pool", type=int, default=0, help="samples to keep on the device; needs --workers")
    parser.add_argument("--workers", type=int, default=1, help="processes that make batches, or fill the pool")


def open_batches(
    source: PoolSource, args: argparse.Namespace, seed: int
) -> AbstractContextManager[Iterator[list[Tensor]]]:
    """From a pool where ``args.pool`` asks for one, else from worker processes."""
    if args.pool:
        return open_pool(source, args.device, seed, batch=args.batch, capacity=args.pool, workers=args.workers)
    return from_workers(source, args.device, seed, args.workers)


@contextmanager
def open_pool(
    source: PoolSource, device: str, seed: int, *, batch: int, capacity: int, workers: int
) -> Iterator[Iterator[list[Tensor]]]:
    """Batches drawn from a ``Pool`` and finished on the device."""
    bank = torch.from_numpy(noise_bank(np.random.default_rng(seed), source.size + 16)).permute(0, 3, 1, 2)
    camera = Camera(bank.contiguous().to(device), torch.Generator(device).manual_seed(seed))
    made = Pool(source.samples, device, capacity=capacity, workers=workers, seed=seed, draws=source.draws)
    with made as pool:
        yield (source.finish(pool.draw(batch, source.at_least), camera) for _ in repeat(None))


class Pool:
    """Samples that ``workers`` processes make. Use it as a context: the processes end with it."""

    def __init__(self, make: Maker, device: str, *, capacity: int, workers: int, seed: int, draws: float) -> None:
        """``capacity`` samples wait; each is drawn ``draws`` times on average, then ``draw`` waits for new ones."""
        like = [np.asarray(part) for part in next(make(seed * 1000))]
        self._each, self._draws, self._drawn = capacity // workers, draws, 0
        shapes = [(workers, self._each, *part.shape) for part in like]
        self._host = [_share_memory(shape, part.dtype) for shape, part in zip(shapes, like, strict=True)]
        self._device = [
            torch.empty(part.shape, dtype=torch.from_numpy(part).dtype, device=device) for part in self._host
        ]
        self._counts = _share_memory((workers,), np.dtype(np.int64))
        self._copied, self._renewed = np.zeros(workers, np.int64), 0.0
        self._rng = np.random.default_rng(seed)
        context = multiprocessing.get_context("fork")
        self._workers = [
            context.Process(target=self._work, args=(make, seed * 1000 + 1 + row, row), daemon=True)
            for row in range(workers)
        ]

    def __enter__(self) -> Pool:
        for worker in self._workers:
            worker.start()
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.terminate()
        for worker in self._workers:
            worker.join(5)

    def _work(self, make: Maker, seed: int, row: int) -> None:
        os.nice(5)  # the training, which keeps the device busy, goes first
        for number, sample in enumerate(make(seed)):
            for place, part in zip(self._host, sample, strict=True):
                place[row, number % self._each] = part
            self._counts[row] = number + 1

    def draw(self, count: int, at_least: int = 0) -> list[Tensor]:
        """``count`` random samples on the device, once ``at_least`` were made."""
        if time.perf_counter() - self._renewed > RENEW_S:
            self._renew()
        while (made := int(self._copied.sum())) < max(at_least, 1) or self._drawn + count > self._draws * max(
            made, count
        ):
            if not any(worker.is_alive() for worker in self._workers):
                raise RuntimeError("no worker makes samples any more; see what the first of them printed")
            time.sleep(0.005)
            self._renew()
        self._drawn += count
        filled = np.minimum(self._copied, self._each)
        ends = np.cumsum(filled)
        among = self._rng.integers(ends[-1], size=count)
        rows = np.searchsorted(ends, among, "right")
        flat = rows * self._each + among - (ends - filled)[rows]
        chosen = torch.from_numpy(flat).to(self._device[0].device)
        return [part.flatten(0, 1)[chosen] for part in self._device]

    def _renew(self) -> None:
        """Copy what came since last time, each worker's in one or two pieces."""
        counts = self._counts.copy()
        for row, count in enumerate(counts):
            start = max(int(self._copied[row]), int(count) - self._each + 1)
            while start < count:
                low = start % self._each
                high = min(low + int(count) - start, self._each)
                for host, device in zip(self._host, self._device, strict=True):
                    device[row, low:high].copy_(torch.from_numpy(host[row, low:high]))
                start += high - low
            self._copied[row] = count
        self._renewed = time.perf_counter()


def _share_memory(shape: tuple[int, ...], kind: np.dtype[Any]) -> NDArray[Any]:
    """Memory that forked processes share. Not from /dev/shm, which is small in many containers."""
    memory = mmap.mmap(-1, int(np.prod(shape)) * kind.itemsize)
    return np.frombuffer(memory, kind).reshape(shape)
