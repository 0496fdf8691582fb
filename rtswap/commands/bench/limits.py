"""Measure the peak rates of this machine, matrix products and copies, for the roofline."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from rtswap.core.errors import EngineError, ModelError
from rtswap.engines.starting import HALF, start
from rtswap.networks.onnx_graph import Graph

_SIDE, _LAYERS = 1024, 4
_COPIED_BYTES = 2**26
_TRIES = 10
_CPU_ENGINES = ("onnxruntime", "openvino")


@dataclass(frozen=True, slots=True)
class MachineLimits:
    """Peak rates per second."""

    gemm: float
    """Floating-point operations in matrix products; a multiply-add counts as two."""
    copy: float
    """Bytes read and written in the memory of the CPU or GPU."""
    up: float = 0.0
    """Bytes from the host to the GPU; 0 on a CPU."""
    down: float = 0.0
    """Bytes from the GPU to the host; 0 on a CPU."""
    half: float = 0.0
    """Like ``gemm``, in bfloat16 on a CPU that supports it; 0 otherwise."""
    told: Mapping[str, Any] = field(default_factory=dict)
    """The measurements, for reports."""

    def least_s(
        self, flops: float, moved: float, *, given: float = 0.0, taken: float = 0.0, half: bool = False
    ) -> float:
        """Return the minimum seconds for ``flops`` operations and ``moved`` bytes. ``given`` and ``taken``: bytes
        that cross the bus before and after; ``half``: in bfloat16 if the CPU is faster with it."""
        bus = (given / self.up if self.up else 0.0) + (taken / self.down if self.down else 0.0)
        return max(flops / (max(self.half, self.gemm) if half else self.gemm), moved / self.copy, bus)


def cpu_limits(threads: int, cache_dir: Path) -> MachineLimits:
    """Measure the CPU with ``threads`` threads: the best of NumPy and the installed engines, in float32 and
    bfloat16."""
    rng = np.random.default_rng(0)
    a, b = (rng.random((_SIDE, _SIDE), np.float32) for _ in range(2))
    out = np.empty_like(a)
    rates = {"numpy": 2 * _SIDE**3 / best(lambda: np.matmul(a, b, out=out))}
    content = _products(b / _SIDE)
    for name in (*_CPU_ENGINES, *HALF.values()):
        try:
            engine = start(name, "products", content, threads, cache_dir)
        except (ImportError, EngineError, ModelError):
            continue
        took_s = best(lambda engine=engine: engine.run({"x": a}))  # type: ignore[misc]
        rates[name] = 2 * _SIDE**3 * _LAYERS / took_s
    source = np.zeros(_COPIED_BYTES, np.uint8)
    to = np.ones_like(source)
    copy = 2 * _COPIED_BYTES / best(lambda: np.copyto(to, source))
    by = {name: round(rate / 1e9, 1) for name, rate in rates.items()}
    full = max(rate for name, rate in rates.items() if name not in HALF.values())
    half = max((rate for name, rate in rates.items() if name in HALF.values()), default=0.0)
    told = {"what": "float32 on the CPU", "gemm_gflops": round(full / 1e9, 1), "by": by}
    return MachineLimits(full, copy, half=half, told=told | {"copy_gb_s": round(copy / 1e9, 1)})


def gpu_limits(torch: Any, *, low: bool = True, device: str = "cuda", side: int = 8192) -> MachineLimits:
    """Measure the GPU with CUDA events, in float16 if ``low``, else in float32 without TF32."""
    kind = torch.float16 if low else torch.float32
    a, b = (torch.randn(side, side, device=device, dtype=kind) for _ in range(2))
    product = torch.empty_like(a)
    gemm = 2 * side**3 / _best_on_gpu(torch, device, lambda: torch.mm(a, b, out=product))
    count = side * side * 4
    first, second = (torch.empty(count, dtype=torch.uint8, device=device) for _ in range(2))
    host = torch.empty(count, dtype=torch.uint8, pin_memory=device == "cuda")
    copy = 2 * count / _best_on_gpu(torch, device, lambda: second.copy_(first))
    up = count / _best_on_gpu(torch, device, lambda: first.copy_(host, non_blocking=True))
    down = count / _best_on_gpu(torch, device, lambda: host.copy_(first, non_blocking=True))
    told = {
        "what": f"{'float16' if low else 'float32'} on the GPU",
        "gemm_gflops": round(gemm / 1e9, 1),
        "copy_gb_s": round(copy / 1e9, 1),
        "upload_gb_s": round(up / 1e9, 1),
        "download_gb_s": round(down / 1e9, 1),
    }
    return MachineLimits(gemm, copy, up, down, told=told)


def best(run: Callable[[], Any], tries: int = _TRIES) -> float:
    """Return the minimum seconds of ``tries`` runs after a warm-up run; other load can only add time."""
    run()
    return min(_time(run) for _ in range(tries))


def _time(run: Callable[[], Any]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def _best_on_gpu(torch: Any, device: str, run: Callable[[], Any]) -> float:
    if device != "cuda":
        return best(run)
    times = []
    for _ in range(_TRIES + 2):
        before, after = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        before.record()
        run()
        after.record()
        after.synchronize()
        times.append(float(before.elapsed_time(after)) / 1e3)
    return min(times[2:])


def _products(weight: Any) -> bytes:
    """Return an ONNX network that multiplies by the same matrix several times."""
    g = Graph("products")
    w, x = g.constant(weight), "x"
    for layer in range(_LAYERS):
        x = g.add("MatMul", x, w, to="y" if layer == _LAYERS - 1 else None)
    return g.serialise({"x": [_SIDE, _SIDE]}, {"y": [_SIDE, _SIDE]}, {}, pixels=False)
