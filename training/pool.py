"""Samples that worker processes make and a fast device draws, each of them several times.

Painting a sample takes a processor a millisecond or more, learning from it takes a GPU a twentieth of that. So
workers write samples into memory they share with the training, new ones over the oldest; the training copies what is
new to its device and draws batches at random. What makes a sample another one each time, the camera above all, is
then done on the device, see ``camera``.
"""

from __future__ import annotations

import mmap
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Sample = tuple[NDArray[np.generic], ...]
RENEW_S = 0.25
"""Seconds between two copies of what is new: each of them lets the device wait."""
Maker = Callable[[int], Iterator[Sample]]
"""Endless samples, all alike in shape and type, from a seed."""


class Pool:
    """Use it as a context: the workers end with it."""

    def __init__(self, make: Maker, device: str, *, capacity: int, workers: int, seed: int, again: float) -> None:
        """``capacity`` samples wait; each is drawn ``again`` times on average, then ``draw`` waits for new ones."""
        like = [np.asarray(part) for part in next(make(seed * 1000))]
        self._each, self._again, self._drawn = capacity // workers, again, 0
        shapes = [(workers, self._each, *part.shape) for part in like]
        self._host = [_shared(shape, part.dtype) for shape, part in zip(shapes, like, strict=True)]
        self._device = [
            torch.empty(part.shape, dtype=torch.from_numpy(part).dtype, device=device) for part in self._host
        ]
        self._counts = _shared((workers,), np.dtype(np.int64))
        self._copied, self._renewed = np.zeros(workers, np.int64), 0.0
        self._dice = np.random.default_rng(seed)
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

    def _there(self) -> int:
        return int(self._copied.sum())

    def _work(self, make: Maker, seed: int, row: int) -> None:
        os.nice(5)  # the training, which keeps the device busy, goes first
        for number, sample in enumerate(make(seed)):
            for place, part in zip(self._host, sample, strict=True):
                place[row, number % self._each] = part
            self._counts[row] = number + 1

    def draw(self, count: int, at_least: int = 0) -> tuple[Tensor, ...]:
        """``count`` random samples on the device, once ``at_least`` are there."""
        if time.perf_counter() - self._renewed > RENEW_S:
            self._renew()
        while self._there() < max(at_least, 1) or self._drawn + count > self._again * max(self._there(), count):
            if not any(worker.is_alive() for worker in self._workers):
                raise RuntimeError("no worker makes samples any more; see what the first of them said")
            time.sleep(0.005)
            self._renew()
        self._drawn += count
        filled = np.minimum(self._copied, self._each)
        ends = np.cumsum(filled)
        among = self._dice.integers(ends[-1], size=count)
        rows = np.searchsorted(ends, among, "right")
        flat = rows * self._each + among - (ends - filled)[rows]
        chosen = torch.from_numpy(flat).to(self._device[0].device)
        return tuple(part.flatten(0, 1)[chosen] for part in self._device)

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


def _shared(shape: tuple[int, ...], kind: np.dtype[np.generic]) -> NDArray[np.generic]:
    """Memory that forked processes share. Not from /dev/shm, which is small in many containers."""
    memory = mmap.mmap(-1, int(np.prod(shape)) * kind.itemsize)
    return np.frombuffer(memory, kind).reshape(shape)
