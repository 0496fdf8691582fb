"""What is known of each network beforehand: how large its inputs come, and how exactly it has to be computed.

Data only. ``docs/precision.md`` shows what the tolerances were taken from (``benchmarks/precision.py``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

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


_UNKNOWN = Profile()


def _off(**outputs: float) -> Mapping[str, float]:
    return MappingProxyType(outputs)


PROFILES: Mapping[str, Profile] = MappingProxyType(
    {
        "pnet": Profile(batch=(1, 1, 1), side=(12, 256, 2560), tolerance=_off(map=0.2)),
        "rnet": Profile(batch=(1, 16, 64), tolerance=_off(score=0.005, box=0.003)),
        "onet": Profile(batch=(1, 4, 64), tolerance=_off(score=0.005, box=0.002, points=0.002)),
        "dlib": Profile(tolerance=_off(embedding=0.002)),
        "landmarks": Profile(
            keep=("/network/points/Gemm_output_0", "points"),  # above 64 px float16 knows only sixteenths
            tolerance=_off(points=0.1, visibility=0.005, presence=0.005),
        ),
        "recognition": Profile(tolerance=_off(embedding=0.001)),
        "occlusion": Profile(tolerance=_off(visible=0.01)),
        # float16 is within 0.7 levels on faces, but says the opposite on noise
        "refiner-128": Profile(precision="fp32", tolerance=_off(made=2.0), half=_off(made=12.0)),
        "refiner-256": Profile(precision="fp32", tolerance=_off(made=2.0), half=_off(made=12.0)),
        "refiner-source": Profile(batch=(1, 1, 1), tolerance=_off(style=0.02)),
    }
)
"""Network -> what is known of it. The tolerances are about three times what was measured, because a card orders its
sums as it likes; what is off by more is a fault."""


def profile_of(network: str) -> Profile:
    """``landmarks``, or a file's stem such as ``pnet-2``. A network that nobody knows gets the usual ranges."""
    return PROFILES.get(network) or PROFILES.get(re.sub(r"-\d+$", "", network)) or _UNKNOWN
