"""OpenVINO on the CPU: faster than ONNX Runtime for most networks, 0.3 s slower to start."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from rtswap.core.errors import EngineError
from rtswap.core.files import make_private, make_writable
from rtswap.core.types import Tensor
from rtswap.engines.contract import TensorSpec, cannot_run, check_inputs, check_threads, one_line, read_model_file
from rtswap.engines.telemetry import no_telemetry

with no_telemetry():
    import openvino as ov

Shapes = tuple[tuple[int, ...], ...]
"""Of all inputs."""
PRECISIONS = ("f32", "bf16", "f16")
MOST_BYTES = 16_000_000
"""Size of the largest file that is compiled once more for its usual shapes. It saves the preparation of a run, 0.1 to
0.2 ms, and 0.6 ms where shapes alternate (2026.4.1); compiling takes 20 to 80 ms, once, as the network is loaded."""
MOST_KEPT = 300
"""What is kept of shapes that a network was given, for when they come again. By default (2026.4.1) it is 5,000, and a
stream whose size changes with each picture takes 0.1 MB for each."""

_FAULTS = RuntimeError, ValueError, TypeError, MemoryError


class OpenVinoEngine:
    """One network. ``model`` is a path or the file's bytes. Raises ModelError for an invalid ONNX file.

    ``precision``: one of PRECISIONS; ``f32`` is the reference. ``cache_dir`` stores the compiled network (measured
    load time: 80 ms without, 18 ms with) if nobody else can write there; None = compile each time. ``usual``:
    the shapes that its inputs mostly have, in which it runs faster than in others.
    """

    def __init__(
        self,
        model: Path | str | bytes,
        *,
        threads: int = 2,
        precision: str = "f32",
        cache_dir: Path | None = None,
        usual: Mapping[str, tuple[int, ...]] | None = None,
    ) -> None:
        check_threads(threads)
        if precision not in PRECISIONS:
            raise EngineError("unknown precision for OpenVINO", expected=" or ".join(PRECISIONS), got=precision)
        self._precision = precision
        if precision == "bf16" and "BF16" not in _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            raise EngineError("this CPU does not support bfloat16", expected="AMX or AVX-512")
        content = read_model_file(model)
        settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            "INFERENCE_PRECISION_HINT": precision,
            "CPU_RUNTIME_CACHE_CAPACITY": str(MOST_KEPT),
        }
        if cache_dir is not None and _can_hold(cache_dir):
            settings["CACHE_DIR"] = str(cache_dir)
        try:
            model_read = _core().read_model(content)
            self._compiled = _compile(model_read, settings)
            self._request = self._compiled.create_infer_request()
        except _FAULTS as error:
            raise cannot_run(model, "OpenVINO", error) from error
        self.inputs = tuple(_spec(port, port.get_any_name()) for port in self._compiled.inputs)
        self._outputs = tuple(_spec(port, _output_name(port)) for port in self._compiled.outputs)
        dynamic = any(None in spec.shape for spec in self.inputs)
        self._usual: Shapes | None = None
        if dynamic and usual and len(content) <= MOST_BYTES and usual.keys() == {spec.name for spec in self.inputs}:
            shapes = tuple(usual[spec.name] for spec in self.inputs)
            try:
                model_read.reshape(dict(enumerate(shapes)))
                self._request_for_usual = _compile(model_read, settings).create_infer_request()
            except _FAULTS:
                pass  # the network for all shapes does as well, slower
            else:
                self._usual = shapes

    @property
    def name(self) -> str:
        return f"openvino-{self._precision}"

    def run(self, inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Run one forward pass. Inputs are not copied; outputs are valid until the next run. Raises EngineError."""
        tensors = check_inputs(self.inputs, inputs)
        try:
            usual = self._usual is not None and tuple(tensor.shape for tensor in tensors) == self._usual
            request = self._request_for_usual if usual else self._request
            results = request.infer(dict(enumerate(tensors)), share_inputs=True, share_outputs=True)
        except _FAULTS as error:
            self._request = self._compiled.create_infer_request()  # a failed request keeps the shapes that broke it
            raise EngineError("the network failed in OpenVINO", got=one_line(error)) from error
        return {spec.name: _safe(results[index], spec) for index, spec in enumerate(self._outputs)}


@cache
def _core() -> Any:
    """Return the process-wide Core. Each Core sets an alternate signal stack for the main thread; destroying several
    in creation order leaves a freed stack installed, so that the next Ctrl-C crashes (2026.4.1)."""
    return ov.Core()


def _compile(model: Any, settings: Mapping[str, Any]) -> Any:
    """Compile a network; without the cache if that fails, since two processes that begin to fill it at the same time
    get in each other's way (2026.4.1: "cannot set permissions"), and without what another version may not know."""
    try:
        return _core().compile_model(model, "CPU", dict(settings))
    except _FAULTS:
        plain = settings.keys() - {"CACHE_DIR", "CPU_RUNTIME_CACHE_CAPACITY"}
        return _core().compile_model(model, "CPU", {key: settings[key] for key in plain})


def _can_hold(folder: Path) -> bool:
    """Whether ``folder`` is writable, for this user alone, since OpenVINO runs whatever it finds there; creates it if
    missing. Without a cache the network is compiled each time: also where the working folder has a ``.bin``, which
    OpenVINO (2026.4.1) opens as the weights of a cached network, and waits for ever if it is a pipe."""
    if os.path.lexists(".bin"):
        return False
    try:
        make_private(folder)
        make_writable(folder)
    except OSError:
        return False
    return True


def _safe(result: Tensor, spec: TensorSpec) -> Tensor:
    """Copy an output of dynamic shape: OpenVINO reallocates it when the shape grows, which invalidates the view."""
    return result.copy() if None in spec.shape else result


def _spec(port: Any, name: str) -> TensorSpec:
    shape = tuple(None if length.is_dynamic else length.get_length() for length in port.get_partial_shape())
    return TensorSpec(name, np.dtype(port.get_element_type().to_dtype()), shape)


def _output_name(port: Any) -> str:
    """Return the output's name in the ONNX file. If the tensor has several, its result node holds the right one."""
    name = str(port.node.get_friendly_name()).removesuffix("/sink_port_0")
    return name if name in port.get_names() else str(port.get_any_name())
