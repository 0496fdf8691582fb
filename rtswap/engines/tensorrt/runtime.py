"""Load a plan on the GPU: deserialised once, with one execution context per set of shapes.

TensorRT for RTX compiles kernels on the GPU when a context first runs; they are cached in a file next to the plan and
read at the next start. It captures CUDA graphs itself; with classic TensorRT the engine captures them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rtswap.core.errors import EngineError
from rtswap.core.files import write_atomic
from rtswap.engines.tensorrt.module import TensorRt, make_listener, shorten


class ReadyPlan:
    """A deserialised plan. Raises EngineError with TensorRT's reason if the plan cannot run on this machine."""

    def __init__(self, plan: bytes, network: str, tensorrt: TensorRt, kept_kernels: Path | None = None) -> None:
        self._network, self._tensorrt, self._kept = network, tensorrt, kept_kernels
        self._errors: list[str] = []
        api = tensorrt.api
        self._runtime = api.Runtime(make_listener(api, self._errors, needs_driver=True))
        self._engine = self._runtime.deserialize_cuda_engine(plan)
        if self._engine is None:
            raise self._failure("rejects the plan")
        self._config: Any = None
        self._kernels: Any = None
        if tensorrt.portable:
            self._config, self._kernels = self._configure()

    @property
    def captures_graphs(self) -> bool:
        """Whether TensorRT captures CUDA graphs itself."""
        return self._config is not None

    def context(self) -> Any:
        """Return a new execution context. Raises EngineError."""
        made = (
            self._engine.create_execution_context()
            if self._config is None
            else self._engine.create_execution_context(self._config)
        )
        if made is None:
            raise self._failure("cannot run the plan")
        return made

    def reason(self) -> str:
        """Return TensorRT's last logged error."""
        return shorten(self._errors[-1] if self._errors else "")

    def save_kernels(self) -> None:
        """Save the compiled kernels for the next start. Errors are ignored: the next start compiles again."""
        if self._kernels is None or self._kept is None:
            return
        try:
            write_atomic(self._kept, bytes(self._kernels.serialize()))
        except (OSError, RuntimeError, TypeError):
            return

    def _configure(self) -> tuple[Any, Any]:
        """Return (runtime configuration, kernel cache). CUDA graphs are captured whole; a new shape runs on generic
        kernels until its specialised ones are compiled, so that a stream never waits for the compiler."""
        api = self._tensorrt.api
        config = self._engine.create_runtime_config()
        config.cuda_graph_strategy = api.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE
        config.dynamic_shapes_kernel_specialization_strategy = api.DynamicShapesKernelSpecializationStrategy.LAZY
        kernels = config.create_runtime_cache()
        try:
            if self._kept is not None and self._kept.is_file():
                kernels.deserialize(self._kept.read_bytes())  # kernels for another GPU or version are ignored
        except (OSError, RuntimeError):
            kernels.reset()
        config.set_runtime_cache(kernels)
        return config, kernels

    def _failure(self, what: str) -> EngineError:
        return EngineError(f"{self._tensorrt.name} {what} for the network {self._network}", got=self.reason())
