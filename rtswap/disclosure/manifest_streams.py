"""File objects for c2pa. It calls back from native code and hides errors there: a disk error becomes "unknown", and a
Ctrl-C a wrong position in the file."""

from __future__ import annotations

import io
import math
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

from rtswap.core.interrupts import ENDING


class StreamGuard:
    """Guards one call of c2pa: stores a disk error, and delays Ctrl-C and other signals that end a run until the call
    has ended, which they make end at once. So does the time limit: c2pa reads some files three bytes at a time."""

    def __init__(self, limit_s: float = math.inf) -> None:
        self.error: OSError | None = None
        self._until = time.monotonic() + limit_s
        self._handlers: dict[int, Callable[[int, Any], Any]] = {}
        self._caught = 0

    def __enter__(self) -> StreamGuard:
        if threading.current_thread() is threading.main_thread():  # other threads receive no signals
            for number in ENDING:
                handler = signal.getsignal(number)
                if callable(handler) and not isinstance(handler, signal.Handlers):
                    self._handlers[number] = handler
                    signal.signal(number, self._hold_back)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        if self._caught:
            self._handlers[self._caught](self._caught, None)

    def check(self) -> None:
        """Raises OSError if the call is to end."""
        if self._caught:
            raise OSError("interrupted")
        if time.monotonic() > self._until:
            self.error = TimeoutError("a file that takes too long to read")
            raise self.error

    def _hold_back(self, number: int, _: object) -> None:
        self._caught = number


class GuardedFile:
    """A file for c2pa."""

    def __init__(self, file: Any, guard: StreamGuard) -> None:
        self._file, self._guard = file, guard

    def write(self, data: bytes) -> int:
        """Write ``data``; returns the number of bytes. Raises OSError, like the other methods."""
        return self._transfer(self._file.write, data)

    def readinto(self, buffer: Any) -> int:
        """Read into ``buffer``; returns the number of bytes, 0 at the end."""
        return self._transfer(self._file.readinto, buffer)

    def _transfer(self, call: Callable[[Any], int], data: Any) -> int:
        self._guard.check()
        try:
            return int(call(data))
        except OSError as error:
            self._guard.error = error
            raise

    def read(self, size: int = -1) -> bytes:
        """Required by the interface; c2pa calls ``readinto``."""
        self._guard.check()
        return bytes(self._file.read(size))

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Seek; returns the new position."""
        self._guard.check()
        return int(self._file.seek(offset, whence))

    def tell(self) -> int:
        """Return the position."""
        return int(self._file.tell())

    def flush(self) -> None:
        """Flush to the operating system."""
        self._file.flush()


class NullFile:
    """Discards the copy that c2pa writes even if the manifest is not embedded."""

    def __init__(self) -> None:
        self._at = self._end = 0

    def write(self, data: bytes) -> int:
        """Discard ``data``; returns its length."""
        self._at += len(data)
        self._end = max(self._end, self._at)
        return len(data)

    def readinto(self, _: Any) -> int:
        """Always at the end: returns 0."""
        return 0

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Seek; returns the new position."""
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._end}[whence]
        return self._at

    def tell(self) -> int:
        """Return the position."""
        return self._at

    def flush(self) -> None:
        """Do nothing."""
