"""What is known of each network beforehand: how large its inputs come, and how exactly it has to be computed.

``docs/precision.md`` shows what the tolerances were taken from (``benchmarks/precision.py``).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any

Range = tuple[int, int, int]
"""Least, usual and largest length."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One network."""

    batch: Range = (1, 4, 16)
    """Faces at once."""
    side: Range = (16, 256, 1024)
    """Rows and columns, where the network leaves them free."""
    precision: str = "fp16"
    """Where an engine can choose: the fastest that stays within the tolerance on real crops."""
    keep: tuple[str, ...] = ()
    """Outputs of nodes that stay in float32 though the rest is lowered."""
    tolerance: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """Output -> largest difference from float32 that may be seen; in the output's own unit."""
    half: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """The same for bfloat16 on a processor that has it; empty: this network is never run in it there."""


@cache
def profiles() -> Mapping[str, Profile]:
    """Network -> the ``profile`` of its row in ``assets/networks.toml``. The tolerances are about three times what
    was measured, because a card orders its sums as it likes; what is off by more is a fault."""
    rows = tomllib.loads(resources.files("rtswap").joinpath("assets/networks.toml").read_text("utf-8"))
    return MappingProxyType({name: read_profile(row["profile"]) for name, row in rows.items() if "profile" in row})


def read_profile(table: Mapping[str, Any]) -> Profile:
    """From TOML, where lists stand for tuples."""
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
    return Profile(**values)


def profile_of(network: str) -> Profile:
    """``landmarks``, or a file's stem such as ``pnet-2``. A network that nobody knows gets the usual ranges."""
    known = profiles()
    return known.get(network) or known.get(re.sub(r"-\d+$", "", network)) or Profile()
