"""Move the cast from uint8 to float to a network's inputs: TensorRT supports no uint8 operator except Cast.

The graphs take uint8 images and often transpose them (NHWC to NCHW) before the cast. All values 0..255 are exact in
float32, float16 and bfloat16, so the results are bit-identical.
"""

from __future__ import annotations

from collections.abc import Iterable

import onnx
from onnx import TensorProto, helper

from rtswap.core.errors import ModelError

_MOVES = frozenset(
    (
        *("Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Slice", "Gather", "Split", "Expand", "Tile"),
        *("Identity", "SpaceToDepth", "DepthToSpace"),
    )
)
"""Operators that only move the values of their first input."""
_ASKS = frozenset(("Shape", "Size"))
"""Operators that read only the shape."""


def cast_pixels_first(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the same network with a Cast as the only operator on uint8 tensors. Raises ModelError if the network
    computes with uint8 values, whose results would differ in float."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    inputs = [value.name for value in graph.input if value.type.tensor_type.elem_type == TensorProto.UINT8]
    if all(node.op_type == "Cast" for node in graph.node if set(node.input) & set(inputs)):
        return result
    pixels = set(inputs)
    for node in graph.node:
        pixels.update(_pixels_from(node, pixels))
    if lost := [value.name for value in graph.output if value.name in pixels]:
        raise ModelError(f"the network's output {lost[0]} is uint8", expected="float outputs")
    for node in graph.node:
        _rename(node, inputs)
    casts = [helper.make_node("Cast", [name], [_float(name)], to=TensorProto.FLOAT) for name in inputs]
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    del graph.value_info[:]  # they say uint8
    return result


def _pixels_from(node: onnx.NodeProto, pixels: set[str]) -> Iterable[str]:
    """Return the node's outputs that hold pixels. Raises ModelError if the node computes with pixels."""
    taken = [name in pixels for name in node.input]
    if not any(taken) or node.op_type in _ASKS or node.op_type == "Cast":
        return ()
    if (node.op_type in _MOVES and sum(taken) == 1 and taken[0]) or (node.op_type == "Concat" and all(taken)):
        return list(node.output)
    raise ModelError(
        f"the network computes with uint8 pixels in {node.op_type} {node.name}".rstrip(),
        expected="a Cast to float before anything else",
    )


def _float(name: str) -> str:
    return f"{name}/float"


def _rename(node: onnx.NodeProto, inputs: Iterable[str]) -> None:
    for position, name in enumerate(node.input):
        if name in inputs:
            node.input[position] = _float(name)
