"""Share one engine between several streams, thread-safe, by combining their requests into batches.

It starts no threads: one of the waiting callers runs each batch and the others get their rows.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from rtswap.core.errors import EngineError
from rtswap.core.protocols import Engine
from rtswap.core.types import Tensor
from rtswap.engines.request_queue import BatchLimits, Queue, Request, Stream


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
