"""Batches from worker processes that fail: a training ends in one line and does not wait for ever."""

from __future__ import annotations

import errno
import gc
import os
import signal
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from multiprocessing.synchronize import SemLock
from typing import Any
from weakref import WeakSet

import numpy as np
import pytest
from requirements import need_torch

need_torch()

import torch  # noqa: E402

from rtswap.core.errors import EngineError  # noqa: E402
from rtswap.training.workers import Sample, in_order, watch_workers  # noqa: E402


@dataclass
class Failing:
    """Batches of which the third comes to nothing."""

    fail: Callable[[], object]

    def batch(self, number: int) -> Sample:
        if number == 2:
            self.fail()
        return (np.full((4, 64, 64), number, np.float32),)


def be_killed() -> None:
    """As by a system that has no more memory."""
    os.kill(os.getpid(), signal.SIGKILL)


def share_nothing() -> None:
    """``/dev/shm`` is full: Docker gives 64 MB."""

    def full(tensor: torch.Tensor) -> None:
        raise RuntimeError("unable to allocate shared memory(shm)")

    torch.Tensor.share_memory_ = full  # type: ignore[assignment, method-assign]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("fail", [be_killed, share_nothing])
def test_a_worker_that_fails_is_told(fail: Callable[[], object], capfd: pytest.CaptureFixture[str]) -> None:
    with (
        pytest.raises(EngineError, match="a process that prepares batches failed"),
        watch_workers(),
        in_order(Failing(fail), "cpu", 0) as batches,
    ):
        deque(islice(batches, 20))
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("room", [0, 1, 6])
def test_a_system_with_little_shared_memory_is_told(room: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With room for a lock or two PyTorch printed a traceback of its own below the message."""
    made = WeakSet[object]()
    real = SemLock.__init__

    def limited(self: SemLock, *args: Any, **named: Any) -> None:
        if len(made) >= room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(self, *args, **named)
        made.add(self)

    monkeypatch.setattr(SemLock, "__init__", limited)
    printed: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", printed.append)
    with (
        pytest.raises(EngineError, match="No space left on device"),
        watch_workers(),
        in_order(Failing(be_killed), "cpu", 0) as batches,
    ):
        next(batches)
    gc.collect()
    assert not printed


def test_faults_of_the_training_stay_faults() -> None:
    with pytest.raises(RuntimeError, match="a shape"), watch_workers():
        raise RuntimeError("a shape")


def test_without_workers_no_shared_memory_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """--workers 0 is what the message says to give."""

    def full(*args: object, **named: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(SemLock, "__init__", full)
    with watch_workers(), in_order(Failing(be_killed), "cpu", 0, workers=0) as batches:
        assert [float(next(batches)[0].mean()) for _ in range(2)] == [0, 1]
