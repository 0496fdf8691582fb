"""ONNX Runtime on the CPU: the engine that starts fastest and is always available."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rtswap.core.errors import EngineError, ModelError
from rtswap.core.types import Tensor
from rtswap.engines.contract import TensorSpec, cannot_run, check_inputs, check_threads, one_line, read_model_file
from rtswap.engines.telemetry import no_telemetry

with no_telemetry():
    import onnxruntime as ort
    from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

_FATAL_ONLY = 4
_DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(uint8)": "uint8",
    "tensor(int8)": "int8",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
    "tensor(bool)": "bool",
}


def _ort_exceptions() -> tuple[type[Exception], ...]:
    """List ONNX Runtime's exceptions, which have no common base class below Exception."""
    found = [value for value in vars(ort_errors).values() if isinstance(value, type) and issubclass(value, Exception)]
    return (*found, RuntimeError, ValueError, MemoryError)


_ORT_ERRORS = _ort_exceptions()


class OnnxRuntimeEngine:
    """One network. ``model`` is a path or the file's bytes. Raises ModelError for an invalid ONNX file.

    Idle threads sleep instead of spinning: on two cores a spinning pool takes CPU time from Python, the video codecs
    and other engines (measured on a machine that is not idle: P-Net 5.4 ms sleeping, 11 ms spinning).
    """

    def __init__(self, model: Path | str | bytes, *, threads: int = 2) -> None:
        check_threads(threads)
        content = read_model_file(model)
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = _FATAL_ONLY
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except _ORT_ERRORS as error:
            raise cannot_run(model, "ONNX Runtime", error) from error
        self.inputs = tuple(_spec(node) for node in self._session.get_inputs())
        self._outputs = [node.name for node in self._session.get_outputs()]

    @property
    def name(self) -> str:
        return "onnxruntime"

    def run(self, inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Run one forward pass and return outputs that belong to the caller. Raises EngineError."""
        tensors = check_inputs(self.inputs, inputs)
        feed = {spec.name: tensor for spec, tensor in zip(self.inputs, tensors, strict=True)}
        try:
            results = self._session.run(self._outputs, feed)
        except _ORT_ERRORS as error:
            raise EngineError("the network failed in ONNX Runtime", got=one_line(error)) from error
        return dict(zip(self._outputs, results, strict=True))


def _spec(node: Any) -> TensorSpec:
    dtype = _DTYPES.get(node.type)
    if dtype is None:
        raise ModelError(f"the network's input {node.name} has an unsupported type", got=node.type)
    shape = tuple(length if isinstance(length, int) else None for length in node.shape)
    return TensorSpec(node.name, np.dtype(dtype), shape)
