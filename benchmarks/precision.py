"""Measure the error of each network in float16 and bfloat16 against float32, on real crops; see docs/precision.md.

    python benchmarks/precision.py [--out docs/precision.md] [--json benchmarks/results/precision.json]

Method: the personas move in front of a plain background, and all network inputs are recorded. The graph is rewritten
as for TensorRT, then back to float32 with a rounding after every operator that is computed in low precision. This
emulates a GPU, which sums in float32 and stores in the low type, without needing one: ONNX Runtime computes it. The
order of a GPU's sums is not emulated.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper, shape_inference

from rtswap.app.config import Config
from rtswap.app.console import Console
from rtswap.app.networks import FaceModels, Networks, bind_models
from rtswap.app.program import Program
from rtswap.core.protocols import Engine
from rtswap.core.types import Frame, Quality, SourceIdentity, Tensor
from rtswap.engines.build.pixels import cast_pixels_first
from rtswap.engines.build.precision import SENSITIVE, lower_precision
from rtswap.engines.build.profiles import profiles
from rtswap.engines.samples import fill_with_faces
from rtswap.engines.telemetry import no_telemetry
from rtswap.networks.registry import Registry
from rtswap.source.portrait import find_landmarks
from rtswap.vision.talking_head import AnimatedHead, clip, persona

with no_telemetry():
    import onnxruntime as ort

PEOPLE = ("ada", "ben", "carl", "dan")
FRAMES = 8
MOST_INPUTS = 24
"""Inputs per network: enough to include the worst case, few enough to take less than a minute."""
UNITS = {
    "map": "logit, box sizes",
    "score": "probability",
    "box": "box sizes",
    "points": "box sizes",
    "visibility": "probability",
    "presence": "probability",
    "visible": "probability",
    "frames": "probability",
    "embedding": "length of the vector",
    "gains": "factor",
    **dict.fromkeys(("fine", "middle", "coarse"), "score, cells"),
    "detail": "levels of 255",
}
Inputs = Mapping[str, Tensor]


class Recorder:
    """An engine that records its inputs."""

    def __init__(self, engine: Engine, kept: list[Inputs]) -> None:
        self._engine, self._kept = engine, kept

    @property
    def name(self) -> str:
        return self._engine.name

    def run(self, inputs: Inputs) -> Inputs:
        self._kept.append({name: value.copy() for name, value in inputs.items()})
        return self._engine.run(inputs)


def record() -> dict[str, list[Inputs]]:
    """Return network -> its inputs while four personas are swapped."""
    kept: dict[str, list[Inputs]] = {name: [] for name in profiles()}
    config = Config()  # these use every network
    config = replace(
        config,
        swap=replace(config.swap, swapper="refiner", detail="restore"),
        tracking=replace(config.tracking, follow="person"),
        mask=replace(config.mask, masks=(*config.mask.masks, "occlusion")),
    )
    networks = Networks(config, on_event=lambda text: None)
    models = bind_models(networks, config, partial(_recorder, networks, kept))
    portraits = {name: (persona(name), _landmarks(models, name)) for name in PEOPLE}
    for source, target in zip(PEOPLE, PEOPLE[1:] + PEOPLE[:1], strict=True):
        who = SourceIdentity(*portraits[source], name=source)
        pipeline = Program(config, on_event=lambda text: None, models=models, sources=[who]).pipeline()
        head = AnimatedHead(*portraits[target], 220)
        for index, image in enumerate(clip([head], (640, 480), fps=6, frames=FRAMES)):
            pipeline.process(Frame(image, index, index / 6), Quality())
    kept["dlib"] = [{"image": np.stack([_square(persona(name), 150) for name in PEOPLE])}]
    kept["glasses"] = [fill_with_faces({"strips": np.zeros((4, 96, 192, 3), np.uint8)})]  # none of them wears any
    return {name: _spread(inputs) for name, inputs in kept.items()}


def _recorder(networks: Networks, kept: Mapping[str, list[Inputs]], name: str) -> Recorder:
    return Recorder(networks.open((name,))[name], kept[name])


def _landmarks(models: FaceModels, name: str) -> Any:
    picture = persona(name)
    mesh = models.landmarks.find(picture, [models.detector.detect(picture)[0].keypoints])[0].points
    return find_landmarks(models.landmarks, picture, mesh)


def _square(picture: Tensor, side: int) -> Tensor:
    import cv2

    return np.asarray(cv2.resize(picture[60:460, 60:460], (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def _spread(inputs: Sequence[Inputs]) -> list[Inputs]:
    step = max(1, len(inputs) // MOST_INPUTS)
    return list(inputs[::step][:MOST_INPUTS])


def rounding(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a float32 network that rounds wherever the lowered one stores in low precision."""
    low = {TensorProto.FLOAT16, TensorProto.BFLOAT16}
    typed = shape_inference.infer_shapes(model).graph
    kinds = {one.name: one.type.tensor_type.elem_type for one in (*typed.input, *typed.value_info, *typed.output)}
    result = onnx.ModelProto()
    result.CopyFrom(model)
    nodes: list[onnx.NodeProto] = []
    for node in result.graph.node:
        for attribute in node.attribute:
            if attribute.name == "to" and attribute.i in low:
                attribute.i = TensorProto.FLOAT
            elif attribute.type == onnx.AttributeProto.TENSOR and attribute.t.data_type in low:
                attribute.t.CopyFrom(_float(attribute.t))
        nodes.append(node)
        for place, name in enumerate(node.output):
            if kinds.get(name) in low:
                node.output[place] = f"{name}/exact"
                nodes.append(helper.make_node("Cast", [f"{name}/exact"], [f"{name}/short"], to=kinds[name]))
                nodes.append(helper.make_node("Cast", [f"{name}/short"], [name], to=TensorProto.FLOAT))
    weights = [_float(tensor) if tensor.data_type in low else tensor for tensor in result.graph.initializer]
    del result.graph.node[:], result.graph.initializer[:], result.graph.value_info[:]
    result.graph.node.extend(nodes)
    result.graph.initializer.extend(weights)
    return result


