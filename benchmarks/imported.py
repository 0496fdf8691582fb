"""Measure what an imported swapper costs beyond its network, and what ``--boost 2`` costs.

    python benchmarks/imported.py [--json results.json] [--threads 2] [--runs 9]

The network is the 175-GMAC generator of ``benchmarks/engines.py`` with inswapper_128's inputs, output and last
initialiser, added by ``rtswap models add``'s own code. ``overhead``: crop from a 1280 x 720 frame, conversions, mask
and paste for a face of 250 px, as the time of the whole less that of the network inside it; medians of wall time, and
of the processor time of the one thread, which other load on the machine changes less. ``without a network``: the same
with a network that does nothing, whose time is all overhead. ``boost 2``: alternating with 1. Times in ms.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
from engines import Generator
from onnx import TensorProto, helper, numpy_helper
from results_file import tell

from rtswap.compositing.canvas.host import HostCanvas
from rtswap.core.machine import processor_name
from rtswap.core.protocols import Engine
from rtswap.core.types import Image, Points, Quality, SourceIdentity, Target, Tensor
from rtswap.engines.openvino import OpenVinoEngine
from rtswap.networks.catalog import imported_models
from rtswap.networks.installed_models import LATENT
from rtswap.networks.model_catalog import model_catalog
from rtswap.networks.model_store import add
from rtswap.swappers.onnx.identity import Latent
from rtswap.swappers.onnx.swapper import OnnxSwapModel
from rtswap.vision.geometry import canonical, transform

WIDTH, HEIGHT, FACE_PX = 1280, 720, 250.0
RUNS_WITHOUT = 100
WARM_UP, PAIRS = 4, 3


class Timed:
    """An engine that adds up its own time."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self.spent_s, self.cpu_s, self.runs = engine, 0.0, 0.0, 0

    @property
    def name(self) -> str:
        return self._engine.name

    def run(self, inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        began, worked = time.perf_counter(), time.thread_time()
        found = self._engine.run(inputs)
        self.spent_s += time.perf_counter() - began
        self.cpu_s += time.thread_time() - worked
        self.runs += 1
        return found


def with_emap(content: bytes) -> bytes:
    """The generator with a map of embeddings as its last initialiser."""
    model = onnx.ModelProto.FromString(content)
    emap = np.random.default_rng(0).normal(size=(512, 512)).astype(np.float32)
    model.graph.initializer.append(numpy_helper.from_array(emap, "emap"))
    return bytes(model.SerializeToString())


def nothing() -> bytes:
    """A network of the same signature that gives back what it is given."""
    shapes = {"target": [1, 3, 128, 128], "source": [1, 512]}
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]
    output = helper.make_tensor_value_info("output", TensorProto.FLOAT, shapes["target"])
    nodes = [
        helper.make_node("ReduceMean", ["source"], ["mean"], axes=[0, 1], keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["none"]),
        helper.make_node("Add", ["target", "none"], ["output"]),
    ]
    zero = numpy_helper.from_array(np.zeros(1, np.float32), "zero")
    graph = helper.make_graph(nodes, "nothing", inputs, [output], [zero])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return with_emap(made.SerializeToString())


def open_model(folder: Path, name: str, content: bytes, threads: int) -> tuple[OnnxSwapModel, Timed, Timed, float]:
    """Add a file and open it; returns the model, its engine, that of the latent, and the seconds of adding."""
    path = folder / f"{name}.onnx"
    path.write_bytes(content)
    began = time.perf_counter()
    (model,) = add(path, kind="inswapper", name=name)
    took_s = time.perf_counter() - began
    path.unlink()
    entry, family = imported_models()[name], model_catalog().families["inswapper"]
    engine = Timed(OpenVinoEngine(model.folder / f"{name}.onnx", threads=threads))
    latent = Timed(OpenVinoEngine(model.folder / f"{name}{LATENT}.onnx", threads=1))
    return OnnxSwapModel(engine, entry, family, Latent(family, latent)), engine, latent, took_s


