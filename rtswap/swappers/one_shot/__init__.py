"""Swappers that ``rtswap train`` made for any source: a ``SwapperSpec`` for each ``.rtswap`` file that is installed
(``networks.system_file``). A system that does more in a frame than to run one graph has a builder of its own in
``_builder``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rtswap.core.parts import BuildContext, SwapperSpec
from rtswap.swappers import fsgan, mesh

if TYPE_CHECKING:
    from rtswap.core.protocols import SwapModel
    from rtswap.networks.catalog import Entry


def spec_of(entry: Entry, all_entries: dict[str, Entry]) -> SwapperSpec:
    """The spec of one system. ``entry``: its first graph; ``all_entries``: of all imported models."""
    graphs = {
        name.removeprefix(entry.name).removeprefix("-"): other
        for name, other in all_entries.items()
        if other.folder == entry.folder
    }
    return SwapperSpec(
        entry.name, entry.title, _builder(graphs), networks=tuple(other.name for other in graphs.values())
    )


def _builder(graphs: dict[str, Entry]) -> Callable[[BuildContext], SwapModel]:
    """``graphs``: part -> entry; the first graph's part is empty."""

    if graphs[""].system == fsgan.SYSTEM:
        return fsgan.builder(graphs)

    def build(context: BuildContext) -> SwapModel:
        from rtswap.swappers.one_shot.swapper import WARPED, BoundGraph, OneShotSwapModel

        parts = {part: BoundGraph(context.engines[entry.name], entry) for part, entry in graphs.items()}
        frame = parts[""]
        return OneShotSwapModel(
            frame,
            parts.get("bind"),
            mesh.build(context) if WARPED in frame.inputs else None,
            hull="hull" in context.mask.masks,
            coverage=context.models.coverage,
        )

    return build
