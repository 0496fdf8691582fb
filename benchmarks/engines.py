"""Measure each network, and a 175-GMAC generator, on each CPU engine.

    python benchmarks/engines.py [--json results.json] [--threads 2] [--no-generator]

Method: engines take turns on the same input; the first runs are discarded (warm-up; one for the generator); the
median and the 10th and 90th percentiles of the rest are reported. Times are of one ``Engine.run``, NumPy array in,
NumPy arrays out. Ratios are of medians of this run. The generator has the layers of SimSwap's and inswapper_128's
published shape (target 1 x 3 x 128 x 128, identity 1 x 512, six blocks of two 3 x 3 convolutions at 1024 channels and
32 x 32, each modulated by the identity) with random weights; its multiply-adds are counted while it is built. It
takes 530 MB per engine.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from results_file import tell

from rtswap.core.protocols import Engine
from rtswap.engines.measurement import difference
from rtswap.engines.onnxruntime import OnnxRuntimeEngine
from rtswap.engines.openvino import OpenVinoEngine
from rtswap.networks.onnx_graph import Graph
from rtswap.networks.registry import Registry

Make = Callable[[bytes], Engine]
Inputs = Mapping[str, NDArray[Any]]

LIVE = ("landmarks x1", "occlusion x1")
"""The networks that run once per frame for a tracked face."""


@dataclass(frozen=True)
class Case:
    """One network and one input."""

    name: str
    content: bytes
    inputs: Inputs
    runs: int
    warm_up: int = 5
    gmacs: float | None = None


class Generator:
    """The graph of a generator, layer by layer, with its multiply-adds counted."""

    def __init__(self) -> None:
        self.g = Graph("generator")
        self.rng = np.random.default_rng(0)
        self.macs = 0

    def conv(self, x: str, out: int, into: int, kernel: int, side: int, step: int = 1) -> str:
        """Add a convolution with an output ``side`` pixels wide."""
        self.macs += out * into * kernel * kernel * side * side
        weights = self.rng.standard_normal((out, into, kernel, kernel), np.float32) / np.float32(
            kernel * np.sqrt(into)
        )
        bias = np.zeros(out, np.float32)
        pads = [kernel // 2] * 4
        return self.g.conv(x, weights, bias, pads=pads, strides=[step, step])

    def style(self, x: str, identity: str, channels: int) -> str:
        """Add AdaIN: normalise every channel to mean 0 and deviation 1, then scale and shift it by the identity."""
        g = self.g
        self.macs += 512 * 2 * channels
        plain = g.add(
            "InstanceNormalization",
            x,
            g.constant(np.ones(channels, np.float32)),
            g.constant(np.zeros(channels, np.float32)),
        )
        style = []
        for _ in range(2):
            weights = self.rng.standard_normal((512, channels), np.float32) / np.float32(23)
            row = g.dense(identity, weights, np.zeros(channels, np.float32))
            style.append(g.add("Reshape", row, g.constant(np.array([1, channels, 1, 1], np.int64))))
        return g.add("Add", g.add("Mul", plain, style[0]), style[1])

    def build(self) -> tuple[bytes, float]:
        """Return the ONNX file and its GMACs."""
        g = self.g
        x = g.add("Relu", self.conv("target", 128, 3, 7, 128))
        x = g.add("Relu", self.conv(x, 256, 128, 3, 128))
        x = g.add("Relu", self.conv(x, 512, 256, 3, 64, step=2))
        x = g.add("Relu", self.conv(x, 1024, 512, 3, 32, step=2))
        for _ in range(6):
            y = g.add("Relu", self.style(self.conv(x, 1024, 1024, 3, 32), "source", 1024))
            x = g.add("Add", x, self.style(self.conv(y, 1024, 1024, 3, 32), "source", 1024))
        for out, into, side in ((512, 1024, 64), (256, 512, 128)):
            x = g.add("Resize", x, "", g.constant(np.array([1, 1, 2, 2], np.float32)), mode="linear")
            x = g.add("Relu", self.conv(x, out, into, 3, side))
        x = g.add("Relu", self.conv(x, 128, 256, 3, 128))
        g.add("Sigmoid", self.conv(x, 3, 128, 7, 128), to="output")
        shapes = {"target": [1, 3, 128, 128], "source": [1, 512]}
        return g.serialise(shapes, {"output": [1, 3, 128, 128]}, {}, pixels=False), self.macs / 1e9


def live_cases(registry: Registry) -> list[Case]:
    """Return the networks of the live loop, with the inputs they get at 1280 x 720."""
    rng = np.random.default_rng(0)
    shapes = {
        "pnet 72 px faces": ("pnet", "image", (1, 120, 512, 3), 30),
        "pnet 60 px faces": ("pnet", "image", (1, 144, 612, 3), 30),
        "rnet x16": ("rnet", "image", (16, 24, 24, 3), 60),
        "rnet x64": ("rnet", "image", (64, 24, 24, 3), 30),
        "onet x1": ("onet", "image", (1, 48, 48, 3), 60),
        "onet x4": ("onet", "image", (4, 48, 48, 3), 60),
        "landmarks x1": ("landmarks", "crops", (1, 128, 128, 3), 60),
        "landmarks x3": ("landmarks", "crops", (3, 128, 128, 3), 30),
    }
    cases = [
        Case(name, registry.path(model).read_bytes(), {key: rng.integers(0, 256, shape, dtype=np.uint8)}, runs)
        for name, (model, key, shape, runs) in shapes.items()
    ]
    crops, guides = (rng.integers(0, 256, shape, dtype=np.uint8) for shape in ((1, 128, 128, 3), (1, 128, 128)))
    before = {"crops": crops, "guides": guides}
    return [*cases, Case("occlusion x1", registry.path("occlusion").read_bytes(), before, 60)]


def generator_case() -> Case:
    """Return the generator and one input."""
    content, gmacs = Generator().build()
    rng = np.random.default_rng(0)
    target = rng.random((1, 3, 128, 128), np.float32)
    return Case(
        "generator", content, {"target": target, "source": rng.standard_normal((1, 512), np.float32)}, 2, 0, gmacs
    )


def measure(case: Case, engines: Mapping[str, Make]) -> dict[str, Any]:
    """Return milliseconds per run of every engine, and whether their outputs agree."""
    started = {name: make(case.content) for name, make in engines.items()}
    outputs = {name: dict(engine.run(case.inputs)) for name, engine in started.items()}
    first, *others = outputs
    result: dict[str, Any] = {"gmacs": case.gmacs and round(case.gmacs, 1), "runs": case.runs}
    result["disagreement"] = {name: difference(outputs[first], outputs[name]) for name in others}
    taken: dict[str, list[float]] = {name: [] for name in started}
    for turn in range(case.warm_up + case.runs):
        for name, engine in started.items():
            begin = time.perf_counter()
            engine.run(case.inputs)
            if turn >= case.warm_up:
                taken[name].append(1e3 * (time.perf_counter() - begin))
    for name, times in taken.items():
        p10, p50, p90 = (round(float(value), 3) for value in np.percentile(times, [10, 50, 90]))
        result[name] = {"median_ms": p50, "p10_ms": p10, "p90_ms": p90}
    return result


def machine(threads: int) -> dict[str, Any]:
    """Return the machine and the versions that the figures are valid for."""
    info = Path("/proc/cpuinfo")
    names = [
        line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")
    ]
    return {
        "processor": names[0] if names else platform.processor(),
        "cores": os.cpu_count(),
        "load_average": os.getloadavg()[0],
        "threads": threads,
        "system": platform.platform(),
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in ("numpy", "onnxruntime", "openvino")},
    }


def ratios(results: Mapping[str, Any], engines: Mapping[str, Make]) -> dict[str, float]:
    """Return the ratios of this run's medians."""
    found = {
        f"{name}: openvino / onnxruntime": case["openvino"]["median_ms"] / case["onnxruntime"]["median_ms"]
        for name, case in results.items()
    }
    if "generator" in results:
        for engine in engines:
            live = sum(results[name][engine]["median_ms"] for name in LIVE)
            found[f"generator / networks of a tracked frame, {engine}"] = (
                results["generator"][engine]["median_ms"] / live
            )
    return {name: round(value, 3) for name, value in found.items()}


def main() -> None:
    """Measure, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the results here")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--no-generator", action="store_true", help="leave the 175-GMAC graph out: 4 s instead of 30")
    options = parser.parse_args()
    engines: dict[str, Make] = {
        "onnxruntime": lambda content: OnnxRuntimeEngine(content, threads=options.threads),
        "openvino": lambda content: OpenVinoEngine(content, threads=options.threads),
    }
    with tempfile.TemporaryDirectory() as folder:
        cases = live_cases(Registry(Path(folder)))
        results = {case.name: measure(case, engines) for case in cases}
    if not options.no_generator:
        results["generator"] = measure(generator_case(), engines)
    report = {
        "machine": machine(options.threads),
        "results": results,
        "ratios": ratios(results, engines),
    }
    tell(report, options.json)


if __name__ == "__main__":
    main()
