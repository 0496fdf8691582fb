"""Import TensorRT's Python module from either of its two packages.

``tensorrt_rtx`` (TensorRT for RTX, from PyPI) builds plans on any machine and compiles kernels on the user's GPU;
``tensorrt`` (classic TensorRT) builds plans on the GPU they run on. Both have the same API.
"""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass, field
from typing import Any

from rtswap.core.errors import EngineError, reason
from rtswap.core.isolation import pip_install

MODULES = ("tensorrt_rtx", "tensorrt")
"""In order of preference."""
INSTALL = pip_install("rtswap[gpu]")
_REASON = re.compile(r"Error Code \d+: (?:[\w ]+ \()?(.*?)\)?(?: In \w+ at.*)?$")
_LONGEST = 400
"""Maximum characters of an error: TensorRT's messages list every supported GPU before the remedy."""


@dataclass(frozen=True, slots=True)
class TensorRt:
    """One of the two TensorRT modules."""

    name: str
    version: str
    api: Any = field(repr=False, compare=False)

    @property
    def portable(self) -> bool:
        """Whether plans can be built without the GPU they run on."""
        return self.name == "tensorrt_rtx"

    @property
    def targets(self) -> tuple[str, ...]:
        """Compute capabilities that a plan can be built for: ``7.5``, ``8.9``, ..."""
        if not self.portable:
            return ()
        digits = [name[2:] for name in self.api.ComputeCapability.__members__ if name.startswith("SM")]
        return tuple(sorted((f"{text[:-1]}.{text[-1]}" for text in digits), key=_numbers))

    def serves(self, capability: str) -> bool:
        """Whether it supports a compute capability: one of ``targets``, or one newer than all of them. Classic
        TensorRT builds for any GPU in the machine."""
        if not self.portable or capability in self.targets:
            return True
        return _numbers(capability) > _numbers(self.targets[-1])

    def refusal(self, capability: str) -> str:
        """Return why it does not support a compute capability; empty if it does."""
        if self.serves(capability):
            return ""
        return f"plans of {self.name} do not run on compute capability {capability}"


def load_tensorrt_for(capability: str) -> TensorRt:
    """Return the first of MODULES that is installed and supports the GPU, else the first one installed. Raises
    EngineError."""
    first = load_tensorrt()
    if first.serves(capability):
        return first
    try:
        return load_tensorrt(MODULES[1])
    except EngineError:
        return first


def load_tensorrt(name: str = "") -> TensorRt:
    """Return the module ``name``, or the first of MODULES that can be imported. Raises EngineError with every
    reason."""
    reasons: list[str] = []
    for wanted in (name,) if name else MODULES:
        try:
            api = _import(wanted)
            return TensorRt(wanted, str(api.__version__), api)
        except (ImportError, OSError, RuntimeError, AttributeError) as error:
            reasons.append(f"{wanted}: {reason(error)}")
    raise EngineError("TensorRT is not installed", got="; ".join(reasons), do=f"Run: {INSTALL}")


def _import(name: str) -> Any:
    if name not in MODULES:
        raise ImportError(f"unknown module; known: {', '.join(MODULES)}")
    return importlib.import_module(name)


def shorten(message: str) -> str:
    """Return a TensorRT message in one line without source positions, truncated at a word boundary."""
    text = " ".join(message.split())
    found = _REASON.search(text)
    text = found[1] if found else text
    if len(text) > _LONGEST:
        return text[:_LONGEST].rsplit(" ", 1)[0] + " ..."
    return text.strip().rstrip(".") or "no reason given"


def _numbers(capability: str) -> tuple[int, ...]:
    return tuple(int(part) for part in capability.split("."))


def make_listener(api: Any, errors: list[str], *, needs_driver: bool = False) -> Any:
    """Return a TensorRT logger that prints nothing and appends errors to ``errors``.

    Without an NVIDIA driver the builder logs CUDA errors and continues; they are ignored unless ``needs_driver``.
    """

    class Listener(api.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            api.ILogger.__init__(self)

        def log(self, severity: Any, message: str) -> None:
            if severity <= api.ILogger.ERROR and (needs_driver or "Cuda Runtime" not in message):
                errors.append(" ".join(message.split()))

    return Listener()
