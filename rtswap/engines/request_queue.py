"""Turn requests of several streams into batches. Takes the time as an argument and reads no clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import Any

from rtswap.core.errors import EngineError

Stream = Hashable
"""Number or name of one stream of frames."""


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """Limits on batch size, waiting time and queue length."""

    most: int = 16
    """Maximum rows per batch. A single request with more rows forms its own batch."""
    wait_s: float = 0.002
    """Seconds that the first request of a batch waits for others. 0: no waiting; requests that arrive while the
    engine is busy still share the next batch."""
    waiting_per_stream: int = 4
    """Maximum pending requests per stream; further requests are rejected."""


class QueueFull(EngineError):
    """A stream has too many pending requests. The pending ones are unaffected."""


@dataclass(slots=True)
class Request:
    """One pending request. ``rows``: its rows in a batch. ``content``: any data for the code that runs the batch."""

    stream: Stream
    rows: int
    arrived_s: float
    content: Any = None
    key: Hashable = None
    """Requests share a batch only if their keys are equal: same inputs, same shapes."""


@dataclass(slots=True)
class _Line:
    """Pending requests of one stream, and the number of rows served to it so far."""

    waiting: deque[Request] = field(default_factory=deque)
    served: int = 0

    def serve(self) -> Request:
        """Remove and return its next request."""
        request = self.waiting.popleft()
        self.served += request.rows
        return request


class Queue:
    """Turns requests with arrival times into batches. Not thread-safe: use it from one thread or under a lock.

    *Deadline*: a batch is due when it is full or the oldest request has waited ``wait_s``. *Fairness*: a batch is
    filled one request at a time from the stream with the fewest rows served, so no stream starves, and under load all
    streams get the same number of rows, whatever the size and rate of their requests. A new stream starts at the
    lowest row count of the waiting streams. *Bound*: at most ``waiting_per_stream`` requests per stream are pending.
    """

    def __init__(self, limits: BatchLimits) -> None:
        self._limits = limits
        self._lines: dict[Stream, _Line] = {}

    def __len__(self) -> int:
        """Number of pending requests."""
        return sum(len(line.waiting) for line in self._lines.values())

    def add(self, request: Request) -> None:
        """Raises QueueFull if the stream has too many pending requests, ValueError for a request without rows."""
        if request.rows < 1:
            raise ValueError(f"a request needs at least one row, got {request.rows}")
        line = self._lines.get(request.stream)
        if line is None:
            line = self._lines[request.stream] = _Line(served=self._least())
        elif not line.waiting:
            line.served = max(line.served, self._least())
        if len(line.waiting) >= self._limits.waiting_per_stream:
            raise QueueFull(
                f"stream {request.stream} sends requests faster than the engine runs them",
                expected=f"at most {self._limits.waiting_per_stream} pending requests",
                do="Drop frames, or share the engine between fewer streams.",
            )
        line.waiting.append(request)

    def due_s(self) -> float | None:
        """Return the time at which the next batch is due, possibly in the past; None if nothing is pending."""
        oldest = self._oldest()
        if oldest is None:
            return None
        if self._rows_with(oldest.key) >= self._limits.most:
            return oldest.arrived_s
        return oldest.arrived_s + self._limits.wait_s

    def take(self, now_s: float) -> list[Request]:
        """Remove and return the next batch; empty if none is due yet. Due requests that do not fit stay due."""
        due = self.due_s()
        if due is None or now_s < due:
            return []
        first = _least_served(line for line in self._lines.values() if line.waiting)
        assert first is not None
        key, batch, rows = first.waiting[0].key, [first.serve()], 0
        while True:
            rows += batch[-1].rows
            line = _least_served(self._fitting(key, self._limits.most - rows))
            if line is None:
                return batch
            batch.append(line.serve())

    def forget(self, stream: Stream) -> list[Request]:
        """Remove a stream that has ended and return its pending requests."""
        line = self._lines.pop(stream, None)
        return list(line.waiting) if line is not None else []

    def _oldest(self) -> Request | None:
        heads = [line.waiting[0] for line in self._lines.values() if line.waiting]
        return min(heads, key=lambda request: request.arrived_s, default=None)

    def _rows_with(self, key: Hashable) -> int:
        """Rows available for a batch of this key now: each stream's pending rows up to a request with another key."""
        rows = 0
        for line in self._lines.values():
            for request in line.waiting:
                if request.key != key:
                    break
                rows += request.rows
        return rows

    def _fitting(self, key: Hashable, room: int) -> list[_Line]:
        """Lines whose next request has this key and fits into ``room`` rows."""
        waiting = [line for line in self._lines.values() if line.waiting]
        return [line for line in waiting if line.waiting[0].key == key and line.waiting[0].rows <= room]

    def _least(self) -> int:
        """Lowest number of rows served among waiting streams; if none waits, the highest among all streams."""
        waiting = [line.served for line in self._lines.values() if line.waiting]
        return min(waiting) if waiting else max((line.served for line in self._lines.values()), default=0)


def _least_served(lines: Iterable[_Line]) -> _Line | None:
    """Return the line with the fewest rows served; on a tie, the one whose request is oldest. All must be waiting."""
    return min(lines, key=lambda line: (line.served, line.waiting[0].arrived_s), default=None)
