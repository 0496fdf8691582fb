"""The swapper ``mesh``: warp the photo's own pixels onto the target, without a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtswap.core.parts import BuildContext, SwapperSpec

if TYPE_CHECKING:  # keep --help fast: import the swapper only when it is built
    from rtswap.core.protocols import SwapModel

LIGHT = "photo_light"
"""The network that finds the light in the photo."""


def build(context: BuildContext) -> SwapModel:
    """Build the swapper for frames in host memory."""
    from rtswap.networks.glasses import GlassesModel
    from rtswap.networks.occlusion import OcclusionModel
    from rtswap.networks.photo_light import PhotoLightModel
    from rtswap.swappers.mesh.swapper import MeshSwapModel

    swap, masks = context.swap, context.mask.masks
    occlusion, glasses, light = (context.engines.get(name) for name in ("occlusion", "glasses", LIGHT))
    return MeshSwapModel(
        expression=swap.expression,
        strength=swap.strength,
        light=swap.color == "light",
        hull="hull" in masks,
        skin="skin" in masks,
        occlusion_model=OcclusionModel(occlusion) if occlusion is not None else None,
        glasses_model=GlassesModel(glasses) if glasses is not None else None,
        light_model=PhotoLightModel(light) if light is not None else None,
    )


def build_gpu(context: BuildContext) -> SwapModel:
    """Build the swapper for a GPU. CUDA graphs: it launches about half of a frame's thousand kernels."""
    from rtswap.swappers.mesh.gpu import GpuMeshSwapModel
    from rtswap.swappers.mesh.swapper import MeshSwapModel

    host = build(context)
    assert isinstance(host, MeshSwapModel)
    return GpuMeshSwapModel(host, context.device, "captured")


SPEC = SwapperSpec("mesh", "warps the photo's own pixels", build, build_gpu, (LIGHT,))
