"""A thread of the lowest priority, for work that must not take time from frames."""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import Executor, ThreadPoolExecutor

LOWEST = 19


def background(name: str) -> Executor:
    """One thread, in which work is done in order while the processor has nothing more urgent to do. ``shutdown`` ends
    it."""
    return ThreadPoolExecutor(1, thread_name_prefix=name, initializer=_step_back)


def _step_back() -> None:
    """Lower the priority of this thread, where threads have one of their own."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOWEST)
