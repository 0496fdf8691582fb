"""Small ONNX files with the inputs, outputs and initialisers of the models that users import, and a behaviour that
can be foreseen: a swapper gives back the crop it is shown."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT, DOUBLE = TensorProto.FLOAT, TensorProto.DOUBLE
Shape = list[int | str]
EMAP = np.random.default_rng(5).normal(size=(512, 512)).astype(np.float32) / 20
"""What the made-up inswapper maps embeddings by."""
SWAPPERS = {
    "inswapper": ("target", [1, 3, 128, 128], [1, 512]),
    "simswap": ("target", ["batch", 3, 256, 256], ["batch", 512]),
    "ghost": ("target", ["batch", 3, 256, 256], ["batch", 512]),
    "hififace": ("target", [1, 3, 256, 256], [1, 512]),
    "hyperswap": ("target", ["batch", 3, 256, 256], ["batch", 512]),
    "blendswap": ("target", [1, 3, 256, 256], [1, 3, 112, 112]),
    "uniface": ("target", [1, 3, 256, 256], [1, 3, 256, 256]),
}
"""Family -> name and shape of the target, shape of the source."""


def file(
    nodes: list[onnx.NodeProto],
    inputs: Mapping[str, Shape],
    outputs: Mapping[str, Shape],
    weights: Mapping[str, np.ndarray] | None = None,
    kinds: Mapping[str, int] | None = None,
) -> bytes:
    """A file of float32 inputs and outputs, unless ``kinds`` says otherwise."""
    kinds = kinds or {}
    graph = helper.make_graph(
        nodes,
        "foreign",
        [helper.make_tensor_value_info(name, kinds.get(name, FLOAT), shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, kinds.get(name, FLOAT), shape) for name, shape in outputs.items()],
        [numpy_helper.from_array(value, name) for name, value in (weights or {}).items()],
    )
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid("ai.onnx.ml", 2)]  # as tf2onnx writes it
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def node(op: str, inputs: str, output: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op, inputs.split(), [output], **attributes)


def swapper(family: str, *, half: bool = False, size: int = 0) -> bytes:
    """``output`` is ``target``; ``source`` is read and has no effect. ``half``: weights are float16."""
    _, target, source = SWAPPERS[family]
    target = [*target[:2], size, size] if size else target
    weights = {"zero": np.zeros(1, np.float32)}
    nodes = [
        node("ReduceMean", "source", "m", axes=list(range(1, len(source))), keepdims=0),
        node("Mul", "m zero", "none"),
        node("Unsqueeze", "none axes", "wide"),
        node("Add", "target wide", "output"),
    ]
    weights["axes"] = np.array([1, 2, 3], np.int64)
    outputs: dict[str, Shape] = {"output": target}
    if family == "hyperswap":  # its own mask: the left half
        plane = np.zeros((1, 1, 256, 256), np.float32)
        plane[..., :128] = 1
        nodes += [node("Slice", "output zero_i one_i one_i", "first"), node("Mul", "first zero", "flat")]
        nodes.append(node("Add", "flat plane", "mask"))
        weights |= {"plane": plane, "zero_i": np.array([0], np.int64), "one_i": np.array([1], np.int64)}
        outputs["mask"] = [target[0], 1, 256, 256]
    if family == "inswapper":
        weights["emap"] = EMAP.astype(np.float16 if half else np.float32)  # the last one
    return file(nodes, {"target": target, "source": source}, outputs, weights)


def dfm(size: int = 64, *, morph: bool = True, turns: bool = False) -> bytes:
    """The face is the picture with its first channel, blue, doubled by the morph value; masks are halves. ``turns``:
    and turned upside down by it, so that it is nobody's."""
    shape: Shape = ["n", size, size, 3]
    face, celeb = np.zeros((1, size, size, 1), np.float32), np.zeros((1, size, size, 1), np.float32)
    face[:, : 3 * size // 4], celeb[:, :, : 3 * size // 4] = 1, 1
    blue = np.array([1, 0, 0], np.float32).reshape(1, 1, 1, 3)
    nodes = [
        node("ReduceMean", "in_face:0", "m", axes=[1, 2, 3], keepdims=1),
        node("Mul", "m zero", "none"),
        node("Add", "none face", "out_face_mask:0"),
        node("Add", "none celeb", "out_celeb_face_mask:0"),
        node("Mul", "blue morph_value:0" if morph else "blue one", "more"),
        node("Add", "one more", "factor"),
        node("Mul", "in_face:0 factor", "blueish" if turns else "out_celeb_face:0"),
    ]
    weights = {"zero": np.zeros(1, np.float32), "one": np.ones(1, np.float32), "face": face, "celeb": celeb}
    if turns:
        nodes += [
            node("Slice", "blueish last before_first rows back", "turned"),
            node("Sub", "turned blueish", "apart"),
            node("Mul", "apart morph_value:0", "moved"),
            node("Add", "blueish moved", "out_celeb_face:0"),
        ]
        slices = {"last": -1, "before_first": -(size + 1), "rows": 1, "back": -1}
        weights |= {name: np.array([value], np.int64) for name, value in slices.items()}
    inputs: dict[str, Shape] = {"in_face:0": shape}
    if morph:
        inputs["morph_value:0"] = [1]
    masks: Shape = ["n", size, size, 1]
    outputs = {"out_face_mask:0": masks, "out_celeb_face:0": shape, "out_celeb_face_mask:0": masks}
    return file(nodes, inputs, outputs, {**weights, "blue": blue})


def crossface(factor: float = 2.0) -> bytes:
    """An embedding, turned about and made longer."""
    nodes = [node("Gather", "input order", "turned", axis=1), node("Mul", "turned factor", "output")]
    weights = {"order": np.arange(512)[::-1].copy(), "factor": np.array([factor], np.float32)}
    return file(nodes, {"input": ["n", 512]}, {"output": ["n", 512]}, weights)


def arcface(*, name: str = "input.1", output: str = "683") -> bytes:
    """The crop's means over 512 cells of its red, green and blue: it says what was shown, and in which order."""
    nodes = [
        node("AveragePool", name, "cells", kernel_shape=[8, 7], strides=[8, 7]),  # (n, 3, 14, 16)
        node("Reshape", "cells flat", "row"),
        node("Slice", "row begin end ones", "most"),
        node("Mul", "most length", output),
    ]
    weights = {
        "flat": np.array([-1, 672], np.int64),
        "begin": np.array([0], np.int64),
        "end": np.array([512], np.int64),
        "ones": np.array([1], np.int64),
        "length": np.array([3.0], np.float32),
    }
    return file(nodes, {name: ["None", 3, 112, 112]}, {output: ["n", 512]}, weights)


def enhancer(size: int = 512, *, weight: bool = False) -> bytes:
    """The picture a fifth lighter; with ``weight``, by that much."""
    shape: Shape = [1, 3, size, size]
    nodes, inputs, kinds = [node("Add", "input fifth", "output")], {"input": shape}, {}
    weights = {"fifth": np.array([0.2], np.float32)}
    if weight:
        nodes = [node("Cast", "weight", "much", to=FLOAT), node("Add", "input much", "output")]
        inputs["weight"], kinds = [1], {"weight": DOUBLE}
        weights = {}
    return file(nodes, inputs, {"output": shape}, weights, kinds)


def xseg(level: float = 0.5) -> bytes:
    """The face is where blue is above ``level``."""
    nodes = [
        node("Slice", "input begin end axis", "blue"),
        node("Sub", "blue half", "above"),
        node("Mul", "above many", "steep"),
        node("Clip", "steep low high", "output"),
    ]
    weights = {
        "begin": np.array([0], np.int64),
        "end": np.array([1], np.int64),
        "axis": np.array([3], np.int64),
        "half": np.array([level], np.float32),
        "many": np.array([100], np.float32),
        "low": np.array(0, np.float32),
        "high": np.array(1, np.float32),
    }
    return file(nodes, {"input": ["n", 256, 256, 3]}, {"output": ["n", 256, 256, 1]}, weights)


def bisenet() -> bytes:
    """Class 1, skin, where red is above its mean; else 17, hair."""
    skin = np.zeros((19, 3, 1, 1), np.float32)
    skin[1, 0], skin[17, 0] = 1, -1
    nodes = [node("Conv", "input skin", "output")]
    return file(nodes, {"input": ["n", 3, 512, 512]}, {"output": ["n", 19, 512, 512]}, {"skin": skin})


def scrfd(side: int | str = "h", *, at: tuple[int, int] = (10, 12), stride: int = 16) -> bytes:
    """One face at cell ``at`` (row, column) of the map of ``stride``, whatever the picture of 640 px shows: its box
    4 cells to each side, its keypoints within. Fixed maps, as if run on 640 x 640."""
    nodes, outputs, weights = [], {}, {"zero": np.zeros(1, np.float32), "flat": np.array([-1, 1], np.int64)}
    nodes += [node("ReduceMean", "input.1", "mean", keepdims=0), node("Mul", "mean zero", "none")]
    keypoints = np.array([-1.5, -1, 1.5, -1, 0, 0.5, -1, 2, 1, 2], np.float32)
    for kind, length in (("score", 1), ("bbox", 4), ("kps", 10)):
        for one in (8, 16, 32):
            count = (640 // one) ** 2 * 2
            values = np.zeros((count, length), np.float32)
            if one == stride:
                anchor = (at[0] * (640 // one) + at[1]) * 2
                values[anchor : anchor + 2] = {"score": 0.9, "bbox": 4.0, "kps": keypoints}[kind]
            weights[f"w_{kind}_{one}"] = values
            nodes.append(node("Add", f"w_{kind}_{one} none", f"{kind}_{one}"))
            outputs[f"{kind}_{one}"] = [count, length]
    shape: Shape = [1, 3, "h", "w"] if side == "h" else [1, 3, side, side]
    return file(nodes, {"input.1": shape}, outputs, weights)


def yunet(*, at: tuple[int, int] = (10, 12), stride: int = 16) -> bytes:
    """One face at cell ``at`` of the map of ``stride``: 8 cells wide and tall, its middle half a cell further on."""
    nodes, outputs, weights = [], {}, {"zero": np.zeros(1, np.float32)}
    nodes += [node("ReduceMean", "input", "mean", keepdims=0), node("Mul", "mean zero", "none")]
    keypoints = np.array([-1.5, -1, 1.5, -1, 0, 0.5, -1, 2, 1, 2], np.float32)
    for kind, length in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)):
        for one in (8, 16, 32):
            count = (640 // one) ** 2
            values = np.zeros((1, count, length), np.float32)
            if one == stride:
                face = {"cls": 0.81, "obj": 1.0, "bbox": [0.5, 0.5, np.log(8), np.log(8)], "kps": keypoints}[kind]
                values[0, at[0] * (640 // one) + at[1]] = face
            weights[f"w_{kind}_{one}"] = values
            nodes.append(node("Add", f"w_{kind}_{one} none", f"{kind}_{one}"))
            outputs[f"{kind}_{one}"] = [1, count, length]
    return file(nodes, {"input": [1, 3, 640, 640]}, outputs, weights)


def retinaface(side: int = 640, *, cell: tuple[int, int] = (10, 12)) -> bytes:
    """One face on the smaller prior (64 px) of a cell of 16 px, moved right by a tenth of the prior."""
    counts = [(side // step) ** 2 * 2 for step in (8, 16, 32)]
    total = sum(counts)
    prior = counts[0] + (cell[0] * (side // 16) + cell[1]) * 2
    box, score, points = (np.zeros((1, total, length), np.float32) for length in (4, 2, 10))
    score[..., 0] = 1
    score[0, prior] = 0.05, 0.95
    box[0, prior] = 1, 0, 0, 0
    points[0, prior] = [-2, -1, 2, -1, 0, 0.5, -1.5, 2, 1.5, 2]
    nodes = [node("ReduceMean", "input", "mean", keepdims=0), node("Mul", "mean zero", "none")]
    outputs, weights = {}, {"zero": np.zeros(1, np.float32)}
    for name, values in (("bbox", box), ("confidence", score), ("landmark", points)):
        weights[f"w_{name}"] = values
        nodes.append(node("Add", f"w_{name} none", name))
        outputs[name] = [1, total, values.shape[2]]
    return file(nodes, {"input": [1, 3, side, side]}, outputs, weights)


def put(folder: Path, name: str, content: bytes) -> Path:
    """Write a file; returns its path."""
    path = folder / name
    path.write_bytes(content)
    return path


def write(folder: Path, **files: bytes) -> dict[str, Path]:
    """Write files ``name.onnx`` and return them by name."""
    found = {}
    for name, content in files.items():
        found[name] = folder / f"{name}.onnx"
        found[name].write_bytes(content)
    return found


def darker(family: str, share: float = 0.6) -> bytes:
    """A swapper that makes the crop darker: ``share`` of its light, in the family's own range."""
    model = onnx.ModelProto.FromString(swapper(family))
    graph = model.graph
    last = next(one for one in graph.node if "output" in one.output)
    last.output[0] = "as shown"
    signed = family in ("ghost", "hififace", "hyperswap", "uniface")
    graph.node.append(helper.make_node("Mul", ["as shown", "share"], ["less"]))
    graph.node.append(helper.make_node("Sub", ["less", "lower"], ["output"]))
    emap = [one for one in graph.initializer if one.name == "emap"]
    rest = [one for one in graph.initializer if one.name != "emap"]
    added = [("share", share), ("lower", 1 - share if signed else 0)]
    del graph.initializer[:]
    graph.initializer.extend(rest)
    graph.initializer.extend(numpy_helper.from_array(np.array([value], np.float32), name) for name, value in added)
    graph.initializer.extend(emap)  # the last one, as it was
    return bytes(model.SerializeToString())


def painter() -> bytes:
    """A HyperSwap whose picture has one colour all over, from its latent; its mask is 1 everywhere."""
    mix = np.random.default_rng(3).normal(size=(512, 3)).astype(np.float32)
    nodes = [
        node("MatMul", "source mix", "row"),
        node("Tanh", "row", "soft"),
        node("Reshape", "soft shape", "colour"),
        node("Mul", "target zero", "none"),
        node("Add", "none colour", "output"),
        node("Slice", "none begin end axis", "flat"),
        node("Add", "flat one", "mask"),
    ]
    weights = {
        "mix": mix,
        "shape": np.array([-1, 3, 1, 1], np.int64),
        "zero": np.zeros(1, np.float32),
        "one": np.ones(1, np.float32),
        "begin": np.array([0], np.int64),
        "end": np.array([1], np.int64),
        "axis": np.array([1], np.int64),
    }
    target: Shape = ["n", 3, 256, 256]
    outputs: dict[str, Shape] = {"output": target, "mask": ["n", 1, 256, 256]}
    return file(nodes, {"target": target, "source": ["n", 512]}, outputs, weights)


def yunet_at(x: int, y: int) -> bytes:
    """A YuNet that sees a face of 256 px with its middle near a place of the picture."""
    return yunet(at=(y // 32, x // 32), stride=32)
