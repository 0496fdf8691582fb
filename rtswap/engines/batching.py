"""Several streams share an engine: single requests become batches. Who waits for whom is decided without a clock.

``Queue`` is the policy, told what time it is; ``SharedEngine`` is its front for threads, which starts none itself:
whoever asks runs the batch when it is due, and the others get their part of it.
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
"""Whoever asks: a number or name of one stream of frames."""


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """What a batch may wait for."""

    most: int = 16
    """Rows per batch. One request with more is a batch of its own."""
    wait_s: float = 0.002
    """How long the first request of a batch waits for others. 0: nobody waits, but who comes while the engine is
    busy still shares the next batch."""
    waiting_per_stream: int = 4
    """Requests of one stream that may wait; a further one is refused."""


class QueueFull(EngineError):
    """A stream asks faster than its requests are served; what waits stays as it is."""


@dataclass(slots=True)
class Request:
    """``rows``: how much of a batch it takes. ``content`` is for whoever runs it."""

    stream: Stream
    rows: int
    arrived_s: float
    content: Any = None
    key: Hashable = None
    """Only requests with the same key can share a batch: same inputs, same shapes."""


@dataclass(slots=True)
class _Line:
    """What waits of one stream, and how many rows it has been served."""

    waiting: deque[Request] = field(default_factory=deque)
    served: int = 0

    def serve(self) -> Request:
        """Its next request, which no longer waits."""
        request = self.waiting.popleft()
        self.served += request.rows
        return request


class Queue:
    """Requests with arrival times in, batches out. For one thread, or under a lock.

    *Deadline*: a batch is due when it is full or the oldest request has waited ``wait_s``. *Fairness*: it is filled
    by whom the fewest rows were served, one request at a time: nobody waits forever, and under load all get as many
    rows, however large or frequent their requests. A stream that comes anew begins level with whoever has least, so
    that it neither starves others nor is starved. *Bound*: at most ``waiting_per_stream`` requests of a stream wait.
    """

    def __init__(self, limits: BatchLimits) -> None:
        self._limits = limits
        self._lines: dict[Stream, _Line] = {}

    def __len__(self) -> int:
        """Requests that wait."""
        return sum(len(line.waiting) for line in self._lines.values())

    def add(self, request: Request) -> None:
        """Raises Refused where too many of this stream wait, ValueError for a request without rows."""
        if request.rows < 1:
            raise ValueError(f"a request has at least one row, got {request.rows}")
        line = self._lines.get(request.stream)
        if line is None:
            line = self._lines[request.stream] = _Line(served=self._least())
        elif not line.waiting:
            line.served = max(line.served, self._least())
        if len(line.waiting) >= self._limits.waiting_per_stream:
            raise QueueFull(
                f"stream {request.stream} asks faster than it is served",
                expected=f"at most {self._limits.waiting_per_stream} requests at once",
                do="Drop frames, or let fewer streams share the engine.",
            )
        line.waiting.append(request)

    def due_s(self) -> float | None:
        """When the next batch is due: in the past where it is already. None where nothing waits."""
        oldest = self._oldest()
        if oldest is None:
            return None
        if self._rows_with(oldest.key) >= self._limits.most:
            return oldest.arrived_s
        return oldest.arrived_s + self._limits.wait_s

    def take(self, now_s: float) -> list[Request]:
        """The next batch; empty where none is due yet. What is due and left out makes the next one due at once."""
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
        """The stream has ended; what it had waiting, which nobody will serve."""
        line = self._lines.pop(stream, None)
        return list(line.waiting) if line is not None else []

    def _oldest(self) -> Request | None:
        heads = [line.waiting[0] for line in self._lines.values() if line.waiting]
        return min(heads, key=lambda request: request.arrived_s, default=None)

    def _rows_with(self, key: Hashable) -> int:
        """Rows that a batch of this key could have now: of each stream what comes before another key."""
        rows = 0
        for line in self._lines.values():
            for request in line.waiting:
                if request.key != key:
                    break
                rows += request.rows
        return rows

    def _fitting(self, key: Hashable, room: int) -> list[_Line]:
        """Whose next request can still join a batch."""
        waiting = [line for line in self._lines.values() if line.waiting]
        return [line for line in waiting if line.waiting[0].key == key and line.waiting[0].rows <= room]

    def _least(self) -> int:
        """Rows served to the stream that waits and has least; where none waits, to whoever has most."""
        waiting = [line.served for line in self._lines.values() if line.waiting]
        return min(waiting) if waiting else max((line.served for line in self._lines.values()), default=0)


def _least_served(lines: Iterable[_Line]) -> _Line | None:
    """Of those that have something waiting; of equals the one that waits longest."""
    return min(lines, key=lambda line: (line.served, line.waiting[0].arrived_s), default=None)


@dataclass(slots=True, eq=False)
class _Ticket:
    """One asker's inputs, and what became of them."""

    inputs: Mapping[str, Tensor]
    outputs: dict[str, Tensor] | None = None
    error: Exception | None = None

    @property
    def done(self) -> bool:
        return self.outputs is not None or self.error is not None


