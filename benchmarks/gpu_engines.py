"""Measure each network on each GPU engine against float32 on the CPU, with the roofline.

    python benchmarks/gpu_engines.py --json benchmarks/results/gpu_engines.json [--onnx mine.onnx ...] [--seconds 0.3]
    python benchmarks/gpu_engines.py --device cpu        # smoke test without a GPU: torch on the CPU

Method: faces as input; times are of one ``Engine.run``, NumPy array in, NumPy arrays out, including copies and one
synchronisation; warm-up is discarded (two seconds for TensorRT for RTX, which compiles in the background); median and
90th percentile. Start is the time until the engine's first result: cold, and again with the caches filled by the cold
start. Multiply-adds are counted from the graph. The card's limits are
measured as by ``rtswap bench``: the best of ten matrix products of 8192 x 8192 in float16, timed with CUDA events.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from rtswap.commands.bench.costs import multiply_adds
from rtswap.commands.bench.limits import gpu_limits
from rtswap.core.errors import RtswapError
from rtswap.core.protocols import Engine
from rtswap.core.types import Tensor
from rtswap.engines.build.profiles import profile_of
from rtswap.engines.measurement import difference
from rtswap.engines.onnxruntime import OnnxRuntimeEngine
from rtswap.engines.samples import fill_with_faces
from rtswap.engines.tensorrt.engine import TensorRtEngine
from rtswap.engines.torch.engine import TorchEngine
from rtswap.gpu.card import load_torch
from rtswap.networks.catalog import load_catalog
from rtswap.networks.registry import Registry

BATCHES = (1, 4, 16)
SIDE = 256
"""Input side in pixels for networks with a dynamic size."""
Make = Callable[[Path, str, Path], Engine]


def engines_for(device: str) -> dict[str, Make]:
    """Name -> function that starts the engine from (file, network, cache)."""

    def torch(precision: str) -> Make:
        return lambda path, name, cache: TorchEngine(
            path, device=device, precision=precision, keep=profile_of(name).keep
        )

    def tensorrt(precision: str) -> Make:
        return lambda path, name, cache: TensorRtEngine(path, network=name, precision=precision, cache_dir=cache)

    found = {f"torch-{device}-{precision}": torch(precision) for precision in ("fp32", "fp16")}
    if device == "cuda":
        found |= {f"tensorrt-{precision}": tensorrt(precision) for precision in ("fp32", "fp16", "bf16")}
    return found


def inputs_of(model: onnx.ModelProto, batch: int) -> dict[str, Tensor]:
    found = {}
    for value in model.graph.input:
        lengths = [length.dim_value for length in value.type.tensor_type.shape.dim]
        shape = [length or (batch if axis == 0 else SIDE) for axis, length in enumerate(lengths)]
        found[value.name] = np.zeros(shape, onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type))
    return fill_with_faces(found)


def measure(
    path: Path, name: str, make: Make, truth: Mapping[str, Tensor], inputs: Mapping[str, Tensor], s: float
) -> dict[str, Any]:
    """Return start times, agreement and run times of one network on one engine; or why it does not run."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            starts = []
            for _ in range(2):
                began = time.perf_counter()
                engine = make(path, name, Path(folder))
                outputs = {key: value.copy() for key, value in engine.run(inputs).items()}
                starts.append(round(time.perf_counter() - began, 3))
                finish = getattr(engine, "_finalizer", None)
                if finish is not None:
                    _run_for(engine, inputs, 2.0)
                    finish()
            times = _run_for(engine, inputs, s)
    except RtswapError as error:
        return {"failed": str(error)}
    low = None if engine.name.endswith(("fp32", "cuda", "cpu")) else profile_of(name).tolerance
    found = {
        "median_ms": round(1e3 * float(np.median(times)), 4),
        "p90_ms": round(1e3 * float(np.percentile(times, 90)), 4),
        "runs": len(times),
        "start_cold_s": starts[0],
        "start_warm_s": starts[1],
        "disagreement": difference(truth, outputs, low),
        "off": {key: float(np.abs(outputs[key] - value).max()) for key, value in truth.items()},
    }
    if without := getattr(engine, "without_graph", ""):
        found["without_graph"] = without
    return found


def _run_for(engine: Engine, inputs: Mapping[str, Tensor], seconds: float) -> list[float]:
    for _ in range(5):
        engine.run(inputs)
    times: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 5:
        began = time.perf_counter()
        engine.run(inputs)
        times.append(time.perf_counter() - began)
    return times


def machine(torch: Any, device: str) -> dict[str, Any]:
    found = {"system": platform.platform(), "python": platform.python_version(), "torch": torch.__version__}
    found |= {"cores": os.cpu_count(), "load_average": os.getloadavg()[0], "onnx": onnx.__version__}
    if device == "cuda":
        found |= {"gpu": torch.cuda.get_device_name(0), "capability": torch.cuda.get_device_capability(0)}
        found |= {"cuda": torch.version.cuda, **gpu_limits(torch).told}
    return found


def files(named: Sequence[str]) -> dict[str, Path]:
    registry = Registry()
    found = {}
    for name in load_catalog():
        try:
            found[name] = registry.path(name)
        except RtswapError as error:
            print(f"left out: {name}: {error}")
    return found | {Path(one).stem: Path(one) for one in named}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--onnx", nargs="*", default=[], help="further networks")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--seconds", type=float, default=0.3, help="measured per case")
    parser.add_argument("--only", nargs="*", help="networks of the catalogue")
    given = parser.parse_args()
    torch = load_torch()
    report: dict[str, Any] = {"machine": machine(torch, given.device), "left_out": {}, "networks": {}}
    engines = engines_for(given.device)
    for name, path in files(given.onnx).items():
        if given.only and name not in given.only:
            continue
        model = onnx.load(path)
        reference = OnnxRuntimeEngine(path, threads=os.cpu_count() or 1)
        for batch in (1,) if name == "pnet" else BATCHES:
            inputs = inputs_of(model, batch)
            case: dict[str, Any] = {"gmacs": round(multiply_adds(model, inputs) / 1e9, 4)}
            truth = {key: value.copy() for key, value in reference.run(inputs).items()}
            for engine, make in list(engines.items()):
                found = measure(path, name, make, truth, inputs, given.seconds)
                case[engine] = found
                if "do not run on compute capability" in found.get("failed", ""):  # the same for every network
                    report["left_out"][engine] = found["failed"]
                    del engines[engine]
                if "median_ms" in found:
                    found["tflops"] = round(2 * case["gmacs"] / found["median_ms"], 3)
                print(f"{name} x{batch} {engine}: {found.get('failed') or found['median_ms']}", flush=True)
            report["networks"][f"{name} x{batch}"] = case
            if given.json:  # after each case, so that an interrupted run keeps its results
                given.json.write_text(json.dumps(report, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
