"""Base class for inputs with a device or connection: closing from any thread, and reconnecting."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

FIRST_S = 0.5
MOST_S = 8.0
STEADY_S = 10.0
"""After a connection that lasted so long the delays begin anew."""


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
        self._delays, self._tried_at = delays(), 0.0

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
        """Yield at each retry, with increasing delays, also where each connection is lost at once; end when the input
        is closed."""
        with self.lock:
            self.release()
        if time.perf_counter() - self._tried_at > STEADY_S:
            self._delays = delays()
        for delay_s in self._delays:
            if self.closed.is_set():
                return
            self.on_event(f"{self.name} is lost; retrying in {delay_s:g} s")
            self._wait(delay_s)
            if self.closed.is_set():
                return
            self._tried_at = time.perf_counter()
            yield


def delays(first_s: float = FIRST_S, most_s: float = MOST_S) -> Iterator[float]:
    """Yield delays in seconds without end: ``first_s``, doubled each time up to ``most_s``."""
    delay_s = first_s
    while True:
        yield delay_s
        delay_s = min(2 * delay_s, most_s)