def landmarks() -> Points:
    """A face of ``FACE_PX`` in the middle of the frame, tilted, so that nothing is aligned to whole pixels."""
    mesh = canonical().mesh
    scale = FACE_PX / np.ptp(mesh[:, 0])
    turn = np.array([[0.98, -0.2, WIDTH / (2 * scale)], [0.2, 0.98, HEIGHT / (2 * scale)]], np.float32) * scale
    return transform(turn.astype(np.float32), mesh)


def face(
    model: OnnxSwapModel, source: SourceIdentity, frame: Image, engine: Timed, runs: int, warm_up: int = 1
) -> tuple[float, float, float]:
    """Medians in ms over ``runs`` frames after ``warm_up``: of all, of all but the network, and of the latter's
    processor time."""
    swapper, mesh = model.bind(source), landmarks()
    whole, rest, cpu = [], [], []
    for number in range(-warm_up, runs):
        picture = frame.copy()
        before, before_cpu, worked, began = engine.spent_s, engine.cpu_s, time.thread_time(), time.perf_counter()
        canvas = HostCanvas(picture)
        matrix, size = swapper.view(mesh, 480)
        crop = canvas.crop(matrix, size)
        target = Target(1, crop, transform(matrix, mesh), np.ones(468, np.float32), number / 30)
        swapped = swapper.swap(target, Quality())
        canvas.paste(swapped.crop, swapped.mask, matrix)
        took = time.perf_counter() - began
        if number >= 0:
            whole.append(took)
            rest.append(took - (engine.spent_s - before))
            cpu.append(time.thread_time() - worked - (engine.cpu_s - before_cpu))
    median = statistics.median
    return 1e3 * median(whole), 1e3 * median(rest), 1e3 * median(cpu)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=9)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    frame = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    vector = np.full(512, 512**-0.5, np.float32)
    source = SourceIdentity(frame[:64, :64], canonical().mesh, identity=lambda space: vector)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        os.environ["RTSWAP_MODELS"] = str(folder / "models")
        model, engine, _, _ = open_model(folder, "nothing", nothing(), options.threads)
        _, without_ms, without_cpu_ms = face(model, source, frame, engine, RUNS_WITHOUT)
        content, gmacs = Generator().build()
        model, engine, latent, add_s = open_model(folder, "generator", with_emap(content), options.threads)
        whole_ms, overhead_ms, overhead_cpu_ms = face(model, source, frame, engine, options.runs, WARM_UP)
        latents = latent.runs
        plain, boosted = [], []
        for _ in range(PAIRS):
            model.boost = 1
            plain.append(face(model, source, frame, engine, 1)[0])
            model.boost = 2
            boosted.append(face(model, source, frame, engine, 1)[0])
        boosted_ms = statistics.median(boosted)
        ratio = boosted_ms / statistics.median(plain)
    figures: dict[str, Any] = {
        "command": "python benchmarks/imported.py",
        "machine": f"{processor_name()}, {os.cpu_count()} cores, {platform.python_version()}",
        "load_before": os.getloadavg()[0],
        "threads": options.threads,
        "engine": engine.name,
        "gmacs": round(gmacs, 1),
        "megabytes": round(len(content) / 1e6),
        "add_s": round(add_s, 2),
        "latents per source": latents,
        "face_ms": round(whole_ms, 1),
        "overhead_ms": round(overhead_ms, 2),
        "overhead_processor_ms": round(overhead_cpu_ms, 2),
        "without_a_network_ms": round(without_ms, 2),
        "without_a_network_processor_ms": round(without_cpu_ms, 2),
        "boost_2_ms": round(boosted_ms, 1),
        "boost_2_over_1": round(ratio, 2),
    }
    tell(figures, options.json)


if __name__ == "__main__":
    main()
