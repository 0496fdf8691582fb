"""Null output, which discards frames; for benchmarks."""

from __future__ import annotations

from rtswap.core.parts import OutputSpec
from rtswap.core.types import MarkedImage


class Null:
    """Output that only counts frames."""

    name = "null"

    def __init__(self) -> None:
        self.count = 0

    def send(self, image: MarkedImage) -> None:
        self.count += 1

    def close(self) -> None:
        return


SPEC = OutputSpec("null", "null", lambda address: address == "null", lambda address, request: Null())
