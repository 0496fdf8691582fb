"""Undo what an encoder does to the scheduling of this process.

SVT-AV1, opened by root, makes its threads and the one that opened it real-time (``SCHED_FIFO``, priority 99). That
outlives the encoder, is inherited by child processes, and starves everything else on the machine, even the kernel.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def scheduling_kept() -> Iterator[None]:
    """Threads that turn real-time inside the ``with`` block get the calling thread's earlier scheduling back. Does
    nothing but on Linux."""
    if sys.platform != "linux":
        yield
        return
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    before = real_time_threads()
    try:
        yield
    finally:
        for thread in real_time_threads() - before:
            with suppress(OSError):  # it has ended
                os.sched_setscheduler(thread, policy, parameters)


def real_time_threads() -> set[int]:
    """The ids of this process's real-time threads. Linux only."""
    found = set()
    for thread in Path("/proc/self/task").iterdir():
        with suppress(OSError):
            if os.sched_getscheduler(int(thread.name)) in (os.SCHED_FIFO, os.SCHED_RR):
                found.add(int(thread.name))
    return found
