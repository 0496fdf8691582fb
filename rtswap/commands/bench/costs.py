"""Count the multiply-adds of one network run and the bytes it must move at least once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import shape_inference

from rtswap.core.types import Tensor


@dataclass(frozen=True, slots=True)
class Cost:
    """Minimum cost of one run of a network."""

    macs: int
    """Multiply-adds in convolutions and matrix products."""
    bytes: int
    """Weights in float32, inputs and outputs. Intermediate values can stay in a cache."""


def cost_of(path: Path, inputs: Mapping[str, Tensor], outputs: Mapping[str, Tensor]) -> Cost:
    """Return the cost of the ONNX file ``path`` for these ``inputs`` and the ``outputs`` they give."""
    model = onnx.load(path)
    weights = sum(int(np.prod(tensor.dims)) for tensor in model.graph.initializer)
    weights += sum(int(np.prod(node.attribute[0].t.dims)) for node in model.graph.node if node.op_type == "Constant")
    moved = sum(array.nbytes for array in (*inputs.values(), *outputs.values()))
    return Cost(multiply_adds(model, inputs), 4 * weights + moved)


def multiply_adds(model: onnx.ModelProto, inputs: Mapping[str, Tensor]) -> int:
    """Count the multiply-adds of convolutions and matrix products in the graph for the shapes of ``inputs``."""
    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    for value in fixed.graph.input:
        for length, wanted in zip(value.type.tensor_type.shape.dim, inputs[value.name].shape, strict=True):
            length.dim_value = wanted
    typed = shape_inference.infer_shapes(fixed, data_prop=True).graph
    shapes = {
        one.name: [length.dim_value for length in one.type.tensor_type.shape.dim]
        for one in (*typed.input, *typed.value_info, *typed.output)
    }
    shapes |= {tensor.name: list(tensor.dims) for tensor in typed.initializer}
    return sum(_node_macs(node, shapes) for node in typed.node)


def _node_macs(node: onnx.NodeProto, shapes: Mapping[str, list[int]]) -> int:
    out = int(np.prod(shapes.get(node.output[0], [0]) or [0]))
    if node.op_type == "Conv":
        return out * int(np.prod(shapes[node.input[1]][1:]))
    if node.op_type == "ConvTranspose":
        return int(np.prod(shapes[node.input[0]])) * int(np.prod(shapes[node.input[1]][1:]))
    if node.op_type in ("MatMul", "Gemm"):
        turned = any(one.name == "transA" and one.i for one in node.attribute)
        return out * (shapes.get(node.input[0]) or [0, 0])[-2 if turned else -1]
    return 0
