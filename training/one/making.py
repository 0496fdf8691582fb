"""Pairs are made by processes of their own, before and while they are learnt from."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from training.landmarks.views import Views
from training.one.pairs import prepare, read
from training.one.pool import Pool

PATIENCE_S = 1800.0


@contextmanager
def making(views: Views, folder: Path, shards: int, processes: int, *, least: int) -> Iterator[None]:
    """``shards`` files of pairs come into ``folder``; the block begins when ``least`` of them are there, and what is
    missing at its end is not made. Raises TimeoutError where none comes."""
    fork = multiprocessing.get_context("fork")
    workers = [
        fork.Process(target=prepare, args=(views, folder, range(k, shards, processes), 1), daemon=True)
        for k in range(processes)
    ]
    for worker in workers:
        worker.start()
    try:
        _await(folder, min(least, shards))
        yield
    finally:
        for worker in workers:
            worker.terminate()
            worker.join()


def _await(folder: Path, least: int) -> None:
    until = time.monotonic() + PATIENCE_S
    while len(list(folder.glob("*.npz"))) < least:
        if time.monotonic() > until:
            raise TimeoutError(f"{folder} has no {least} files of pairs after {PATIENCE_S:.0f} s")
        time.sleep(0.2)


class Arriving:
    """Finished files of ``folder`` go into ``pool``, each once, as long as there is room."""

    def __init__(self, folder: Path, pool: Pool) -> None:
        self._folder, self.pool = folder, pool
        self._taken: set[Path] = set()

    def take(self) -> None:
        """What has come since the last call."""
        for path in sorted(set(self._folder.glob("*.npz")) - self._taken):
            if self.pool.count >= self.pool.capacity:
                return
            self.pool.add(read([path]))
            self._taken.add(path)
