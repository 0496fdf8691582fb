"""Run an ONNX network as a list of torch steps; supports about a hundred operators.

Why not ``onnx2torch`` (Apache-2.0): its last release is from August 2024, it requires torchvision, and modules
generated from untrusted graphs are harder to check than a table of functions.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import TensorProto, helper, numpy_helper

from rtswap.core.errors import EngineError, ModelError
from rtswap.engines.build.pixels import cast_pixels_first
from rtswap.engines.build.precision import lower_precision
from rtswap.engines.contract import TensorSpec, cannot_run
from rtswap.engines.torch.operators import OPS

TORCH_ERRORS = (
    *(RuntimeError, ValueError, TypeError, IndexError, KeyError, AttributeError, NotImplementedError),
    *(MemoryError, OverflowError, ZeroDivisionError, AssertionError),
)
"""Exceptions that torch and the operators raise for an invalid network."""
_OPSETS = range(7, 25)
_READ_ON_HOST = {"Resize": (1, 2, 3), "Upsample": (1,), "Pad": (1, 2, 3), "Clip": (1, 2), "Range": (0, 1, 2)}
"""Operator -> positions of inputs that are read in Python: scales, sizes, limits."""


@dataclass(frozen=True, slots=True)
class Step:
    """One node of the graph."""

    op: str
    attributes: Mapping[str, Any]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    last_use: tuple[str, ...]
    """Tensors that no later step reads."""


class Program:
    """A network that torch can run on ``device``; ``precision`` and ``keep`` as in ``lower_precision``. Raises
    ModelError for an invalid file or an unsupported operator."""

    def __init__(
        self, torch: Any, content: bytes, *, device: str, precision: str = "fp32", keep: Collection[str] = ()
    ) -> None:
        self._torch, self.device = torch, device
        model = _load(content)
        unknown = {node.op_type for node in model.graph.node} - OPS.keys() - {"Constant"}
        if unknown:
            raise ModelError(
                "the torch engine does not support an operator of the network", got=", ".join(sorted(unknown))
            )
        ready = model if precision == "fp32" else cast_pixels_first(model)
        graph = lower_precision(ready, precision, keep).graph
        on_host = {
            name
            for node in graph.node
            for place, name in enumerate(node.input)
            if place in _READ_ON_HOST.get(node.op_type, ())
        }
        self._constants = {tensor.name: self._tensor(tensor, tensor.name in on_host) for tensor in graph.initializer}
        self.inputs = tuple(_spec(value) for value in graph.input if value.name not in self._constants)
        self.outputs = tuple(_spec(value) for value in graph.output)
        self._steps = self._steps_of(graph)

    def __call__(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Run one forward pass on torch tensors. Raises torch's exceptions (TORCH_ERRORS)."""
        values = {**self._constants, **inputs}
        for step in self._steps:
            given = [values[name] if name else None for name in step.inputs]
            found = OPS[step.op](self._torch, step.attributes, *given)
            if len(step.outputs) == 1 and not isinstance(found, list | tuple):
                values[step.outputs[0]] = found
            else:
                values.update(zip(step.outputs, found, strict=False))
            for name in step.last_use:
                del values[name]
        return {spec.name: values[spec.name] for spec in self.outputs}

    def _tensor(self, tensor: TensorProto, on_host: bool = False) -> Any:
        """Return a constant as a tensor. Float arrays go to the device; integers (shapes, axes), scalars and
        constants that Python reads (``on_host``) stay on the host, because a CUDA graph capture allows no copies
        between them."""
        torch = self._torch
        array = numpy_helper.to_array(tensor)
        if tensor.data_type == TensorProto.BFLOAT16:
            made = torch.from_numpy(np.array(array.view(np.int16), copy=True)).view(torch.bfloat16)
            return made.to(self.device) if made.dim() > 0 and not on_host else made
        made = torch.from_numpy(np.array(array, copy=True, order="C"))
        return made.to(self.device) if made.is_floating_point() and made.dim() > 0 and not on_host else made

    def _steps_of(self, graph: onnx.GraphProto) -> list[Step]:
        kept = {spec.name for spec in self.outputs} | self._constants.keys()
        known = {spec.name for spec in self.inputs} | self._constants.keys()
        last: dict[str, int] = {}
        for place, node in enumerate(graph.node):
            missing = [name for name in node.input if name and name not in known]
            if missing:
                raise ModelError("the network uses an undefined tensor", got=missing[0])
            known |= set(node.output)
            last |= dict.fromkeys([*filter(None, node.input), *filter(None, node.output)], place)
        steps = []
        for place, node in enumerate(graph.node):
            over = tuple(name for name, where in last.items() if where == place and name not in kept)
            attributes = {one.name: self._attribute(one) for one in node.attribute}
            attributes["outputs"] = len(node.output)
            steps.append(Step(node.op_type, attributes, tuple(node.input), tuple(node.output), over))
        return steps

    def _attribute(self, attribute: onnx.AttributeProto) -> Any:
        value = helper.get_attribute_value(attribute)
        if isinstance(value, bytes):
            return value.decode("utf-8", "replace")
        if isinstance(value, TensorProto):
            return self._tensor(value)
        if isinstance(value, onnx.GraphProto):
            raise ModelError("the torch engine does not support branches and loops")
        return list(value) if not isinstance(value, int | float) else value


def _load(content: bytes) -> onnx.ModelProto:
    try:
        model = onnx.load_from_string(content)
        onnx.checker.check_model(model, full_check=True)
    except (DecodeError, onnx.checker.ValidationError, *TORCH_ERRORS) as error:
        raise cannot_run(content, "torch", error) from error
    opset = next((one.version for one in model.opset_import if one.domain in ("", "ai.onnx")), 0)
    if opset not in _OPSETS:
        raise ModelError("unsupported ONNX opset", expected="7 to 24", got=str(opset))
    return model


def _spec(value: onnx.ValueInfoProto) -> TensorSpec:
    kind = value.type.tensor_type
    shape = tuple(length.dim_value if length.HasField("dim_value") else None for length in kind.shape.dim)
    try:
        return TensorSpec(value.name, np.dtype(helper.tensor_dtype_to_np_dtype(kind.elem_type)), shape)
    except (KeyError, TypeError) as error:
        raise EngineError(f"the network's {value.name} has an unsupported type") from error
