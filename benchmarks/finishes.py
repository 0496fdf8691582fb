"""Measure each finish's time per face, by default on a 300 px face. Prints JSON.

    python benchmarks/finishes.py [--width 300] [--runs 200] [--slow-runs 8] [--json finishes.json]

A persona's face is swapped onto another's in a soft, noisy frame; each finish then processes a fresh copy of the
swap in every run (the copy is not timed), at 30 frames per second of stream time, so that work done only in some
frames shows in the tail. OpenCV uses one thread, networks their own number. Finishes take turns in one process;
warm-up runs are discarded. The minimum, the median and the 10th and 90th percentiles are reported; on a shared
machine the minimum is the most reliable.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from results_file import tell

from rtswap.app.config import Config
from rtswap.app.networks import FaceModels, open_models
from rtswap.commands.evaluate.speed import spread_ms
from rtswap.compositing.canvas.host import HostCanvas
from rtswap.compositing.finishes.color import ColorMatch
from rtswap.compositing.finishes.detail import MatchDetail
from rtswap.compositing.finishes.occlusion import OcclusionMask
from rtswap.compositing.finishes.parts import PartsMask
from rtswap.compositing.finishes.poisson import PoissonBlend
from rtswap.core.protocols import Finish
from rtswap.core.types import Quality, SourceIdentity, SwappedFace, Target
from rtswap.source.portrait import find_landmarks
from rtswap.swappers.mesh.swapper import MeshSwapModel
from rtswap.vision.geometry import transform
from rtswap.vision.talking_head import persona

WARM_UP = 3
FPS = 30.0
LIVE: dict[str, Callable[[], Finish]] = {
    "color rct": lambda: ColorMatch("rct"),
    "color lct": lambda: ColorMatch("lct"),
    "color mkl": lambda: ColorMatch("mkl"),
    "color hist": lambda: ColorMatch("hist"),
    "detail": MatchDetail,
    "parts eyes": lambda: PartsMask(["eyes"], []),
    "keep mouth": lambda: PartsMask(["all"], ["mouth"]),
}
SLOW: dict[str, Callable[[], Finish]] = {
    "color idt": lambda: ColorMatch("idt"),
    "color sot": lambda: ColorMatch("sot"),
    "poisson": PoissonBlend,
}
"""Settings for files."""


def someone(models: FaceModels, name: str, width: float) -> SourceIdentity:
    """Return a persona's image with a face ``width`` px wide."""
    picture = persona(name)
    found = find_landmarks(models.landmarks, picture, models.detector.detect(picture)[0].keypoints)
    scale = width / float(np.ptp(found[:, 0]))
    large = np.asarray(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC), np.uint8)
    return SourceIdentity(large, (found * scale).astype(np.float32), name=name)


def swap_face(models: FaceModels, width: float) -> tuple[SwappedFace, Target]:
    """Return a swap of ada onto a soft, noisy frame of ben."""
    source, who = someone(models, "ada", 300), someone(models, "ben", width)
    noise = 4 * np.random.default_rng(0).standard_normal(who.portrait.shape[:2])[..., None]
    picture = (cv2.GaussianBlur(who.portrait, (0, 0), 1.5) + noise).clip(0, 255).astype(np.uint8)
    swapper = MeshSwapModel().bind(source)
    matrix, size = swapper.view(who.landmarks, 1024)
    crop = HostCanvas(picture).crop(matrix, size)
    landmarks = transform(matrix, who.landmarks)
    target = Target(1, crop, landmarks, np.ones(len(landmarks), np.float32), 0.0)
    return swapper.swap(target, Quality()), target


def measure(
    finishes: dict[str, Callable[[], Finish]], swapped: SwappedFace, target: Target, runs: int
) -> dict[str, dict[str, float]]:
    """Return the milliseconds of each run."""
    steps = {name: make() for name, make in finishes.items()}
    times: dict[str, list[float]] = {name: [] for name in steps}
    for index in range(runs + WARM_UP):
        face = Target(1, target.crop, target.landmarks, target.visibility, index / FPS)
        for name, step in steps.items():
            fresh = SwappedFace(swapped.crop.copy(), swapped.mask.copy())
            start = time.perf_counter()
            step.apply(fresh, face, Quality())
            times[name].append(time.perf_counter() - start)
    return {name: spread_ms(values[WARM_UP:]) for name, values in times.items()}


def main() -> None:
    """Measure and print the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--width", type=float, default=300, help="width of the face in pixels")
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--slow-runs", type=int, default=8)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    models = open_models(Config(), on_event=lambda text: None)
    occlusion_model = models.occlusion_model
    assert occlusion_model is not None, "the default configuration asks for it"
    live = {"occlusion": lambda: OcclusionMask(occlusion_model)} | LIVE
    swapped, target = swap_face(models, options.width)
    before = os.getloadavg()[0]
    report = {
        "face_px": options.width,
        "crop": list(target.crop.shape[:2]),
        "machine": {"system": platform.platform(), "cores": os.cpu_count(), "load_before": round(before, 2)},
        "opencv": cv2.__version__,
        "live": measure(live, swapped, target, options.runs),
        "for files": measure(SLOW, swapped, target, options.slow_runs),
    }
    tell(report, options.json)


if __name__ == "__main__":
    main()
