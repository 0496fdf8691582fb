"""The model catalogue: one Entry per network, read from ``assets/networks.toml`` and those of plugins."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from rtswap.core.errors import ModelError, reason
from rtswap.core.model_rows import model_rows
from rtswap.core.network_rows import network_rows
from rtswap.core.types import Tensor

FREE_LICENCES = frozenset({"MIT", "CC0-1.0", "Apache-2.0", "BSD-3-Clause"})
"""Models under these licences need no confirmation."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One model and its source: exactly one of ``converter``, ``asset`` and ``url``."""

    name: str
    title: str
    licence: str
    origin: str = ""
    converter: str = ""
    part: str = ""
    asset: str = ""
    folder: Path = Path()
    """Where ``asset`` lies."""
    url: str = ""
    sha256: str = ""
    """Of the ONNX file. Without an asset it is required: the cache is not trusted."""
    bytes: int = 0
    version: int = 1
    aliases: Sequence[str] = ()
    """Earlier names, which still work."""
    input: Mapping[str, Any] = field(default_factory=dict)
    sample: Mapping[str, str] = field(default_factory=dict)
    """Input -> usual type and shape: ``uint8 1x128x128x3``; a type alone is a single number."""
    per_frame: float = 1.0
    """Runs per frame while a face is tracked."""
    threads: int = 4
    """Maximum useful threads; more spend longer waiting for each other than computing."""
    profile: Mapping[str, Any] = field(default_factory=dict)
    """For ``engines.build.profiles``."""
    family: str = ""
    """Family of an imported model (``model_catalog``)."""
    known: str = ""
    """The published model it is, if any."""
    outputs: Sequence[str] = ()
    """Of an imported model: its outputs in order."""
    batches: bool = True
    """Whether it takes several pictures at once."""
    fixed_size: bool = True
    """Of an imported detector: whether its file fixes the side of its picture."""
    template: str = ""
    """Of an imported model: how faces are placed for it, where its file says so."""
    system: str = ""
    """Of a one-shot system's graph: which system it is (``networks.system_file``)."""
    pinned: str = ""
    """Of an imported model: ``published``, or ``first use`` if its hash is only that of the file that was added."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9][a-z0-9_.-]*", self.name):
            raise ModelError("invalid name in the model catalogue", got=repr(self.name))
        if sum(map(bool, (self.converter, self.asset, self.url))) != 1:
            raise ModelError(f"the catalogue entry {self.name} needs exactly one of converter, asset and url")
        if not self.asset and not re.fullmatch(r"[0-9a-f]{64}", self.sha256):
            raise ModelError(f"the catalogue entry {self.name} has no asset", expected="sha256 as well")
        if self.url and self.bytes <= 0:
            raise ModelError(f"the catalogue entry {self.name} has a url", expected="bytes as well")

    @property
    def file_name(self) -> str:
        return f"{self.name}-{self.version}.onnx"

    def zeros(self) -> dict[str, Tensor]:
        """Return all-zero inputs with the types and shapes in ``sample``."""
        kinds = {name: words.partition(" ") for name, words in self.sample.items()}
        return {
            name: np.zeros([int(side) for side in shape.split("x") if side], kind)
            for name, (kind, _, shape) in kinds.items()
        }

    @property
    def is_free(self) -> bool:
        return self.licence in FREE_LICENCES


def load_catalog(rows: Mapping[str, Mapping[str, Any]] | None = None) -> dict[str, Entry]:
    """Return name -> Entry; by default of rtswap's networks and those of installed plugins. Raises ModelError."""
    try:
        return {name: Entry(name=name, **row) for name, row in (network_rows() if rows is None else rows).items()}
    except TypeError as error:
        raise ModelError("cannot read the model catalogue", got=reason(error)) from error


def imported_models() -> dict[str, Entry]:
    """Return name -> Entry of the networks of the user's imported models; a row that is damaged is left out."""
    found: dict[str, Entry] = {}
    for name, row in model_rows().items():
        with suppress(ModelError):
            found |= load_catalog({name: row})
    return found


def current_name(name: str, catalog: Mapping[str, Entry]) -> str:
    """Return a network's current name for an alias; any other name is returned unchanged."""
    return next((entry.name for entry in catalog.values() if name in entry.aliases), name)
