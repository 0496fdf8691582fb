"""Signals that end a run: counted while it runs, so that none interrupts a write."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

ENDING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""Signals that end a run in order: Ctrl-C, ``kill``, a terminal that is closed (not on Windows)."""


def raise_on_signals() -> None:
    """Make each of them raise KeyboardInterrupt. SIGINT too: a shell's background jobs start with it ignored. SIGHUP
    stays ignored under ``nohup``."""
    for number in ENDING:
        if number == signal.SIGINT or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)


def ignore_signals() -> None:
    """Ignore them while the process exits: everything that had to be finished is."""
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)


class Interrupts:
    """Within the ``with`` block, signals that would raise KeyboardInterrupt in the main thread are counted instead.

    A block in another thread, or a program's own handlers, change nothing.
    """

    def __init__(self) -> None:
        self.count = 0
        self._replaced: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            for number in ENDING:
                if signal.getsignal(number) is signal.default_int_handler:
                    self._replaced[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        for number, handler in self._replaced.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.count += 1


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeoutError in the block once it has taken so long. In threads other than the main one, on Windows, and
    while native code runs, nothing happens."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return

    def end(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"it took longer than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def hold_interrupts() -> Iterator[None]:
    """Let signals that end a run raise KeyboardInterrupt after the block, not in it: native code that calls Python
    back loses such an exception, and OpenCV 5.0 crashes where a call fits its second signature, not its first (text
    in a ``FontFace``, cameras by number): it asks Python for the text of an error, and does not expect another."""
    held = Interrupts()
    try:
        with held:
            yield
    finally:
        if held.count:
            raise KeyboardInterrupt
