"""Rewrite a float32 network to compute in float16 or bfloat16.

TensorRT 10 and TensorRT for RTX support only strongly typed networks: there is no precision flag, so the graph's
types must change. Inputs and outputs keep their types. Operators in SENSITIVE and nodes named in ``keep`` stay in
float32.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import ml_dtypes
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper, shape_inference

from rtswap.core.errors import ModelError

PRECISIONS = ("fp32", "fp16", "bf16")
_TYPES = {"fp16": TensorProto.FLOAT16, "bf16": TensorProto.BFLOAT16}
_LARGEST_HALF = 65504.0
SENSITIVE = frozenset(
    (
        *("ReduceL2", "ReduceSumSquare", "ReduceLogSumExp", "Pow", "Sqrt", "Reciprocal", "Exp", "Log", "Range"),
        *("Softmax", "LogSoftmax", "LayerNormalization", "InstanceNormalization", "GridSample"),
    )
)
"""Operators that stay in float32: squares and quotients can overflow float16, and these operators are cheap."""
_STAY_FLOAT = {"Resize": (1, 2), "Upsample": (1,)}
"""Inputs that ONNX requires to be float32, by position, in operators that otherwise support lower precision."""


def lower_precision(model: onnx.ModelProto, precision: str, keep: Collection[str] = ()) -> onnx.ModelProto:
    """Return the network in ``precision``; nodes whose first output is in ``keep`` stay in float32. Raises
    ModelError."""
    if precision == "fp32":
        return fold_constants(model)
    if precision not in _TYPES:
        raise ModelError("unknown precision", expected=" or ".join(PRECISIONS), got=precision)
    result = fold_constants(model)
    if any(attribute.HasField("g") for node in result.graph.node for attribute in node.attribute):
        raise ModelError(
            "cannot lower the precision of a network with branches or loops", do="Build it with --precision fp32."
        )
    _Lowering(result, _TYPES[precision], frozenset(keep)).run()
    return result


def fold_constants(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the same network with Constant nodes and casts of constants (weights stored as float16) replaced by
    initializers."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    known = {tensor.name: tensor for tensor in graph.initializer}
    nodes = []
    for node in graph.node:
        tensor = _constant(node, known)
        if tensor is None:
            nodes.append(node)
        else:
            tensor.name = node.output[0]
            known[tensor.name] = tensor
    used = {name for node in nodes for name in node.input} | {value.name for value in graph.output}
    del graph.node[:], graph.initializer[:]
    graph.node.extend(nodes)
    graph.initializer.extend(tensor for name, tensor in known.items() if name in used)
    return result


def _constant(node: onnx.NodeProto, known: Mapping[str, TensorProto]) -> TensorProto | None:
    """Return the node's value if it is a constant, else None."""
    if node.op_type == "Constant":
        values = {one.name: helper.get_attribute_value(one) for one in node.attribute}
        if "value" in values:
            copy = TensorProto()
            copy.CopyFrom(values["value"])
            return copy
        for name, dtype in (("value_float", "f4"), ("value_floats", "f4"), ("value_int", "i8"), ("value_ints", "i8")):
            if name in values:
                return numpy_helper.from_array(np.asarray(values[name], dtype))
    if node.op_type == "Cast" and node.input[0] in known and node.attribute[0].i == TensorProto.FLOAT:
        return numpy_helper.from_array(numpy_helper.to_array(known[node.input[0]]).astype(np.float32))
    return None


