"""Pairs are made by processes of their own, before and while they are learnt from."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from training.one.pairs import read
from training.one.pool import Pool

PATIENCE_S = 1800.0
LOOK_EVERY_S = 1.0


@contextmanager
def making(jobs: Sequence[Callable[[], None]], least: dict[Path, int]) -> Iterator[None]:
    """Each of ``jobs`` is done by a process; the block begins when every folder has its ``least`` files, and what is
    missing at its end is not made. Raises TimeoutError where they do not come."""
    fork = multiprocessing.get_context("fork")
    workers = [fork.Process(target=job, daemon=True) for job in jobs]
    for worker in workers:
        worker.start()
    try:
        for folder, count in least.items():
            _await(folder, count)
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
        self._over = threading.Event()

    def take(self) -> None:
        """What has come since the last call."""
        for path in sorted(set(self._folder.glob("*.npz")) - self._taken):
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
