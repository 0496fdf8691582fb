"""The loop on a GPU: which parts work there, and why they do not where they do not."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from rtswap.app.config import Config
from rtswap.app.networks import Eyes
from rtswap.core.protocols import DeviceFinish, DeviceSwapper, Engine, SwapModel, Workshop
from rtswap.disclosure import Disclosure
from rtswap.gpu import card as door
from rtswap.swappers.mesh.swapper import MeshSwapModel

ON_GPU = ("tensorrt", "torch-cuda")
"""How the names of engines begin that leave their results there."""
ON_HOST = ("idt", "sot")
"""Colour transfers that are good for files, and have no version for a GPU."""


def works_on_gpu(config: Config, eyes: Eyes) -> bool:
    """Whether frames are to be worked on where the networks run."""
    return eyes.engine.startswith(ON_GPU) and not why_on_host(config, eyes)


def why_on_host(config: Config, eyes: Eyes) -> str:
    """What of the configuration keeps frames on the processor although the networks run on a GPU; empty: nothing."""
    if not eyes.engine.startswith(ON_GPU):
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


def device_model(model: MeshSwapModel) -> SwapModel:
    """The swapper ``mesh`` with its pixels on the GPU, from captured graphs: of the thousand kernels of a frame about
    half are its."""
    from rtswap.swappers.mesh.gpu import TorchMeshSwapModel

    return TorchMeshSwapModel(model, door.DEVICE, "captured")


def device_one_model(under: SwapModel, encoder: Engine, generator: Engine, size: int) -> SwapModel:
    """The swapper ``one`` over ``device_model``."""
    from rtswap.swappers.refiner.gpu import TorchOneSwapModel

    return TorchOneSwapModel(under, encoder, generator, size)


def device_finishes(config: Config, eyes: Eyes, *, partial: bool, every_s: float) -> list[DeviceFinish]:
    """As ``assemble.make_finishes``, in the same order."""
    finishes: list[DeviceFinish] = []
    swap, mask = config.swap, config.mask
    if eyes.occluders is not None and "occlusion" in mask.masks:
        from rtswap.compositing.finishes.occlusion_gpu import DeviceOcclusionMask

        finishes.append(DeviceOcclusionMask(eyes.occluders.engine, every_s=every_s))
    if partial:
        from rtswap.compositing.finishes.parts_gpu import DevicePartsMask

        finishes.append(DevicePartsMask(mask.parts, mask.keep))
    if swap.color not in ("light", "none"):
        from rtswap.compositing.finishes.color_gpu import DeviceColorMatch

        finishes.append(DeviceColorMatch(swap.color))
    if swap.detail == "match":
        from rtswap.compositing.finishes.detail_gpu import DeviceMatchDetail

        finishes.append(DeviceMatchDetail())
    return finishes


def device_workshop(
    swappers: Sequence[DeviceSwapper],
    finishes: Sequence[DeviceFinish],
    *,
    partial: bool,
    disclosure: Disclosure | None,
) -> Workshop:
    """``disclosure``: whose badge and mark are written on the GPU; None: nothing is. Raises EngineError."""
    from rtswap.compositing.canvas.gpu import Compositor
    from rtswap.compositing.renderer_gpu import DeviceWorkshop
    from rtswap.disclosure.gpu_patterns import patterns, plates

    if disclosure is None:
        compositor = Compositor(door.DEVICE)
    else:
        payload = disclosure.watermark.payload if disclosure.watermark is not None else None
        compositor = Compositor(door.DEVICE, pattern=patterns(payload), plate=plates(disclosure.badge))
    return DeviceWorkshop(swappers, canvas=compositor.begin, finishes=finishes, partial=partial)
