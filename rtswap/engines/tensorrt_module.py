"""TensorRT's Python module, wherever it comes from: the only file that knows the two packages by name.

``tensorrt_rtx`` (TensorRT for RTX, from PyPI) builds plans on any machine and compiles them further on the user's
card; ``tensorrt`` (the classic one) builds them on the card they run on. Their interfaces are the same.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from typing import Any

from rtswap.errors import EngineError

MODULES = ("tensorrt_rtx", "tensorrt")
"""In order of preference."""
INSTALL = 'pip install "rtswap[gpu]"'


@dataclass(frozen=True, slots=True)
class TensorRt:
    """One of the two modules."""

    name: str
    version: str
    api: Any = field(repr=False, compare=False)

    @property
    def portable(self) -> bool:
        """Whether its plans can be built without the card they run on."""
        return self.name == "tensorrt_rtx"

    @property
    def targets(self) -> tuple[str, ...]:
        """Compute capabilities that a plan can be built for by name: ``7.5``, ``8.9``, ..."""
        if not self.portable:
            return ()
        digits = [name[2:] for name in self.api.ComputeCapability.__members__ if name.startswith("SM")]
        return tuple(sorted((f"{text[:-1]}.{text[-1]}" for text in digits), key=float))


def load_tensorrt(name: str = "") -> TensorRt:
    """The module ``name``, or the first of MODULES that imports. Raises EngineError with every reason."""
    reasons: list[str] = []
    for wanted in (name,) if name else MODULES:
        try:
            api = _import(wanted)
            return TensorRt(wanted, str(api.__version__), api)
        except (ImportError, OSError, RuntimeError, AttributeError) as error:
            reasons.append(f"{wanted}: {str(error).splitlines()[0] if str(error) else type(error).__name__}")
    raise EngineError("TensorRT is not installed", got="; ".join(reasons), do=f"Run: {INSTALL}")


def _import(name: str) -> Any:
    if name not in MODULES:
        raise ImportError(f"there is no such module; known: {', '.join(MODULES)}")
    return importlib.import_module(name)


def make_listener(api: Any, told: list[str], *, needs_driver: bool = False) -> Any:
    """A logger that prints nothing and appends errors to ``told``.

    On a machine without a driver the builder complains of it and goes on; unless ``needs_driver`` that is no reason
    for anything.
    """

    class Listener(api.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            api.ILogger.__init__(self)

        def log(self, severity: Any, message: str) -> None:
            if severity <= api.ILogger.ERROR and (needs_driver or "Cuda Runtime" not in message):
                told.append(" ".join(message.split()))

    return Listener()