def _float(tensor: TensorProto) -> TensorProto:
    return numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float32), tensor.name)


def run(model: onnx.ModelProto, inputs: Sequence[Inputs]) -> list[Inputs]:
    """Return the outputs for each of ``inputs``, without graph optimisations, which would remove roundings."""
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    options.intra_op_num_threads = 2
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_outputs()]
    return [dict(zip(names, session.run(names, dict(one)), strict=True)) for one in inputs]


def measure(name: str, inputs: Sequence[Inputs], precision: str, keep: Sequence[str] = ()) -> dict[str, Any]:
    """Return output -> largest and 99th percentile difference from float32, and the largest value."""
    model = cast_pixels_first(onnx.load(Registry().path(name)))
    truth = run(model, inputs)
    found = run(rounding(lower_precision(model, precision, keep)), inputs)
    rows = {}
    for output in truth[0]:
        pairs = zip(truth, found, strict=True)
        off = np.concatenate([np.abs(one[output] - other[output]).ravel() for one, other in pairs])
        rows[output] = {
            "largest": float(off.max()),
            "p99": float(np.percentile(off, 99)),
            "scale": max(float(np.abs(one[output]).max()) for one in truth),
        }
    return rows


def table(results: Mapping[str, Any]) -> str:
    titles = ("network", "output", "unit", "largest value", "float16: largest, 99 %", "bfloat16: largest, 99 %")
    lines = [f"| {' | '.join(titles)} | may be off | runs in |", "|---" * (len(titles) + 2) + "|"]
    for name, found in results.items():
        for output, half in found["fp16"].items():
            brain = found["bf16"][output]
            allowed = profiles()[name].tolerance.get(output)
            unit = "px of 128" if (name, output) == ("landmarks", "points") else UNITS[output]
            runs = profiles()[name].precision + (", some layers in fp32" if profiles()[name].keep else "")
            lines.append(
                f"| {name} | {output} | {unit} | {half['scale']:.3g} "
                f"| {half['largest']:.2g}, {half['p99']:.2g} | {brain['largest']:.2g}, {brain['p99']:.2g} "
                f"| {allowed:g} | {runs} |"
            )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", help="write the table between the markers in this file")
    parser.add_argument("--json", help="write the figures to this file")
    given = parser.parse_args()
    console = Console()
    inputs = record()
    results = {}
    for number, name in enumerate(profiles()):
        console.progress(number, len(profiles()), name)
        keep = profiles()[name].keep
        results[name] = {how: measure(name, inputs[name], how, keep) for how in ("fp16", "bf16")}
        results[name]["inputs"] = len(inputs[name])
    console.progress(len(profiles()), len(profiles()))
    console.finish()
    print(table(results))
    if given.json:
        figures = {"stays in float32": sorted(SENSITIVE), "networks": results}
        Path(given.json).write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    if given.out:
        path = Path(given.out)
        before, _, rest = path.read_text("utf-8").partition("<!-- table -->\n")
        after = rest.partition("<!-- end -->")[2]
        path.write_text(f"{before}<!-- table -->\n{table(results)}\n<!-- end -->{after}", "utf-8")


if __name__ == "__main__":
    main()
