"""End the process where Ctrl-C cannot: native code that keeps the main thread, such as a network that computes
without end, also keeps Python from handling signals."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from threading import Thread

from rtswap.core.interrupts import ENDING

PATIENCE_S = 10.0
"""A run that can end itself does so within about two seconds."""


def end_at_second_signal(code: int, patience_s: float = PATIENCE_S) -> None:
    """End this process with ``code`` from now on if it goes on ``patience_s`` after the second signal that ends a
    run. Where there are no handles or threads left, nothing happens."""
    with suppress(OSError, RuntimeError):
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        Thread(target=_watch, args=(reader, code, patience_s), name="second signal", daemon=True).start()
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        if hasattr(os, "register_at_fork"):  # a terminal sends Ctrl-C to the children, too
            os.register_at_fork(after_in_child=lambda: signal.set_wakeup_fd(-1))


def _watch(reader: int, code: int, patience_s: float) -> None:
    left = 2
    while left > 0:
        left -= sum(number in ENDING for number in os.read(reader, 100))
    time.sleep(patience_s)
    os._exit(code)
