"""The swappers ``refiner-128`` and ``refiner-256``: a small network corrects the result of ``mesh``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rtswap.core.parts import BuildContext, SwapperSpec
from rtswap.swappers import mesh

if TYPE_CHECKING:
    from rtswap.core.protocols import SwapModel

ENCODER = "refiner-source"


def _build(network: str) -> Callable[[BuildContext], SwapModel]:
    def build(context: BuildContext) -> SwapModel:
        from rtswap.swappers.refiner.swapper import SIZES, RefinerSwapModel

        engines = context.engines
        return RefinerSwapModel(mesh.build(context), engines[ENCODER], engines[network], SIZES[network])

    return build


def _build_gpu(network: str) -> Callable[[BuildContext], SwapModel]:
    def build_gpu(context: BuildContext) -> SwapModel:
        from rtswap.swappers.refiner.gpu import GpuRefinerSwapModel
        from rtswap.swappers.refiner.swapper import SIZES

        engines = context.engines
        return GpuRefinerSwapModel(mesh.build_gpu(context), engines[ENCODER], engines[network], SIZES[network])

    return build_gpu


def _spec(network: str, help: str, *aliases: str) -> SwapperSpec:
    return SwapperSpec(network, help, _build(network), _build_gpu(network), (ENCODER, network), aliases)


SPEC = (
    _spec("refiner-128", "mesh, then a small network that softens the photo's shadows; slower", "one", "refiner"),
    _spec("refiner-256", "the same at twice the resolution; slower still, for a GPU", "one-256"),
)
