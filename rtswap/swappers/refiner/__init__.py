"""The swapper ``refiner``: a small network corrects the tones of ``mesh``'s result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtswap.core.parts import BuildContext, SwapperSpec
from rtswap.swappers import mesh

if TYPE_CHECKING:
    from rtswap.core.protocols import SwapModel

NETWORK = "refiner"


def _build(context: BuildContext) -> SwapModel:
    from rtswap.swappers.refiner.swapper import RefinerSwapModel

    return RefinerSwapModel(mesh.build(context), context.engines[NETWORK])


def _build_gpu(context: BuildContext) -> SwapModel:
    from rtswap.swappers.refiner.gpu import GpuRefinerSwapModel

    return GpuRefinerSwapModel(mesh.build_gpu(context), context.engines[NETWORK])


SPEC = SwapperSpec(
    "refiner",
    "mesh, then a small network that evens out shadows, casts and the seam; slower",
    _build,
    _build_gpu,
    (NETWORK, *mesh.SPEC.networks),
    ("refiner-128", "refiner-256", "one", "one-256"),
)
