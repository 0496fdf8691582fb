"""Queues between threads: the only place where frames wait or are dropped.

Live streams use ``newest_wins``: a newer frame replaces one that was not processed in time, so latency never grows.
Files use the lossless kind: the producer waits while the mailbox is full.
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
    """The mailbox is closed and empty. Ends a loop; never shown to a user."""


class Mailbox(Generic[T]):
    """Passes items from one thread to another, in order.

    ``capacity``: maximum number of waiting items. ``newest_wins``: a full mailbox drops its oldest item instead of
    making ``put`` wait.
    """

    def __init__(self, capacity: int = 1, *, newest_wins: bool) -> None:
        if capacity < 1:
            raise ValueError(f"the capacity of a mailbox must be at least 1, got {capacity}")
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
        """Number of items replaced before they were taken."""
        return self._dropped

    @property
    def closed(self) -> bool:
        return self._closed

    def __len__(self) -> int:
        """Number of waiting items."""
        return len(self._items)

    def put(self, item: T, timeout_s: float | None = None) -> None:
        """Add an item. Raises Closed after ``close``, the error given to ``fail``, or TimeoutError if a full,
        lossless mailbox was not emptied in time. If it raises, the item was not added."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        with self._emptied:
            while not self._closed and not self.newest_wins and len(self._items) >= self.capacity:
                _wait(self._emptied, deadline, "timed out waiting for room in the mailbox")
            if self._closed:
                raise self._ending()
            if len(self._items) >= self.capacity:
                self._items.popleft()
                self._dropped += 1
            self._items.append(item)
            self._filled.notify()

    def get(self, timeout_s: float | None = None) -> T:
        """Take the oldest item, waiting for one. Raises TimeoutError if none came in time, and after the last item
        Closed or the error given to ``fail``. In a ``newest_wins`` mailbox a failure overtakes waiting items."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        with self._filled:
            while not self._items and not self._closed:
                _wait(self._filled, deadline, "timed out waiting for an item in the mailbox")
            if not self._items or (self._failure is not None and self.newest_wins):
                raise self._ending()
            item = self._items.popleft()
            self._emptied.notify()
            return item

    def __iter__(self) -> Iterator[T]:
        """Yield every item until the mailbox is closed. Raises the error given to ``fail``."""
        while True:
            try:
                item = self.get()
            except Closed:
                return
            yield item

    def close(self) -> None:
        """Accept no more items. Waiting items are still delivered. Safe to call again."""
        with self._filled:
            self._closed = True
            self._wake_everyone()

    def discard(self) -> None:
        """Close, and drop the waiting items."""
        with self._filled:
            self._items.clear()
            self._closed = True
            self._wake_everyone()

    def fail(self, failure: BaseException) -> None:
        """Close, and raise ``failure`` in current and later callers. Only the first failure counts."""
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
