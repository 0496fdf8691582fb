"""TensorRT's Python module, wherever it comes from: the only file that knows the two packages by name.

``tensorrt_rtx`` (TensorRT for RTX, from PyPI) builds plans on any machine and compiles them further on the user's
card; ``tensorrt`` (the classic one) builds them on the card they run on. Their interfaces are the same.
"""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass, field
from typing import Any

from rtswap.core.errors import EngineError, reason

MODULES = ("tensorrt_rtx", "tensorrt")
"""In order of preference."""
INSTALL = 'pip install "rtswap[gpu]"'
_REASON = re.compile(r"Error Code \d+: (?:[\w ]+ \()?(.*?)\)?(?: In \w+ at.*)?$")
_LONGEST = 400
"""Letters of a reason: TensorRT names every card it serves, and what to do after that."""


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
        return tuple(sorted((f"{text[:-1]}.{text[-1]}" for text in digits), key=_numbers))

    def serves(self, capability: str) -> bool:
        """Whether its plans are made for such a card: one that it knows by name, or one newer than all of them. The
        classic one builds for any card that is there."""
        if not self.portable or capability in self.targets:
            return True
        return _numbers(capability) > _numbers(self.targets[-1])

    def refusal(self, capability: str) -> str:
        """That it does not serve a card, in words; empty where it does."""
        if self.serves(capability):
            return ""
        return f"plans of {self.name} do not run on compute capability {capability}"


def load_tensorrt_for(capability: str) -> TensorRt:
    """The first of MODULES that is installed and serves the card, or else the first. Raises EngineError."""
    first = load_tensorrt()
    if first.serves(capability):
        return first
    try:
        return load_tensorrt(MODULES[1])
    except EngineError:
        return first


def load_tensorrt(name: str = "") -> TensorRt:
    """The module ``name``, or the first of MODULES that imports. Raises EngineError with every reason."""
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
        raise ImportError(f"there is no such module; known: {', '.join(MODULES)}")
    return importlib.import_module(name)


def shorten(message: str) -> str:
    """What TensorRT told, in one line: without where in its sources, and never cut in the middle of a word."""
    text = " ".join(message.split())
    found = _REASON.search(text)
    text = found[1] if found else text
    if len(text) > _LONGEST:
        return text[:_LONGEST].rsplit(" ", 1)[0] + " ..."
    return text.strip().rstrip(".") or "no reason given"


def _numbers(capability: str) -> tuple[int, ...]:
    return tuple(int(part) for part in capability.split("."))


def make_listener(api: Any, errors: list[str], *, needs_driver: bool = False) -> Any:
    """A logger that prints nothing and appends errors to ``errors``.

    On a machine without a driver the builder complains of it and goes on; unless ``needs_driver`` that is no reason
    for anything.
    """

    class Listener(api.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            api.ILogger.__init__(self)

        def log(self, severity: Any, message: str) -> None:
            if severity <= api.ILogger.ERROR and (needs_driver or "Cuda Runtime" not in message):
                errors.append(" ".join(message.split()))

    return Listener()
