"""The catalogue as values: one Entry per network, read from ``assets/networks.toml``."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

import numpy as np

from rtswap.core.errors import ModelError
from rtswap.core.types import Tensor

FREE_LICENCES = frozenset({"MIT", "CC0-1.0", "Apache-2.0", "BSD-3-Clause"})
"""Models under these are used without asking."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One model and how it is had: by exactly one of ``converter``, ``asset`` and ``url``."""

    name: str
    title: str
    licence: str
    origin: str = ""
    converter: str = ""
    part: str = ""
    asset: str = ""
    url: str = ""
    sha256: str = ""
    bytes: int = 0
    version: int = 1
    aliases: Sequence[str] = ()
    """Names it had before, which still work."""
    input: Mapping[str, Any] = field(default_factory=dict)
    sample: Mapping[str, str] = field(default_factory=dict)
    """Input -> type and shape in which it is usually run: ``uint8 1x128x128x3``."""
    per_frame: float = 1.0
    """How often it runs per frame while a face is followed."""
    threads: int = 4
    """More than these do not make it faster: they wait for each other longer than they work."""
    profile: Mapping[str, Any] = field(default_factory=dict)
    """For ``engines.build.profiles``."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9][a-z0-9_.-]*", self.name):
            raise ModelError("a name in the model catalogue is no plain word", got=repr(self.name))
        if sum(map(bool, (self.converter, self.asset, self.url))) != 1:
            raise ModelError(f"the catalogue's entry {self.name} needs one of converter, asset and url")
        if self.url and not (re.fullmatch(r"[0-9a-f]{64}", self.sha256) and self.bytes > 0):
            raise ModelError(f"the catalogue's entry {self.name} has a url", expected="its sha256 and bytes as well")

    @property
    def file_name(self) -> str:
        return f"{self.name}-{self.version}.onnx"

    def zeros(self) -> dict[str, Tensor]:
        """Inputs of zeros, of the shapes of ``sample``."""
        kinds = {name: words.split() for name, words in self.sample.items()}
        return {name: np.zeros([*map(int, shape.split("x"))], kind) for name, (kind, shape) in kinds.items()}

    @property
    def is_free(self) -> bool:
        return self.licence in FREE_LICENCES


def read_catalog(text: str) -> dict[str, Entry]:
    """Name -> Entry. Raises ModelError."""
    try:
        return {name: Entry(name=name, **table) for name, table in tomllib.loads(text).items()}
    except (tomllib.TOMLDecodeError, TypeError) as error:
        raise ModelError("the model catalogue cannot be read", got=str(error)) from error


def current_name(name: str, catalog: Mapping[str, Entry]) -> str:
    """The name under which a network is listed now; ``name`` itself where there is no such alias."""
    return next((entry.name for entry in catalog.values() if name in entry.aliases), name)


def shipped_catalog() -> dict[str, Entry]:
    """The catalogue that comes with rtswap."""
    return read_catalog(resources.files("rtswap").joinpath("assets/networks.toml").read_text("utf-8"))
