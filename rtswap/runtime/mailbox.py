"""The one place where frames wait or are dropped.

Live streams use ``newest_wins``: a frame that could not be worked on in time is replaced, so age never grows.
Files use the lossless kind: the producer waits while the box is full.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from types import TracebackType
from typing import Generic, TypeVar

T = TypeVar("T")


class Closed(Exception):
    """The mailbox has been closed and holds nothing more. Ends a loop; never shown to a user."""


class Mailbox(Generic[T]):
    """Hands items from one thread to another, in order.

    ``capacity``: how many may wait. ``newest_wins``: a full box drops its oldest item instead of making ``put`` wait.
    """

    def __init__(self, capacity: int = 1, *, newest_wins: bool) -> None:
        if capacity < 1:
            raise ValueError(f"a mailbox holds at least 1 item, got capacity {capacity}")
        self.capacity = capacity
        self.newest_wins = newest_wins
        self._items: deque[T] = deque()
        self._dropped = 0
        self._closed = False
        self._failure: tuple[BaseException, TracebackType | None] | None = None
        lock = threading.Lock()
        self._filled = threading.Condition(lock)
        self._emptied = threading.Condition(lock)

    @property
    def dropped(self) -> int:
        """How many items were replaced before anybody took them."""
        return self._dropped

    @property
    def closed(self) -> bool:
        return self._closed

    def __len__(self) -> int:
        """How many items wait now."""
        return len(self._items)

    def put(self, item: T, timeout_s: float | None = None) -> None:
        """Leave an item. Raises Closed after ``close``, what ``fail`` was given, or TimeoutError where a full,
        lossless box was not emptied in time. The item was not taken over when this raises."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        with self._emptied:
            while not self._closed and not self.newest_wins and len(self._items) >= self.capacity:
                _wait(self._emptied, deadline, "nobody emptied the mailbox")
            if self._closed:
                raise self._ending()
            if len(self._items) >= self.capacity:
                self._items.popleft()
                self._dropped += 1
            self._items.append(item)
            self._filled.notify()

    def get(self, timeout_s: float | None = None) -> T:
        """Take the oldest item, waiting for one. Raises TimeoutError when none came in time, and once everything was
        delivered Closed or what ``fail`` was given. A failure overtakes what waits in a ``newest_wins`` box."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        with self._filled:
            while not self._items and not self._closed:
                _wait(self._filled, deadline, "nothing came into the mailbox")
            if not self._items or (self._failure is not None and self.newest_wins):
                raise self._ending()
            item = self._items.popleft()
            self._emptied.notify()
            return item

    def __iter__(self) -> Iterator[T]:
        """Every item until the box is closed. Raises what ``fail`` was given."""
        while True:
            try:
                item = self.get()
            except Closed:
                return
            yield item

    def close(self) -> None:
        """No more items will come. Those that wait are still delivered. Harmless when called again."""
        with self._filled:
            self._closed = True
            self._wake_everyone()

    def fail(self, failure: BaseException) -> None:
        """Close, and raise ``failure`` at whoever waits or comes later. The first failure counts."""
        with self._filled:
            if self._failure is None:
                self._failure = failure, failure.__traceback__
            self._closed = True
            self._wake_everyone()

    def _ending(self) -> BaseException:
        if self._failure is None:
            return Closed("the mailbox is closed")
        failure, traceback = self._failure
        return failure.with_traceback(traceback)

    def _wake_everyone(self) -> None:
        self._filled.notify_all()
        self._emptied.notify_all()


def _wait(condition: threading.Condition, deadline: float | None, message: str) -> None:
    if deadline is None:
        condition.wait()
        return
    left_s = deadline - time.monotonic()
    if left_s <= 0:
        raise TimeoutError(message)
    condition.wait(left_s)
