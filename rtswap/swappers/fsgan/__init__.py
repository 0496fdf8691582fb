"""The swapper of FSGAN files, which ``rtswap train fsgan`` makes: views of the source are reenacted step by step,
what they do not show is filled, and the face is blended in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from rtswap.core.errors import ModelError
from rtswap.core.parts import BuildContext

if TYPE_CHECKING:  # keep --help fast
    from rtswap.core.protocols import SwapModel
    from rtswap.networks.catalog import Entry

SYSTEM = "fsgan"
"""What such a file's graphs say of themselves."""
WARPED = "warped"
"""The input of a reenacting graph whose view has been moved by its landmarks; else it is named ``view``."""


def builder(parts: Mapping[str, Entry]) -> Callable[[BuildContext], SwapModel]:
    """What builds the swapper of one file. ``parts``: ``inpaint``, ``blend``, and the first, without a name, which
    reenacts."""

    def build(context: BuildContext) -> SwapModel:
        from rtswap.networks.occlusion import OcclusionModel
        from rtswap.swappers.fsgan.swapper import FsganSwapModel

        named = {part or "reenact": entry for part, entry in parts.items()}
        if missing := {"inpaint", "blend"} - named.keys():
            raise ModelError("the swapper's file does not fit together", got=f"no graph {sorted(missing)[0]!r}")
        first = named["reenact"].zeros()
        side = next((value.shape[1] for value in first.values() if value.ndim == 4), 0)
        if not side:
            raise ModelError("the swapper's file has a graph that takes no picture", expected="an input view")
        occlusion = context.engines.get("occlusion")
        return FsganSwapModel(
            {part: context.engines[entry.name] for part, entry in named.items()},
            named["reenact"].template,
            side,
            WARPED in first,
            "hull" in context.mask.masks,
            context.swap.expression,
            OcclusionModel(occlusion) if occlusion is not None else None,
            context.models.coverage,
        )

    return build
