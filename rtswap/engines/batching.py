"""Share one engine between several streams by combining their requests into batches.

``Queue`` is the batching policy; it takes the time as an argument and reads no clock. ``SharedEngine`` is the
thread-safe front end. It starts no threads: one of the waiting callers runs each batch and the others get their rows.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from rtswap.core.errors import EngineError
from rtswap.core.protocols import Engine
from rtswap.core.types import Tensor

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


@dataclass(slots=True, eq=False)
class _Ticket:
    """One caller's inputs, and their outputs or error."""

    inputs: Mapping[str, Tensor]
    outputs: dict[str, Tensor] | None = None
    error: Exception | None = None

    @property
    def done(self) -> bool:
        return self.outputs is not None or self.error is not None


class SharedEngine:
    """Shares one engine between several streams, each in its own thread. Inputs and outputs are batched along the
    first axis, so the network must process rows independently.

    ``for_stream`` returns an Engine for one stream. One of the waiting threads runs each batch. If a batch fails, its
    requests run again one by one, so that only the request at fault gets the error.
    """

    def __init__(
        self, engine: Engine, limits: BatchLimits | None = None, *, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._engine, self._clock = engine, clock
        self._queue = Queue(limits or BatchLimits())
        self._changed = threading.Condition()
        self._busy = False
        self.batches = 0
        """Number of batches run."""
        self.rows = 0

    @property
    def name(self) -> str:
        return f"{self._engine.name}, shared"

    def for_stream(self, stream: Stream) -> StreamEngine:
        """Return a ``protocols.Engine`` for one stream; it has ``run_on_device`` if the shared engine has. Close it
        when the stream ends."""
        on_device = hasattr(self._engine, "run_on_device")
        return GpuStreamEngine(self, stream) if on_device else StreamEngine(self, stream)

    def ask(self, stream: Stream, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Run the inputs in the next batch and return a copy of their outputs. Raises QueueFull, EngineError."""
        ticket = _Ticket(inputs)
        request = Request(stream, _rows(inputs), 0.0, ticket, _key(inputs))
        with self._changed:
            request.arrived_s = self._clock()
            self._queue.add(request)
            self._changed.notify_all()
        while not ticket.done:
            batch = self._wait_for_batch(ticket)
            if batch:
                self._run([request.content for request in batch])
        if ticket.error is not None:
            raise ticket.error
        assert ticket.outputs is not None
        return ticket.outputs

    def run_on_device(self, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        """Run one caller's GPU tensors on their own, between batches, for engines that accept GPU tensors. Returns
        copies that belong to the caller. Raises EngineError."""
        engine: Any = self._engine
        with self._changed:
            while self._busy:
                self._changed.wait()
            self._busy = True
        try:
            found: Mapping[str, Any] = engine.run_on_device(inputs, own=True)
            return found
        finally:
            with self._changed:
                self._busy = False
                self._changed.notify_all()

    def forget(self, stream: Stream) -> None:
        """End a stream: its pending requests fail with EngineError."""
        with self._changed:
            for request in self._queue.forget(stream):
                request.content.error = EngineError(f"stream {stream} has ended")
            self._changed.notify_all()

    def _wait_for_batch(self, ticket: _Ticket) -> list[Request]:
        """Return the next batch for the caller to run; empty once the ticket is done."""
        with self._changed:
            while not ticket.done:
                if not self._busy:
                    batch = self._queue.take(self._clock())
                    if batch:
                        self._busy = True
                        return batch
                due = None if self._busy else self._queue.due_s()
                self._changed.wait(None if due is None else max(0.0, due - self._clock()))
            return []

    def _run(self, tickets: Sequence[_Ticket]) -> None:
        """Run a batch. On any exception every ticket gets an error and the engine is released."""
        try:
            served = self._try(tickets)
            if not served and len(tickets) > 1:
                for ticket in tickets:
                    self._try([ticket])
        finally:
            with self._changed:
                for ticket in tickets:
                    if not ticket.done:
                        ticket.error = EngineError("the batch was aborted")
                self._busy = False
                self._changed.notify_all()

    def _try(self, tickets: Sequence[_Ticket]) -> bool:
        """Run tickets as one batch. Returns False if that failed; a single ticket also gets the error."""
        rows = [_rows(ticket.inputs) for ticket in tickets]
        try:
            outputs = self._engine.run(_join([ticket.inputs for ticket in tickets]))
            parts = _split(outputs, rows)
        except (EngineError, ValueError, TypeError, RuntimeError, KeyError, MemoryError) as error:
            if len(tickets) == 1:
                tickets[0].error = error
            return False
        self.batches += 1
        self.rows += sum(rows)
        for ticket, part in zip(tickets, parts, strict=True):
            ticket.outputs = part
        return True


class StreamEngine:
    """One stream's share of an engine. Implements ``protocols.Engine``."""

    def __init__(self, shared: SharedEngine, stream: Stream) -> None:
        self._shared, self._stream = shared, stream

    @property
    def name(self) -> str:
        return self._shared.name

    def run(self, inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """As ``protocols.Engine``. Raises QueueFull if this stream has too many pending requests."""
        return self._shared.ask(self._stream, inputs)

    def close(self) -> None:
        """End the stream."""
        self._shared.forget(self._stream)


class GpuStreamEngine(StreamEngine):
    """One stream's share of an engine that also accepts GPU tensors."""

    def run_on_device(self, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        """As ``SharedEngine.run_on_device``."""
        return self._shared.run_on_device(inputs)


def _rows(inputs: Mapping[str, Tensor]) -> int:
    """Return the length of the inputs' first axis. Raises EngineError if it differs between them or is 0."""
    counts = {array.shape[0] if array.ndim else 0 for array in inputs.values()}
    if len(counts) != 1 or 0 in counts:
        raise EngineError(
            "these inputs cannot share a batch",
            expected="arrays with the same number of rows, at least one",
            got=", ".join(f"{name} {array.shape}" for name, array in inputs.items()) or "none",
        )
    return int(counts.pop())


def _key(inputs: Mapping[str, Tensor]) -> Hashable:
    """Return names, types and shapes without the first axis: equal for inputs that can be concatenated."""
    return tuple(sorted((name, str(array.dtype), array.shape[1:]) for name, array in inputs.items()))


def _join(inputs: Sequence[Mapping[str, Tensor]]) -> Mapping[str, Tensor]:
    if len(inputs) == 1:
        return inputs[0]
    return {name: np.concatenate([one[name] for one in inputs]) for name in inputs[0]}


def _split(outputs: Mapping[str, Tensor], rows: Sequence[int]) -> list[dict[str, Tensor]]:
    """Split the outputs into copies of each request's rows; an engine's outputs are valid only until its next run.
    Raises EngineError if an output does not have one row per input row."""
    total, edges = sum(rows), np.cumsum([0, *rows])
    for name, array in outputs.items():
        if not array.ndim or array.shape[0] != total:
            raise EngineError(
                f"output {name} cannot be split into rows", expected=f"{total} rows", got=f"shape {array.shape}"
            )
    return [{name: np.array(array[begin:end]) for name, array in outputs.items()} for begin, end in pairwise(edges)]
