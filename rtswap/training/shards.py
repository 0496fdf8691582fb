"""Training data in numbered files, which processes make before and while a network learns from them.

A file is written whole or not at all, and made once: a run that goes on finds what an earlier one made.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import multiprocessing

from rtswap.core.errors import InputError, reason
from rtswap.core.files import open_regular, replacing
from rtswap.core.interrupts import ENDING
from rtswap.training.checkpoint import DAMAGED, check_uncompressed

Shard = dict[str, NDArray[Any]]
"""Named arrays whose first axis counts the rows."""
SUFFIX = ".npz"
PATIENCE_S = 1800.0
"""How long to wait for the first files."""
NICER = 5
"""Steps by which makers step back for the training."""


def write_shards(folder: Path, numbers: Iterable[int], make: Callable[[int], Iterable[Mapping[str, Any]]]) -> None:
    """Files ``numbers`` in ``folder``: the rows that ``make(number)`` gives; those that exist are left alone."""
    cv2.setNumThreads(1)
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        path = folder / f"{number:04d}{SUFFIX}"
        if path.exists():
            continue
        rows = list(make(number))
        columns: Shard = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
        with replacing(path) as file:
            np.savez(file, allow_pickle=False, **columns)


def shards(folder: Path) -> list[Path]:
    """The finished files of ``folder``, in order."""
    return sorted(folder.glob(f"*{SUFFIX}"))


def read_shard(path: Path) -> Shard:
    """The arrays of one file. Raises InputError for one that is damaged, or that ``write_shards`` did not write."""
    try:
        with open_regular(path) as file, np.load(file, allow_pickle=False) as data:
            check_uncompressed(data.zip, path)
            found = {name: data[name] for name in data.files}
        if not found or len({len(rows) for rows in found.values()}) > 1:
            raise ValueError("columns")
    except DAMAGED as error:
        got = reason(error) if isinstance(error, OSError) else "a damaged file, or one of another kind"
        raise InputError(f"cannot read {path}", got=got, do="Remove it to make it anew.") from None
    return found


@contextmanager
def making(jobs: Sequence[Callable[[], None]], least: Mapping[Path, int]) -> Iterator[None]:
    """Each of ``jobs`` is done by a process; the block begins when every folder has its ``least`` files, and what is
    missing at its end is not made. Raises TimeoutError where they do not come."""
    fork = multiprocessing.get_context("fork")
    workers = [fork.Process(target=_work, args=(job,), daemon=True) for job in jobs]
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


def _work(job: Callable[[], None]) -> None:
    for number in ENDING:
        signal.signal(number, signal.SIG_DFL)  # the parent's handlers raise KeyboardInterrupt, which would be printed
    if hasattr(os, "nice"):
        os.nice(NICER)
    job()


def _await(folder: Path, least: int) -> None:
    until = time.monotonic() + PATIENCE_S
    while len(shards(folder)) < least:
        if time.monotonic() > until:
            raise TimeoutError(f"{folder} has no {least} files after {PATIENCE_S:.0f} s")
        time.sleep(0.2)
