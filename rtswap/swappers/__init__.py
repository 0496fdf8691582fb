"""Swapping methods: one module or folder each, exporting one ``SPEC``. ``bind`` runs once per source, ``swap`` per
face."""

from __future__ import annotations

from functools import cache

from rtswap.core.parts import SwapperSpec
from rtswap.core.plugins import built_in, plugin
from rtswap.swappers.onnx import imported_swappers

GROUP = "rtswap.swappers"
"""Entry point group for swappers of other packages."""


@cache
def built_in_swappers() -> tuple[SwapperSpec, ...]:
    """The swappers that come with rtswap."""
    return tuple(built_in("rtswap.swappers", SwapperSpec))


def swapper_spec(name: str) -> SwapperSpec:
    """Find a swapper by name or alias: rtswap's own, an imported model, or a plugin's. Raises UsageError."""
    for spec in (*built_in_swappers(), *imported_swappers()):
        if name in (spec.name, *spec.aliases):
            return spec
    return plugin(GROUP, name, SwapperSpec, built_in=[spec.name for spec in built_in_swappers()])
