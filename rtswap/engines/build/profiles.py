"""Profiles of the networks: ranges of input sizes, precision and tolerances.

``docs/precision.md`` has the measurements behind the tolerances (``benchmarks/precision.py``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from typing import Any

from rtswap.core.model_rows import model_rows
from rtswap.core.network_rows import network_rows

Range = tuple[int, int, int]
"""Least, usual and largest length."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One network."""

    batch: Range = (1, 4, 16)
    """Faces per run."""
    side: Range = (16, 256, 1024)
    """Rows and columns, if the network's input size is dynamic."""
    precision: str = "fp16"
    """Default precision of engines that support several: the fastest within the tolerance on real crops."""
    keep: tuple[str, ...] = ()
    """Outputs of nodes that stay in float32 when the rest is lowered."""
    tolerance: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """Output -> largest allowed difference from float32, in the output's own unit."""
    half: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """The same for bfloat16 on a CPU that supports it; empty: never run in bfloat16 on the CPU."""


@cache
def profiles() -> Mapping[str, Profile]:
    """Return network -> the ``profile`` of its row in ``networks.toml``. The tolerances are about three times
    the measured difference, because the order of summation differs between GPUs; a larger difference is a bug."""
    found = {name: read_profile(row["profile"]) for name, row in network_rows().items() if "profile" in row}
    return MappingProxyType(found)


def read_profile(table: Mapping[str, Any]) -> Profile:
    """Read a profile from a TOML table; lists become tuples."""
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
    return Profile(**values)


def profile_of(network: str) -> Profile:
    """Return the profile for a name such as ``landmarks`` or a file's stem such as ``pnet-2``; the default profile
    for an unknown network."""
    known, imported = profiles(), model_rows().get(network, {})
    if "profile" in imported:
        return read_profile(imported["profile"])
    return known.get(network) or known.get(re.sub(r"-\d+$", "", network)) or Profile()
