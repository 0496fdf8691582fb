"""The swapping methods: a module or folder each, with one ``SPEC``. ``bind`` once per source, ``swap`` per face."""

from __future__ import annotations

from functools import cache

from rtswap.core.parts import SwapperSpec
from rtswap.core.plugins import built_in, plugin, plugin_names

GROUP = "rtswap.swappers"
"""Entry points of other packages' swappers."""


@cache
def built_in_swappers() -> tuple[SwapperSpec, ...]:
    """Those that come with rtswap."""
    return tuple(built_in("rtswap.swappers", SwapperSpec))


def swapper_names() -> tuple[str, ...]:
    """All that ``--swapper`` takes, aliases left out."""
    return tuple(spec.name for spec in built_in_swappers()) + plugin_names(GROUP)


def swapper_spec(name: str) -> SwapperSpec:
    """By name or alias. Raises UsageError."""
    for spec in built_in_swappers():
        if name in (spec.name, *spec.aliases):
            return spec
    return plugin(GROUP, name, SwapperSpec, built_in=[spec.name for spec in built_in_swappers()])
