"""An engine that several threads use."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock

from rtswap.core.protocols import Engine
from rtswap.core.types import Tensor
from rtswap.engines.starting import ON_GPU


class LockedEngine:
    """Implements ``protocols.Engine`` for several threads: one runs it at a time, and what it returns stays valid."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._lock = engine, Lock()

    @property
    def name(self) -> str:
        return self._engine.name

    def run(self, inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """As the engine's, but its outputs are copies."""
        with self._lock:
            return {name: tensor.copy() for name, tensor in self._engine.run(inputs).items()}


def lock_engine(engine: Engine) -> Engine:
    """Return an engine for several threads. Those on a GPU stay as they are: each is one thread's own."""
    return engine if on_gpu(engine) else LockedEngine(engine)


def on_gpu(engine: Engine) -> bool:
    """Whether an engine runs on a GPU."""
    return engine.name.startswith(ON_GPU)
