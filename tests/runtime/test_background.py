"""Work beside the frames."""

from __future__ import annotations

import os
import sys
import threading

import pytest

from rtswap.runtime.background import LOWEST, background


@pytest.mark.skipif(sys.platform != "linux", reason="threads have priorities of their own on Linux")
def test_background_work_has_the_lowest_priority() -> None:
    executor = background("test")
    priority = executor.submit(lambda: os.getpriority(os.PRIO_PROCESS, threading.get_native_id())).result(10)
    executor.shutdown()
    assert priority == LOWEST
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) < LOWEST
