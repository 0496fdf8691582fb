"""Create the renderer of a frame: on a GPU, or in host memory."""

from __future__ import annotations

from collections.abc import Sequence

from rtswap.compositing.canvas.host import HostCanvas
from rtswap.compositing.renderer import HostRenderer
from rtswap.core.errors import EngineError
from rtswap.core.protocols import GpuFinish, GpuSwapper, Renderer, Stamp, Swapper
from rtswap.gpu import card


def gpu_renderer(
    swappers: Sequence[Swapper], stamp: Stamp, *, name: str, finishes: Sequence[GpuFinish] = (), partial: bool = False
) -> Renderer:
    """``name``: of the swapping method, for messages; ``partial``: as for ``GpuRenderer``. Raises EngineError for a
    swapper without a GPU half."""
    from rtswap.compositing.canvas.gpu import Compositor
    from rtswap.compositing.renderer_gpu import GpuRenderer

    able = [swapper for swapper in swappers if isinstance(swapper, GpuSwapper)]
    if len(able) < len(swappers):  # a source's number is its index in this list, so none may be skipped
        unable = next(swapper for swapper in swappers if not isinstance(swapper, GpuSwapper))
        raise EngineError(
            f"the swapper {name} cannot work on the GPU",
            expected="a GpuSwapper from build_gpu",
            got=type(unable).__name__,
            do="Use --engine onnxruntime",
        )
    return GpuRenderer(able, canvas=Compositor(card.DEVICE).begin, stamp=stamp, finishes=finishes, partial=partial)


def plain_renderer(swapper: Swapper, stamp: Stamp, *, name: str, on_gpu: bool) -> Renderer:
    """A renderer of one swapper without finishes. Raises EngineError as ``gpu_renderer``."""
    if on_gpu:
        return gpu_renderer([swapper], stamp, name=name)
    return HostRenderer([swapper], canvas=HostCanvas, stamp=stamp)
