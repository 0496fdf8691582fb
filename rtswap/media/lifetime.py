"""Base class for inputs with a device or connection: closing from any thread, and reconnecting."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

FIRST_S = 0.5
MOST_S = 8.0


class ClosingInput:
    """An input that can be closed from any thread, even during a read. ``release`` is called only under the lock."""

    name: str
    """For messages."""

    def __init__(self, on_event: Callable[[str], None], wait: Callable[[float], object] | None = None) -> None:
        """``wait``: called with the seconds to wait before the next attempt."""
        self.on_event = on_event
        self.closed = threading.Event()
        self.lock = threading.Lock()
        self._wait = wait or self.closed.wait

    def release(self) -> None:
        """Close the device or connection, if open."""
        raise NotImplementedError

    def close(self) -> None:
        """End ``frames``. May be called twice."""
        self.closed.set()
        if self.lock.acquire(blocking=False):  # else: a read is in progress, after which frames() calls close()
            try:
                self.release()
            finally:
                self.lock.release()

    def attempts(self) -> Iterator[None]:
        """Yield at each retry, with increasing delays; end when the input is closed."""
        with self.lock:
            self.release()
        for delay_s in delays():
            if self.closed.is_set():
                return
            self.on_event(f"{self.name} is lost; retrying in {delay_s:g} s")
            self._wait(delay_s)
            if self.closed.is_set():
                return
            yield


def delays(first_s: float = FIRST_S, most_s: float = MOST_S) -> Iterator[float]:
    """Yield delays in seconds without end: ``first_s``, doubled each time up to ``most_s``."""
    delay_s = first_s
    while True:
        yield delay_s
        delay_s = min(2 * delay_s, most_s)
