"""Measure each GPU stage of a frame and compare it with the device's limits (roofline).

    python benchmarks/gpu.py --out benchmarks/results/gpu.json      # on a GPU: half a minute
    python benchmarks/gpu.py --modes plain,captured --seconds 600           # minutes
    python benchmarks/gpu.py --device cpu --quick                   # smoke test with torch on the CPU

Limits are measured first: matrix products, and copies to, from and on the device. A stage's share of the limit is the
time that its bytes or FLOPs would take at these rates, divided by its measured time. Bytes are those that must be
moved at least once. Times of single stages are from CUDA events; ``frame`` is the host's time from submitting a frame
to receiving the finished one, ``overlapped`` the time per frame if the next frame is submitted before the last is
received.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from results_file import tell

from rtswap.compositing.canvas.face_table import side_for
from rtswap.compositing.canvas.gpu import Compositor
from rtswap.core.types import BatchedTarget, Image, Points, Quality, SourceIdentity, TargetBatch, View
from rtswap.disclosure import Badge
from rtswap.disclosure.stamp import Stamp
from rtswap.disclosure.watermark import Payload, Watermark
from rtswap.gpu.resample import uploaded
from rtswap.gpu.torch_import import load_torch
from rtswap.swappers.mesh.gpu import MODES, GpuMeshSwapModel, GpuMeshSwapper
from rtswap.swappers.mesh.swapper import MeshSwapModel
from rtswap.vision.geometry import canonical, transform

torch = load_torch()

SIZES = {"720p": (1280, 720), "1080p": (1920, 1080)}
FACE_PX = 0.42
"""Width of a face relative to the frame's height."""
VISIBLE = np.ones(468, np.float32)


@dataclass(frozen=True)
class Work:
    """One stage: the function to time, and the bytes and FLOPs it needs at least."""

    run: Callable[[], Any]
    bytes_: float = 0.0
    flops: float = 0.0
    limit: str = "copy_device"
    """The measured rate that its bytes are compared with."""


class Clock:
    """Return the seconds of repeated runs of ``work``, after a warm-up."""

    def __init__(self, device: Any, repeats: int) -> None:
        self.device, self.repeats = device, repeats

    def wait(self) -> None:
        """Wait until the device is idle."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def times(self, run: Callable[[], Any]) -> list[float]:
        """Time with CUDA events if there is a GPU."""
        for _ in range(max(2, self.repeats // 10)):
            run()
        self.wait()
        return [self._one(run) for _ in range(self.repeats)]

    def _one(self, run: Callable[[], Any]) -> float:
        if self.device.type != "cuda":
            return time_of(run)
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        run()
        end.record()
        end.synchronize()
        return float(begin.elapsed_time(end)) / 1e3


def time_of(run: Callable[[], Any]) -> float:
    """Time in seconds on the host's clock."""
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin


def spread(times: Sequence[float]) -> dict[str, float]:
    """Milliseconds."""
    p10, p50, p95 = np.percentile(times, [10, 50, 95]) * 1e3
    return {"median_ms": round(float(p50), 4), "p10_ms": round(float(p10), 4), "p95_ms": round(float(p95), 4)}


def limits(clock: Clock, quick: bool) -> dict[str, float]:
    """Return the device's limits: GEMM in FLOP/s, copies in bytes/s (on the device: bytes read plus written)."""
    device, on_gpu = clock.device, clock.device.type == "cuda"
    found = {}
    sides = {torch.float32: 4096, torch.float16: 8192} if on_gpu else {torch.float32: 256 if quick else 1024}
    for kind, side in sides.items():
        a, b = (torch.randn(side, side, device=device, dtype=kind) for _ in range(2))
        out = torch.empty_like(a)
        seconds = np.median(clock.times(lambda out=out, a=a, b=b: torch.mm(a, b, out=out)))
        found[f"gemm_{str(kind).removeprefix('torch.')}"] = 2 * side**3 / float(seconds)
    count = 2**28 if on_gpu else 2**22 if quick else 2**26
    host = torch.empty(count, dtype=torch.uint8, pin_memory=on_gpu)
    first, second = (torch.empty(count, dtype=torch.uint8, device=device) for _ in range(2))
    copies = {"copy_up": (first, host, 1), "copy_down": (host, first, 1), "copy_device": (second, first, 2)}
    for name, (to, source, times) in copies.items():
        seconds = np.median(clock.times(lambda to=to, source=source: to.copy_(source, non_blocking=True)))
        found[name] = times * count / float(seconds)
    return found


