"""The loop on a GPU: which parts work there, and why they do not where they do not."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from rtswap.app.config import Config
from rtswap.app.networks import FaceModels
from rtswap.core.protocols import Engine, GpuFinish, GpuSwapper, Renderer, SwapModel
from rtswap.disclosure import Disclosure
from rtswap.gpu import card as door
from rtswap.swappers.mesh.swapper import MeshSwapModel

ON_GPU = ("tensorrt", "torch-cuda")
"""How the names of engines begin that leave their results there."""
ON_HOST = ("idt", "sot")
"""Colour transfers that are good for files, and have no version for a GPU."""


def works_on_gpu(config: Config, models: FaceModels) -> bool:
    """Whether frames are to be worked on where the networks run."""
    return models.engine.startswith(ON_GPU) and not why_on_host(config, models)


def why_on_host(config: Config, models: FaceModels) -> str:
    """What of the configuration keeps frames on the processor although the networks run on a GPU; empty: nothing."""
    if not models.engine.startswith(ON_GPU):
        return ""
    swap = config.swap
    asked = {
        f"--color {swap.color}": swap.color in ON_HOST,
        f"--blend {swap.blend}": swap.blend == "poisson",
    }
    reasons = [f"{flag} has no version for a GPU" for flag, on_host in asked.items() if on_host]
    if door.DEVICE == "cuda" and find_spec("triton") is None:
        reasons.append("Triton is not installed")
    return ", ".join(reasons)


def gpu_mesh_model(model: MeshSwapModel) -> SwapModel:
    """The swapper ``mesh`` with its pixels on the GPU, from captured graphs: of the thousand kernels of a frame about
    half are its."""
    from rtswap.swappers.mesh.gpu import GpuMeshSwapModel

    return GpuMeshSwapModel(model, door.DEVICE, "captured")


def gpu_refiner_model(base: SwapModel, encoder: Engine, generator: Engine, size: int) -> SwapModel:
    """The refiner over ``gpu_mesh_model``."""
    from rtswap.swappers.refiner.gpu import GpuRefinerSwapModel

    return GpuRefinerSwapModel(base, encoder, generator, size)


def gpu_finishes(config: Config, models: FaceModels, *, partial: bool, every_s: float) -> list[GpuFinish]:
    """As ``assemble.make_finishes``, in the same order."""
    finishes: list[GpuFinish] = []
    swap, mask = config.swap, config.mask
    if models.occlusion_model is not None and "occlusion" in mask.masks:
        from rtswap.compositing.finishes.occlusion_gpu import GpuOcclusionMask

        finishes.append(GpuOcclusionMask(models.occlusion_model.engine, every_s=every_s))
    if partial:
        from rtswap.compositing.finishes.parts_gpu import GpuPartsMask

        finishes.append(GpuPartsMask(mask.parts, mask.keep))
    if swap.color not in ("light", "none"):
        from rtswap.compositing.finishes.color_gpu import GpuColorMatch

        finishes.append(GpuColorMatch(swap.color))
    if swap.detail == "match":
        from rtswap.compositing.finishes.detail_gpu import GpuMatchDetail

        finishes.append(GpuMatchDetail())
    return finishes


def gpu_renderer(
    swappers: Sequence[GpuSwapper],
    finishes: Sequence[GpuFinish],
    *,
    partial: bool,
    disclosure: Disclosure | None,
) -> Renderer:
    """``disclosure``: whose badge and mark are written on the GPU; None: nothing is. Raises EngineError."""
    from rtswap.compositing.canvas.gpu import Compositor
    from rtswap.compositing.renderer_gpu import GpuRenderer
    from rtswap.disclosure.gpu_patterns import patterns, plates

    if disclosure is None:
        compositor = Compositor(door.DEVICE)
    else:
        payload = disclosure.watermark.payload if disclosure.watermark is not None else None
        compositor = Compositor(door.DEVICE, pattern=patterns(payload), plate=plates(disclosure.badge))
    return GpuRenderer(swappers, canvas=compositor.begin, finishes=finishes, partial=partial)
