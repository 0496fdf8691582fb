"""Build an ONNX graph layer by layer with ``onnx.helper``.

``onnx`` is needed only when a model is first converted or a plan is built.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

_OPSET = 17
_IR_VERSION = 8
"""Old enough for every engine named in pyproject.toml."""


class Graph:
    """Nodes and constants in the order they are added, with counted names, so that the bytes are reproducible."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def constant(self, value: NDArray[Any]) -> str:
        name = f"c{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def add(self, op: str, *inputs: str, to: str | None = None, **attributes: Any) -> str:
        """Append a node and return its output's name (``to``, or a counted one)."""
        out = to or f"t{len(self._nodes)}"
        self._nodes.append(helper.make_node(op, list(inputs), [out], **attributes))
        return out

    def conv(self, x: str, kernel: NDArray[np.float32], bias: NDArray[np.float32], **attributes: Any) -> str:
        """Append a convolution; ``kernel`` (out, in, kh, kw)."""
        return self.add("Conv", x, self.constant(kernel), self.constant(bias), **attributes)

    def dense(self, x: str, weight: NDArray[np.float32], bias: NDArray[np.float32], to: str | None = None) -> str:
        """Append a dense layer; ``weight`` (in, out)."""
        return self.add("Gemm", x, self.constant(weight), self.constant(bias), to=to)

    def nhwc_u8(self, x: str) -> str:
        """Append the conversion of uint8 (N, H, W, C) to float32 (N, C, H, W) with the same values."""
        name = f"t{len(self._nodes)}"
        self._nodes.append(helper.make_node("Cast", [x], [name], to=TensorProto.FLOAT))
        return self.add("Transpose", name, perm=[0, 3, 1, 2])

    def serialise(
        self,
        inputs: Mapping[str, Sequence[int | str]],
        outputs: Mapping[str, Sequence[int | str]],
        metadata: Mapping[str, str],
        *,
        pixels: bool = True,
    ) -> bytes:
        """Return the file's bytes. Inputs are uint8 (``pixels``) or float32, outputs float32; a name in a shape is a
        dynamic dimension."""
        taken = TensorProto.UINT8 if pixels else TensorProto.FLOAT
        graph = helper.make_graph(
            self._nodes,
            self._name,
            [helper.make_tensor_value_info(name, taken, shape) for name, shape in inputs.items()],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
            self._constants,
        )
        model = helper.make_model(
            graph, producer_name="rtswap", opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION
        )
        helper.set_model_props(model, dict(metadata))
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString(deterministic=True))