def make_frame(width: int, height: int) -> Image:
    """Return a synthetic frame with realistic contrast."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(40, 215, (height // 16 + 1, width // 16 + 1, 3), np.uint8)
    noise = rng.integers(0, 12, (height, width, 3), np.uint8)
    return np.asarray(cv2.add(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), noise), np.uint8)


def face_at(x: float, y: float, width: float) -> Points:
    """Return the canonical face (468, 3) with this width and centre."""
    mesh = canonical().mesh
    points = (mesh - (mesh.min(0) + mesh.max(0)) / 2) * (width / np.ptp(mesh[:, 0]))
    return np.asarray(points + np.array([x, y, 0]), np.float32)


class Scene:
    """A frame with faces, and all stages that process it."""

    def __init__(self, device: str, size: tuple[int, int], faces: int, *, mode: str) -> None:
        width, height = size
        self.image = make_frame(width, height)
        self.size = size
        self.compositor, self.stamp = Compositor(device), Stamp(Badge(), Watermark(Payload((1, 0))))
        model = GpuMeshSwapModel(MeshSwapModel(skin=False), device, mode)
        swapper = model.bind(SourceIdentity(make_frame(512, 512), face_at(256, 256, 300)))
        assert isinstance(swapper, GpuMeshSwapper)
        self.swapper, self.quality = swapper, Quality()
        landmarks = [face_at(width * (k + 0.5) / faces, height / 2, FACE_PX * height) for k in range(faces)]
        self.views = [View(*swapper.view(points, self.quality.max_face_px)) for points in landmarks]
        self.faces = [
            BatchedTarget(k, transform(view.matrix, points), VISIBLE, 0.0, view.size)
            for k, (view, points) in enumerate(zip(self.views, landmarks, strict=True))
        ]

    def begun(self) -> Any:
        """Run all stages on a canvas and start its download."""
        canvas = self.compositor.begin(self.image)
        targets = TargetBatch(tuple(self.faces), canvas.crops(self.views))
        swapped = self.swapper.swap_all(targets, self.quality)
        canvas.paste_all(swapped.crops, swapped.masks, self.views)
        self.stamp.apply_on_gpu(canvas.frame)
        canvas.finish()
        return canvas

    def frame(self) -> Image:
        """Process one frame, from the host and back."""
        return np.asarray(self.begun().image())

    def stages(self) -> dict[str, Work]:
        """Return the stages, each timed separately on the result of the previous ones."""
        width, height = self.size
        slot_in = torch.from_numpy(self.image)
        on_gpu = self.compositor.device.type == "cuda"
        pinned = slot_in.pin_memory() if on_gpu else slot_in
        canvas = self.compositor.begin(self.image)
        frame, crops, side = canvas.frame, canvas.crops(self.views), side_for(self.views)
        rows = uploaded(self.swapper.rows(self.faces, side), self.compositor.device)
        swapped = self.swapper.render(crops, rows)

        down = torch.empty(frame.shape, dtype=torch.uint8, pin_memory=on_gpu)
        shown = float(sum(view.size[0] * view.size[1] for view in self.views))
        square, pixels = float(len(self.views) * side * side), float(width * height)
        return {
            "upload": Work(lambda: frame.copy_(pinned, non_blocking=True), 3 * pixels, limit="copy_up"),
            "crop": Work(lambda: canvas.crops(self.views), 3 * shown + 3 * square),
            "mesh pixels": Work(
                lambda: self.swapper.render(crops, rows),
                7 * square + rows.numel(),
                mesh_flops(len(self.views), side),
            ),
            "paste": Work(lambda: canvas.paste_all(swapped.crops, swapped.masks, self.views), 10 * shown),
            "cover": Work(lambda: canvas.cover(np.array([9, 9, 300, 400], np.float32), "blur"), 6.0 * 291 * 391),
            "mark": Work(lambda: self.stamp.apply_on_gpu(frame), 6 * pixels),
            "download": Work(lambda: down.copy_(frame, non_blocking=True), 3 * pixels, limit="copy_down"),
        }

    def host_rows(self) -> None:
        """Return what the host computes per frame for the mesh."""
        self.swapper.rows(self.faces, side_for(self.views))


def mesh_flops(faces: int, side: int) -> float:
    """Estimate the FLOPs: blurs are products of square matrices; everything else is about 200 per pixel."""
    blurs = 7 * 2 * (side / 8) ** 3 + 2 * (side / 4) ** 3 + 3 * 2 * (side / 2) ** 3
    return faces * (2 * blurs + 200 * side**2)


def measure(scene: Scene, clock: Clock, rates: dict[str, float]) -> dict[str, Any]:
    """Measure every stage of a scene, then complete frames."""
    stages = {}
    for name, work in scene.stages().items():
        taken = spread(clock.times(work.run))
        least = max(work.bytes_ / rates[work.limit], work.flops / rates["gemm_float32"])
        stages[name] = taken | {
            "bytes": int(work.bytes_),
            "flops": int(work.flops),
            "share_of_limit": round(1e3 * least / taken["median_ms"], 4),
        }
    scene.frame()
    before = scene.compositor.waits.count
    frames = [time_of(scene.frame) for _ in range(clock.repeats)]
    waits = (scene.compositor.waits.count - before) / clock.repeats
    return {
        "stages": stages,
        "geometry on the host": spread([time_of(scene.host_rows) for _ in range(clock.repeats)]),
        "frame": spread(frames),
        "overlapped_ms": round(1e3 * overlap(scene, clock.repeats), 4),
        "waits_per_frame": waits,
        "side_of_crops": side_for(scene.views),
    }


def overlap(scene: Scene, frames: int) -> float:
    """Return seconds per frame if each frame is submitted before the last is received."""
    last = scene.begun()
    begin = time.perf_counter()
    for _ in range(frames):
        following = scene.begun()
        last.image()
        last = following
    seconds = (time.perf_counter() - begin) / frames
    last.image()
    return seconds


def machine(device: Any) -> dict[str, Any]:
    """Return the machine and the versions that the figures are valid for."""
    found = {"torch": torch.__version__, "python": platform.python_version(), "device": str(device)}
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        found |= {"name": properties.name, "capability": f"{properties.major}.{properties.minor}"}
        found |= {"memory_gib": round(properties.total_memory / 2**30, 1), "cuda": torch.version.cuda}
    else:
        found["note"] = "no GPU: torch on the CPU. These figures say nothing about the speed on a GPU"
    return found


def variants(quick: bool, modes: Sequence[str]) -> list[tuple[int, str]]:
    """Number of faces, and the mode in which the mesh is rendered."""
    return [(faces, mode) for mode in modes for faces in ((1,) if quick else (1, 4))]


def modes_of(text: str) -> list[str]:
    """Parse a list of modes. Raises ArgumentTypeError for an unknown one."""
    found = text.split(",")
    if not set(found) <= set(MODES):
        raise argparse.ArgumentTypeError(f"modes are {', '.join(MODES)}, not {text}")
    return found


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--quick", action="store_true", help="smoke test with few, small scenes")
    parser.add_argument("--modes", type=modes_of, default=["captured"], help="how the mesh's pixels are rendered")
    parser.add_argument("--seconds", type=float, default=30.0, help="start no scene after this time")
    parser.add_argument("--out", "--json", type=Path, help="write the results here")
    options = parser.parse_args(arguments)
    began, left_out = time.perf_counter(), []
    device = torch.device(options.device)
    clock = Clock(device, 3 if options.quick else 100 if device.type == "cuda" else 10)
    rates = limits(clock, options.quick)
    scenes: dict[str, Any] = {}
    sizes = {"180p": (320, 180)} if options.quick else SIZES
    for name, size in sizes.items():
        for faces, mode in variants(options.quick, options.modes):
            title = f"{name}, {faces} faces, {mode}"
            if time.perf_counter() - began > options.seconds:
                left_out.append(title)
                continue
            scene = Scene(options.device, size, faces, mode=mode)
            scenes[title] = measure(scene, clock, rates)
    report = {
        "machine": machine(device),
        "quick": options.quick,
        "limits": {name: float(f"{rate:.4g}") for name, rate in rates.items()},
        "scenes": scenes,
        "left_out": left_out,
    }
    tell(report, options.out)
    return report


if __name__ == "__main__":
    main()
