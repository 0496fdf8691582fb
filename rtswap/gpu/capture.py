"""How work becomes a CUDA graph: the one place where anything is captured.

A capture fails when anything that is no work of its stream happens meanwhile. So only one is made at a time, Python
collects no garbage during it (a graph that nobody holds any more is destroyed then, which CUDA does not permit: seen
on an H100, ``cudaErrorStreamCaptureInvalidated``), other threads are left alone, and what fails is tried once more.
``torch.cuda.graph`` is not used: it waits for the device and gives all free memory back, pinned memory as well, which
the other streams of frames then wait for.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

Found = TypeVar("Found")

WARM_UPS = 3
"""Runs before the capture of a network: libraries choose their kernels and allocate in the first ones."""
TRIES = 2
_TURN = threading.Lock()
"""The process has one GPU, whose captures get into each other's way."""


def capture(torch: Any, stream: Any, run: Callable[[], Found], *, warm_ups: int = WARM_UPS) -> tuple[Any, Found]:
    """A graph of what ``run`` starts on ``stream``, and what it returned: memory that each replay writes anew. The
    caller's stream goes on after the warm-up. Raises what torch raises."""
    stream.wait_stream(torch.cuda.current_stream())
    with _TURN, torch.cuda.stream(stream):
        for _ in range(warm_ups):
            run()
        for attempt in range(1, TRIES + 1):
            try:
                found = _once(torch, run)
                break
            except RuntimeError:
                if attempt == TRIES:
                    raise
                torch.cuda.synchronize()
    torch.cuda.current_stream().wait_stream(stream)
    return found


def _once(torch: Any, run: Callable[[], Found]) -> tuple[Any, Found]:
    graph = torch.cuda.CUDAGraph()
    with _no_garbage():
        graph.capture_begin(capture_error_mode="thread_local")
        try:
            found = run()
        finally:
            graph.capture_end()
    return graph, found


@contextmanager
def _no_garbage() -> Iterator[None]:
    """Python's collector rests."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
