"""See to it that Ctrl-C ends the process. Native code that keeps the main thread, such as a network that computes
without end, also keeps Python from handling signals. And a KeyboardInterrupt in what Python calls while it cleans up
(``__del__``, callbacks of weak references, of which matplotlib has many) is printed and lost."""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from functools import partial
from threading import Thread
from typing import Any, cast

from rtswap.core.interrupts import ENDING

PATIENCE_S = 10.0
"""A run that can end itself does so within about two seconds."""
_LOST = 255
"""No signal: one was lost."""
_AGAIN_S = 0.05
"""Until then the main thread has left what loses them."""


def end_at_second_signal(code: int, patience_s: float = PATIENCE_S) -> None:
    """End this process with ``code`` from now on if it goes on ``patience_s`` after the second signal that ends a
    run, and repeat one that is lost. Where there are no handles or threads left, nothing happens."""
    with suppress(OSError, RuntimeError):
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        Thread(target=_watch, args=(reader, code, patience_s), name="second signal", daemon=True).start()
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        sys.unraisablehook = partial(_note_lost, writer, sys.unraisablehook)
        if hasattr(os, "register_at_fork"):  # a terminal sends Ctrl-C to the children, too
            os.register_at_fork(after_in_child=_leave)


def _watch(reader: int, code: int, patience_s: float) -> None:
    left = 2
    while left > 0:
        for number in os.read(reader, 100):
            left -= number in ENDING
            if number == _LOST:
                time.sleep(_AGAIN_S)
                left += 1  # this one comes here, too
                _interrupt()
    time.sleep(patience_s)
    os._exit(code)


def _interrupt() -> None:
    """Interrupt the main thread, also where it sleeps or waits."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(cast(int, threading.main_thread().ident), signal.SIGINT)
    else:
        _thread.interrupt_main()


def _leave() -> None:
    signal.set_wakeup_fd(-1)
    sys.unraisablehook = sys.__unraisablehook__


def _note_lost(writer: int, otherwise: Any, lost: Any) -> None:
    if not issubclass(lost.exc_type, KeyboardInterrupt):
        otherwise(lost)
        return
    with suppress(OSError):
        os.write(writer, bytes([_LOST]))
