"""Time a frame in the renderer of ``rtswap --engine torch-cuda``: crop, mesh, finishes, paste, marks, verdict.

    python benchmarks/gpu_loop.py --json benchmarks/results/gpu_loop.json    # on a GPU: half a minute
    python benchmarks/gpu_loop.py --device cpu --quick                       # smoke test with torch on the CPU

Everything is as in the program (default finishes, the occlusion network run as in a live stream), except for the
tracker: the positions of the faces are given. ``ms`` is the host's time from submitting a frame to receiving the
marked one; ``host_ms`` the host's busy time before it waits; ``waits`` the number of waits per frame.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from gpu import FACE_PX, SIZES, VISIBLE, machine, make_frame, modes_of, spread
from results_file import tell

from rtswap.app.config import Config
from rtswap.app.networks import open_models
from rtswap.commands.bench.rig import People
from rtswap.compositing.canvas.gpu import Compositor
from rtswap.compositing.finishes.detail_gpu import GpuMatchDetail
from rtswap.compositing.finishes.occlusion import LIVE_EVERY_S
from rtswap.compositing.finishes.occlusion_gpu import GpuOcclusionMask
from rtswap.compositing.renderer_gpu import GpuRenderer
from rtswap.core.protocols import GpuSwapper, SwapModel
from rtswap.core.types import Image, Points, Quality, Track
from rtswap.disclosure import Badge
from rtswap.disclosure.stamp import Stamp
from rtswap.disclosure.watermark import Payload, Watermark
from rtswap.engines.torch.engine import TorchEngine
from rtswap.gpu.torch_import import load_torch
from rtswap.networks.registry import Registry
from rtswap.runtime.metrics import Spans
from rtswap.swappers.mesh.gpu import GpuMeshSwapModel
from rtswap.swappers.mesh.swapper import MeshSwapModel
from rtswap.swappers.refiner.gpu import GpuRefinerSwapModel
from rtswap.vision.geometry import box_of

torch = load_torch()

FPS = 30.0


class Loop:
    """One stream with static faces."""

    def __init__(self, device: str, size: tuple[int, int], faces: int, mode: str, swapper: str = "mesh") -> None:
        self.image, meshes = scene(size, faces)
        self.compositor = Compositor(device)
        registry = Registry(on_event=print)
        model: SwapModel = GpuMeshSwapModel(MeshSwapModel(skin=False), device, mode)
        if swapper == "refiner":
            model = GpuRefinerSwapModel(model, TorchEngine(registry.path(swapper), device=device))
        bound = model.bind(people().source("ada"))
        assert isinstance(bound, GpuSwapper)
        network = TorchEngine(registry.path("occlusion"), device=device)
        self.renderer = GpuRenderer(
            [bound],
            canvas=self.compositor.begin,
            stamp=Stamp(Badge(), Watermark(Payload((1, 0)))),
            finishes=[GpuOcclusionMask(network, LIVE_EVERY_S), GpuMatchDetail()],
            partial=False,
        )
        self.tracks = [
            Track(k, box_of(mesh), np.zeros((5, 2), np.float32), mesh, VISIBLE, 1.0) for k, mesh in enumerate(meshes)
        ]
        self.spans, self.index = Spans(), 0

    def frame(self) -> tuple[float, float]:
        """Return the seconds of one frame, and those before the wait. Raises RuntimeError if the frame is not
        released."""
        begin = time.perf_counter()
        render = self.renderer.begin(self.image)
        now = self.index / FPS
        swaps = render.swap([(track, 0) for track in self.tracks], quality=Quality(), now=now, stages=self.spans)
        render.paste()
        asked = time.perf_counter()
        render.deliver()
        if render.verdict() != swaps or len(swaps.done) != len(self.tracks):
            raise RuntimeError(f"the frame was not released: {swaps}, then {render.verdict()}")
        self.index += 1
        return time.perf_counter() - begin, asked - begin


@cache
def people() -> People:
    return People(open_models(Config(), on_event=print))


def scene(size: tuple[int, int], faces: int) -> tuple[Image, list[Points]]:
    """Return a frame with this many faces side by side, and their meshes. The faces are realistic: on a synthetic
    texture the occlusion network would mask everything."""
    ben = people().source("ben")
    portrait, mesh = ben.portrait, ben.landmarks
    image = make_frame(*size)
    scale, middle = FACE_PX * size[1] / float(np.ptp(mesh[:, 0])), (mesh.min(0) + mesh.max(0)) / 2
    found = []
    for face in range(faces):
        first, last = (size[0] * k // faces for k in (face, face + 1))
        at = np.array([(first + last) / 2, size[1] / 2, 0], np.float32)
        found.append(np.asarray((mesh - middle) * scale + at, np.float32))
        x, y = at[:2] - scale * middle[:2] - [first, 0]
        strip = np.ascontiguousarray(image[:, first:last])
        matrix = np.array([[scale, 0, x], [0, scale, y]], np.float32)
        cv2.warpAffine(
            portrait, matrix, strip.shape[1::-1], dst=strip, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_TRANSPARENT
        )
        image[:, first:last] = strip
    return image, found


def measure(loop: Loop, repeats: int) -> dict[str, Any]:
    """Measure after a warm-up in which networks are captured and kernels compiled."""
    for _ in range(max(5, repeats // 10)):
        loop.frame()
    loop.spans.take()
    before = loop.compositor.waits.count
    times = [loop.frame() for _ in range(repeats)]
    stages = {name: round(1e3 * seconds / repeats, 4) for name, seconds in loop.spans.take().items()}
    return {
        "ms": spread([whole for whole, _ in times]),
        "host_ms": spread([host for _, host in times]),
        "stages_on_the_host_ms": stages,
        "waits": (loop.compositor.waits.count - before) / repeats,
    }


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--quick", action="store_true", help="smoke test with few, small scenes")
    parser.add_argument("--modes", type=modes_of, default=[], help="how the mesh's pixels are rendered")
    parser.add_argument("--swappers", nargs="+", choices=("mesh", "refiner"), default=["mesh", "refiner"])
    parser.add_argument("--json", type=Path, help="write the results here")
    options = parser.parse_args(arguments)
    sizes = {"180p": (320, 180)} if options.quick else SIZES
    modes = options.modes or (["plain"] if options.device == "cpu" else ["captured"])
    found = {}
    for name, size in sizes.items():
        for faces in (1,) if options.quick else (1, 4):
            for mode, swapper in product(modes, options.swappers):
                loop = Loop(options.device, size, faces, mode, swapper)
                found[f"{name}, {faces} faces, {mode}, {swapper}"] = measure(loop, 3 if options.quick else 200)
    report = {"machine": machine(torch.device(options.device)), "quick": options.quick, "frames": found}
    tell(report, options.json)
    return report


if __name__ == "__main__":
    main()