class _Lowering:
    """One rewrite of a graph, in node order."""

    def __init__(self, model: onnx.ModelProto, low: int, keep: frozenset[str]) -> None:
        self._graph, self._low, self._keep = model.graph, low, keep
        self._float = _float_tensors(model)
        self._weights = {tensor.name: tensor for tensor in self._graph.initializer}
        self._is_low: set[str] = set()
        """Tensors already in the low precision."""
        self._nodes: list[onnx.NodeProto] = []
        self._made: set[str] = set()
        self._new_weights: dict[str, TensorProto] = {}

    def run(self) -> None:
        graph = self._graph
        outputs = {value.name for value in graph.output}
        for node in list(graph.node):
            lower = not self._keeps_float32(node)
            for position, name in enumerate(node.input):
                if name in self._float and node.op_type != "Cast":
                    exempt = position in _STAY_FLOAT.get(node.op_type, ())
                    node.input[position] = self._in_precision(name, lower and not exempt)
                elif node.op_type == "Cast" and name in self._is_low and name in outputs:
                    node.input[position] = f"{name}/low"
            if lower:
                self._retype(node)
                self._is_low |= {name for name in node.output if name in self._float}
            self._nodes.append(node)
            for position, name in enumerate(node.output):
                if name in outputs and name in self._is_low:
                    node.output[position] = f"{name}/low"
                    self._cast(f"{name}/low", name, TensorProto.FLOAT)
        self._finish()

    def _keeps_float32(self, node: onnx.NodeProto) -> bool:
        return node.op_type in SENSITIVE or bool(node.output and node.output[0] in self._keep)

    def _in_precision(self, name: str, lower: bool) -> str:
        """Return the tensor's name in the requested precision; adds a Cast if needed."""
        if name in self._weights:
            return self._weight(name) if lower else name
        low_name = f"{name}/low"
        if name in self._is_low:
            outputs = {value.name for value in self._graph.output}
            if name in outputs:  # the output itself has been cast back already
                return low_name if lower else name
            if lower:
                return name
            return self._cast(name, f"{name}/full", TensorProto.FLOAT)
        return self._cast(name, low_name, self._low) if lower else name

    def _cast(self, name: str, to: str, kind: int) -> str:
        if to not in self._made:
            self._made.add(to)
            self._nodes.append(helper.make_node("Cast", [name], [to], to=kind))
        return to

    def _weight(self, name: str) -> str:
        low_name = f"{name}/low"
        if low_name not in self._new_weights:
            self._new_weights[low_name] = _in_type(self._weights[name], self._low, low_name)
        return low_name

    def _retype(self, node: onnx.NodeProto) -> None:
        """Replace float32 by the low precision in the node's type attributes."""
        for attribute in node.attribute:
            wanted = (node.op_type, attribute.name)
            if wanted == ("Cast", "to") or attribute.name == "dtype":
                attribute.i = self._low if attribute.i == TensorProto.FLOAT else attribute.i
            elif wanted == ("ConstantOfShape", "value") and attribute.t.data_type == TensorProto.FLOAT:
                attribute.t.CopyFrom(_in_type(attribute.t, self._low, attribute.t.name))

    def _finish(self) -> None:
        graph = self._graph
        used = {name for node in self._nodes for name in node.input} | {value.name for value in graph.output}
        weights = [tensor for name, tensor in {**self._weights, **self._new_weights}.items() if name in used]
        del graph.node[:], graph.initializer[:], graph.value_info[:]
        graph.node.extend(self._nodes)
        graph.initializer.extend(weights)


def _float_tensors(model: onnx.ModelProto) -> set[str]:
    """Return the names of all float32 tensors. Raises ModelError if ONNX cannot infer a type."""
    try:
        graph = shape_inference.infer_shapes(model).graph
    except (shape_inference.InferenceError, RuntimeError, ValueError) as error:
        raise ModelError("cannot infer the network's types", got=" ".join(str(error).split())[:200]) from error
    values = [*graph.input, *graph.value_info, *graph.output]
    types = {value.name: value.type.tensor_type.elem_type for value in values}
    types |= {tensor.name: tensor.data_type for tensor in graph.initializer}
    unknown = [name for node in graph.node for name in node.output if name and not types.get(name)]
    if unknown:
        raise ModelError(
            f"cannot infer the type of {unknown[0]} in the network", do="Build it with --precision fp32."
        )
    return {name for name, kind in types.items() if kind == TensorProto.FLOAT}


def _in_type(tensor: TensorProto, kind: int, name: str) -> TensorProto:
    values: NDArray[np.float32] = numpy_helper.to_array(tensor).astype(np.float32)
    if kind == TensorProto.FLOAT16:
        if np.abs(values).max(initial=0.0) > _LARGEST_HALF:
            raise ModelError(
                f"the weights {tensor.name} exceed the range of float16",
                expected=f"at most {_LARGEST_HALF:.0f}",
                got=f"{np.abs(values).max():.3g}",
                do="Build it with --precision bf16 or fp32.",
            )
        return numpy_helper.from_array(values.astype(np.float16), name)
    return numpy_helper.from_array(values.astype(ml_dtypes.bfloat16), name)
