"""What every input with a device or connection of its own does when it is closed, or lost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

FIRST_S = 0.5
MOST_S = 8.0


class ClosingInput:
    """May be closed from any thread, also while it reads. ``release`` is only called under the lock."""

    name: str
    """For messages."""

    def __init__(self, on_event: Callable[[str], None], wait: Callable[[float], object] | None = None) -> None:
        """``wait``: what to do for so many seconds before the next attempt."""
        self.on_event = on_event
        self.closed = threading.Event()
        self.lock = threading.Lock()
        self._wait = wait or self.closed.wait

    def release(self) -> None:
        """Let go of the device or connection, if there is one."""
        raise NotImplementedError

    def close(self) -> None:
        """End ``frames``. Harmless when called twice."""
        self.closed.set()
        if self.lock.acquire(blocking=False):  # else: a read is under way, and frames() comes here after it
            try:
                self.release()
            finally:
                self.lock.release()

    def attempts(self) -> Iterator[None]:
        """Yields when it is time to try again, more and more slowly; ends when the input is closed."""
        with self.lock:
            self.release()
        for delay_s in delays():
            self.on_event(f"{self.name} is lost; trying again in {delay_s:g} s")
            self._wait(delay_s)
            if self.closed.is_set():
                return
            yield


def delays(first_s: float = FIRST_S, most_s: float = MOST_S) -> Iterator[float]:
    """Seconds: ``first_s``, doubled every time up to ``most_s``, without end."""
    delay_s = first_s
    while True:
        yield delay_s
        delay_s = min(2 * delay_s, most_s)
