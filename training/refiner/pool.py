"""Pairs on the device that trains, as bytes, from which batches are drawn there.

Processes make the pairs, before and while they are learnt from; a thread takes their files into the pool.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path

import torch
from torch import Tensor

from rtswap.training.layers import to_input
from rtswap.training.shards import shards
from training.refiner.pairs import Pairs, read

PICTURES = ("composite", "lowered", "truth")
SHARES = ("mask", "skin", "visible")
VALUES = ("known_truth", "source", "known")
LOOK_EVERY_S = 1.0
"""Between two looks for files that have come."""


@dataclass(frozen=True)
class Batch:
    """N pairs: pictures (N, 3, H, W) -1..1, masks (N, 1, H, W) 0..1; see ``pairs.Pairs``."""

    composite: Tensor
    lowered: Tensor
    truth: Tensor
    mask: Tensor
    skin: Tensor
    visible: Tensor
    known_truth: Tensor
    source: Tensor
    known: Tensor
    clean: Tensor
    """The composite before training damaged it on purpose."""

    def __len__(self) -> int:
        return len(self.composite)

    @property
    def given(self) -> tuple[Tensor, ...]:
        """The inputs of ``Refiner``."""
        return self.composite, self.lowered, self.mask

    def part(self, chosen: Tensor | slice) -> Batch:
        return Batch(*(getattr(self, field.name)[chosen] for field in fields(self)))


class Pool:
    """Holds at most ``capacity`` pairs; further ones are ignored."""

    def __init__(self, capacity: int, device: str) -> None:
        self.capacity, self.device, self.count = capacity, device, 0
        self._kept: dict[str, Tensor] = {}
        self._true, self._cross = (torch.zeros(capacity, dtype=torch.long, device=device) for _ in range(2))
        """Rows of pairs with a truth, and of the others."""
        self._counts = torch.zeros(2, device=device)
        """How many of ``_true`` and of ``_cross`` are filled: on the device, where a captured step reads it."""

    @classmethod
    def of(cls, pairs: Pairs, device: str) -> Pool:
        pool = cls(len(pairs), device)
        pool.add(pairs)
        return pool

    def add(self, pairs: Pairs) -> None:
        """Add copies of them, as many as there is room for."""
        count = min(len(pairs), self.capacity - self.count)
        rows = slice(self.count, self.count + count)
        for name in (*PICTURES, *SHARES, *VALUES):
            given = torch.from_numpy(getattr(pairs, name)[:count])
            if name not in self._kept:
                self._kept[name] = torch.zeros(self.capacity, *given.shape[1:], dtype=given.dtype, device=self.device)
            self._kept[name][rows] = given.to(self.device)
        # the rows are told of after they are there
        true = torch.from_numpy(pairs.known_truth[:count]).to(self.device)
        for kind, (into, chosen) in enumerate(((self._true, true), (self._cross, ~true))):
            new = self.count + chosen.nonzero()[:, 0]
            filled = int(self._counts[kind])
            into[filled : filled + len(new)] = new
            self._counts[kind] += len(new)
        self.count += count

    @contextmanager
    def aside(self) -> Iterator[None]:
        """What is added in this block goes its own way to a GPU, beside what works there."""
        if self.device == "cpu":
            yield
            return
        with torch.cuda.stream(torch.cuda.Stream()):
            yield

    def draw(self, true: int, cross: int) -> Batch:
        """Random rows, the pairs with a truth first. Nothing here waits for a device."""
        shares = torch.rand(true + cross, device=self.device)
        at = [
            torch.minimum((share * count).long(), (count - 1).long())  # rounding up would read beyond
            for share, count in zip(shares.split([true, cross]), self._counts, strict=True)
        ]
        return self.batch(torch.cat([self._true[at[0]], self._cross[at[1]]]))

    def batch(self, rows: Tensor) -> Batch:
        """The pairs in ``rows`` as they are."""
        pictures = {name: to_input(self._kept[name][rows]).contiguous() for name in PICTURES}
        shares = {name: self._kept[name][rows][:, None].float() / 255 for name in SHARES}
        values = {name: self._kept[name][rows] for name in VALUES}
        return Batch(**pictures, **shares, **values, clean=pictures["composite"])


class Arriving:
    """Finished files of ``folder`` go into ``pool``, each once, as long as there is room."""

    def __init__(self, folder: Path, pool: Pool) -> None:
        self._folder, self.pool = folder, pool
        self._taken: set[Path] = set()
        self._over = threading.Event()

    def take(self) -> None:
        """Take the files that have come since the last call."""
        for path in [one for one in shards(self._folder) if one not in self._taken]:
            if self.pool.count >= self.pool.capacity or self._over.is_set():
                return
            self.pool.add(read([path]))
            self._taken.add(path)

    @contextmanager
    def taking(self) -> Iterator[None]:
        """A thread takes them while the block runs: reading files would have the device wait."""
        thread = threading.Thread(target=self._until_over, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def _until_over(self) -> None:
        with self.pool.aside():
            while not self._over.wait(LOOK_EVERY_S):
                self.take()
