"""Capture CUDA graphs; all captures of the process go through ``capture``.

A capture fails if CUDA work outside its stream happens at the same time. So only one capture runs at a time, Python's
garbage collector is paused (it may destroy an unused graph, which CUDA forbids during a capture: seen on an H100 as
``cudaErrorStreamCaptureInvalidated``), the capture mode is thread-local, and a failed capture is retried once.
``torch.cuda.graph`` is not used: it synchronises the device and frees all cached memory, including pinned memory,
which stalls the other streams of frames.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

Found = TypeVar("Found")

WARM_UPS = 3
"""Runs before a network is captured: libraries select kernels and allocate memory in the first runs."""
TRIES = 2
_TURN = threading.Lock()
"""Serialises captures: the process uses one GPU, and concurrent captures break each other."""


def capture(torch: Any, stream: Any, run: Callable[[], Found], *, warm_ups: int = WARM_UPS) -> tuple[Any, Found]:
    """Capture what ``run`` launches on ``stream``. Returns (graph, result of ``run``): each replay overwrites the
    memory of the result. The caller's stream waits for the warm-up runs. Raises torch's RuntimeError."""
    stream.wait_stream(torch.cuda.current_stream())
    with _TURN, torch.cuda.stream(stream):
        for _ in range(warm_ups):
            run()
        for attempt in range(1, TRIES + 1):
            try:
                found = _capture_once(torch, run)
                break
            except RuntimeError:
                if attempt == TRIES:
                    raise
                torch.cuda.synchronize()
    torch.cuda.current_stream().wait_stream(stream)
    return found


def _capture_once(torch: Any, run: Callable[[], Found]) -> tuple[Any, Found]:
    graph = torch.cuda.CUDAGraph()
    with _gc_paused():
        graph.capture_begin(capture_error_mode="thread_local")
        try:
            found = run()
        finally:
            graph.capture_end()
    return graph, found


@contextmanager
def _gc_paused() -> Iterator[None]:
    """Pause Python's garbage collector inside the block."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
