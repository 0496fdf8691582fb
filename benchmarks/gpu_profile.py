"""Profile a frame on a GPU: 720p, one face, the renderer of ``rtswap --engine torch-cuda``.

    python benchmarks/gpu_profile.py --out profile.txt             # on a GPU: ten seconds
    python benchmarks/gpu_profile.py --device cpu --frames 3       # smoke test with torch on the CPU

First Python's profiler (host time), then torch's (kernel launches and device time). Both slow down the code, so only
the shares are meaningful, not the totals. Graphs that could not be captured are listed.
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import io
import pstats
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from gpu import SIZES
from gpu_loop import Loop

from rtswap.gpu.graphs import Captured
from rtswap.gpu.torch_import import load_torch

torch = load_torch()

ROWS = 70


def by_python(frame: Callable[[], Any], frames: int) -> str:
    """Return the host's profile, by cumulative time, then by own time."""
    profile = cProfile.Profile()
    profile.enable()
    for _ in range(frames):
        frame()
    profile.disable()
    told = io.StringIO()
    figures = pstats.Stats(profile, stream=told)
    for order in ("cumulative", "tottime"):
        figures.sort_stats(order).print_stats(ROWS)
    return told.getvalue()


def by_torch(frame: Callable[[], Any], frames: int, device: str) -> str:
    """Return torch's profile: launches and device time."""
    kinds = torch.profiler.ProfilerActivity
    with torch.profiler.profile(activities=[kinds.CPU, *([kinds.CUDA] if device == "cuda" else [])]) as profile:
        for _ in range(frames):
            frame()
    found = profile.key_averages()
    orders = ("self_cpu_time_total", *(("self_device_time_total",) if device == "cuda" else ()))
    return "\n".join(found.table(sort_by=order, row_limit=ROWS // 2, max_name_column_width=70) for order in orders)


def not_captured() -> str:
    """Return a line for each function that runs without a CUDA graph."""
    held = [one for one in gc.get_objects() if type(one) is Captured and one.failed]
    return "\n".join(f"not captured: {one.name}: {one.failed}" for one in held) or "all graphs were captured"


def main(arguments: Sequence[str] | None = None) -> str:
    """Profile, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--out", type=Path, help="write the profile to this file")
    options = parser.parse_args(arguments)
    loop = Loop(options.device, SIZES["720p"], 1, "captured")
    for _ in range(min(options.frames, 30)):
        loop.frame()
    parts = [by_python(loop.frame, options.frames), by_torch(loop.frame, options.frames, options.device)]
    told = "\n".join([f"{options.frames} frames", not_captured(), *parts])
    print(told)
    if options.out:
        options.out.write_text(told, "utf-8")
    return told


if __name__ == "__main__":
    main()