class SharedEngine:
    """One engine for several streams, each with a thread of its own. Inputs and outputs are batched along their first
    axis: the network must not mix rows.

    ``for_stream`` gives each stream what it takes for an Engine. One of the waiting threads runs the batch for all.
    Where a batch fails its requests run again one by one, so that only who brought the fault gets the error.
    """

    def __init__(
        self, engine: Engine, limits: BatchLimits | None = None, *, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._engine, self._clock = engine, clock
        self._queue = Queue(limits or BatchLimits())
        self._changed = threading.Condition()
        self._busy = False
        self.batches = 0
        """How many were run."""
        self.rows = 0

    @property
    def name(self) -> str:
        return f"{self._engine.name}, shared"

    def for_stream(self, stream: Stream) -> StreamEngine:
        """Implements ``protocols.Engine`` for one stream; takes a GPU's tensors where the engine does. Close it when
        the stream ends."""
        on_device = hasattr(self._engine, "run_on_device")
        return GpuStreamEngine(self, stream) if on_device else StreamEngine(self, stream)

    def ask(self, stream: Stream, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The outputs for these inputs, the asker's own. Raises Refused, and EngineError where they cannot be run."""
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
        """For engines that work on tensors of a GPU: one asker's, as they are, between the batches. The outputs are
        the asker's own. Raises EngineError."""
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
        """A stream has ended: what it still asks for is answered with an error."""
        with self._changed:
            for request in self._queue.forget(stream):
                request.content.error = EngineError(f"stream {stream} has ended")
            self._changed.notify_all()

    def _wait_for_batch(self, ticket: _Ticket) -> list[Request]:
        """The next batch, which the caller is to run; empty once the ticket is done."""
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
        """Serve a batch. Whatever happens, the next one can be run, and nobody waits forever."""
        try:
            served = self._try(tickets)
            if not served and len(tickets) > 1:
                for ticket in tickets:
                    self._try([ticket])
        finally:
            with self._changed:
                for ticket in tickets:
                    if not ticket.done:
                        ticket.error = EngineError("the batch was broken off")
                self._busy = False
                self._changed.notify_all()

    def _try(self, tickets: Sequence[_Ticket]) -> bool:
        """Run these together. False where that failed; the reason is left with a ticket that was alone."""
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
        """As ``protocols.Engine``. Raises Refused where this stream asks too much at once."""
        return self._shared.ask(self._stream, inputs)

    def close(self) -> None:
        """The stream has ended."""
        self._shared.forget(self._stream)


class GpuStreamEngine(StreamEngine):
    """One stream's share of an engine that also takes tensors of a GPU."""

    def run_on_device(self, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        """As ``SharedEngine.run_on_device``."""
        return self._shared.run_on_device(inputs)


def _rows(inputs: Mapping[str, Tensor]) -> int:
    """Raises EngineError where the inputs have no common first axis."""
    counts = {array.shape[0] if array.ndim else 0 for array in inputs.values()}
    if len(counts) != 1 or 0 in counts:
        raise EngineError(
            "these inputs cannot share a batch",
            expected="arrays with the same number of rows, at least one",
            got=", ".join(f"{name} {array.shape}" for name, array in inputs.items()) or "none",
        )
    return int(counts.pop())


def _key(inputs: Mapping[str, Tensor]) -> Hashable:
    """Equal where arrays can be laid one after the other."""
    return tuple(sorted((name, str(array.dtype), array.shape[1:]) for name, array in inputs.items()))


def _join(inputs: Sequence[Mapping[str, Tensor]]) -> Mapping[str, Tensor]:
    if len(inputs) == 1:
        return inputs[0]
    return {name: np.concatenate([one[name] for one in inputs]) for name in inputs[0]}


def _split(outputs: Mapping[str, Tensor], rows: Sequence[int]) -> list[dict[str, Tensor]]:
    """Each one's rows, copied: an engine's outputs live until its next run. Raises EngineError for outputs that have
    not one row for each of the inputs'."""
    total, edges = sum(rows), np.cumsum([0, *rows])
    for name, array in outputs.items():
        if not array.ndim or array.shape[0] != total:
            raise EngineError(
                f"output {name} cannot be shared out", expected=f"{total} rows", got=f"shape {array.shape}"
            )
    return [{name: np.array(array[begin:end]) for name, array in outputs.items()} for begin, end in pairwise(edges)]
