"""``rtswap bench``: how fast this machine swaps. Needs no camera, no screen and no GPU.

A clip made from people who do not exist is played as a live source from memory; nothing is written. Every case runs
twice: at a camera's pace, for the age of frames, and as fast as it can, for the frames per second that it can reach.
Method: warm-up frames are left out; medians and tails, not means; the machine is described in the result.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import resource
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from rtswap.assemble import make_pipeline, make_swap_model
from rtswap.budget import Budget
from rtswap.config import Config
from rtswap.console import Console
from rtswap.errors import OutputError, SourceError
from rtswap.eyes import Eyes, open_eyes
from rtswap.marks import make_disclosure
from rtswap.metrics import Metrics, Spans
from rtswap.outputs.null import Null
from rtswap.pipeline import Pipeline
from rtswap.protocols import Engine
from rtswap.session import Session
from rtswap.source.portrait import find_landmarks
from rtswap.synthetic import AnimatedHead, clip, persona
from rtswap.types import Frame, Image, Points, SourceIdentity, StreamInfo, Tensor

CLIP_FRAMES = 12
"""Played forth and back; more would only fill memory."""
WARM_UP_S = 1.0
CAMERA_FPS = 60.0
TARGETS = ("ben", "carl", "dan")
PACKAGES = ("rtswap", "numpy", "opencv-python", "onnxruntime", "openvino", "av")


@dataclass(frozen=True, slots=True)
class Case:
    size: tuple[int, int]
    faces: int
    face_px: int

    @property
    def name(self) -> str:
        return f"{self.size[0]}x{self.size[1]}, {self.faces} face{'s' if self.faces > 1 else ''} of {self.face_px} px"


CASES = tuple(
    Case(size, faces, px)
    for size, face_px in (((640, 480), 200), ((1280, 720), 300), ((1920, 1080), 450))
    for faces, px in ((1, face_px), (3, face_px // 2))
)


class ClipInput:
    """Frames from memory at a camera's pace, or as fast as they are taken where ``fps`` is infinite."""

    def __init__(self, images: Sequence[Image], *, fps: float, seconds: float) -> None:
        height, width = images[0].shape[:2]
        self._images = [*images, *images[-2:0:-1]]
        self._period_s = 1 / fps
        self._seconds = seconds
        self._closed = threading.Event()
        self.info = StreamInfo(width, height, min(fps, 1000.0), live=np.isfinite(fps))

    def frames(self) -> Iterator[Frame]:
        began = time.perf_counter()
        index = 0
        while not self._closed.is_set() and (now := time.perf_counter()) - began < self._seconds:
            wait_s = began + index * self._period_s - now
            if wait_s > 0:
                time.sleep(wait_s)
            image = self._images[index % len(self._images)].copy()
            yield Frame(image, index, time.perf_counter())
            index += 1

    def close(self) -> None:
        self._closed.set()


class TimedEngine:
    """An engine whose time is counted as the stage ``networks``."""

    def __init__(self, engine: Engine, spans: Spans) -> None:
        self._engine, self._spans = engine, spans

    @property
    def name(self) -> str:
        return self._engine.name

    def run(self, inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        with self._spans("networks"):
            return self._engine.run(inputs)


class Rig:
    """The program's networks, swapper and loop with people who do not exist before it. Raises RtswapError."""

    def __init__(self, config: Config, *, on_event: Callable[[str], None]) -> None:
        self.config = config
        self.spans = Spans()
        self.eyes = open_eyes(config, on_event=on_event, wrap=lambda engine: TimedEngine(engine, self.spans))
        self._portraits = {name: _portrait(name, self.eyes) for name in ("ada", *TARGETS)}

    def images(self, size: tuple[int, int], *, faces: int, face_px: int) -> list[Image]:
        """The clip: 1 to 3 ``faces`` that talk and turn."""
        heads = [AnimatedHead(*self._portraits[name], face_px) for name in TARGETS[:faces]]
        return list(clip(heads, size, fps=30, frames=CLIP_FRAMES))

    def pipeline(self, faces: int = 1) -> Pipeline:
        """A new one, ada's face bound."""
        which = replace(self.config.tracking, faces="one" if faces == 1 else "all")
        wanted = replace(self.config, tracking=which)
        swapper = make_swap_model(wanted, self.eyes).bind(SourceIdentity(*self._portraits["ada"], name="ada"))
        return make_pipeline(wanted, self.eyes, [swapper], on_event=lambda text: None, spans=self.spans)

    def play(self, images: Sequence[Image], *, fps: float, seconds: float, faces: int = 1) -> Metrics:
        """One session over the clip; its metrics without the warm-up."""
        metrics = _Warmed(WARM_UP_S)
        source = ClipInput(images, fps=fps, seconds=seconds + WARM_UP_S)
        disclosure = make_disclosure(self.config, lambda text: None)
        target_s = self.config.budget.target_s
        budget = Budget(target_s) if target_s > 0 and source.info.live else None
        Session(source, self.pipeline(faces), disclosure, [Null()], metrics=metrics, quality_budget=budget).run()
        return metrics


def bench(config: Config, *, console: Console, seconds: float, out: str | None) -> dict[str, Any]:
    """Every case in turn; returns and, where ``out`` names a file, writes the figures. Raises RtswapError."""
    rig = Rig(config, on_event=console.event)
    cases = {}
    for number, case in enumerate(CASES):
        console.progress(number, len(CASES), case.name)
        cases[case.name] = measure(rig, case, seconds)
    console.progress(len(CASES), len(CASES))
    result = {
        "command": f"rtswap bench --seconds {seconds:g}",
        "machine": machine() | {"engine": rig.eyes.engine},
        "peak_rss_mb": _peak_rss_mb(),
        "cases": cases,
    }
    if out:
        _write(Path(out), result)
    return result


def measure(rig: Rig, case: Case, seconds: float) -> dict[str, Any]:
    """One case at the camera's pace and as fast as it goes."""
    images = rig.images(case.size, faces=case.faces, face_px=case.face_px)
    process = psutil.Process()
    process.cpu_percent()
    live = rig.play(images, fps=CAMERA_FPS, seconds=seconds, faces=case.faces).summary()
    share = process.cpu_percent() / (os.cpu_count() or 1)
    fast = rig.play(images, fps=float("inf"), seconds=seconds, faces=case.faces).summary()
    stages = fast["stages_ms"]
    return {
        "possible_fps": fast["fps"],
        "faces_swapped_per_frame": fast["faces_per_frame"],
        "at_60_fps": {
            "fps": live["fps"],
            "frame_age_ms": live["frame_age_ms"],
            "dropped": live["dropped"],
            "quality_level": live["level"],
            "cpu_share": round(share / 100, 3),
        },
        "rss_mb": round(process.memory_info().rss / 1e6, 1),
        "stages_ms": stages,
        "glue_ms_p50": round(_glue_ms(stages), 3),
    }


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "load_before": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": versions,
    }


def _glue_ms(stages: Mapping[str, Mapping[str, float]]) -> float:
    """What is neither a network nor the swap, at the median."""
    p50 = {name: figures["p50"] for name, figures in stages.items()}
    return sum(ms for name, ms in p50.items() if name not in ("networks", "swap")) - p50.get("networks", 0.0)


class _Warmed(Metrics):
    """Leaves out what was recorded in the first ``after_s`` seconds."""

    def __init__(self, after_s: float) -> None:
        super().__init__()
        self._after_s = after_s
        self._began: float | None = None

    def record(
        self, stages: Mapping[str, float], *, captured_at: float, finished_at: float, faces: int = 0, level: int = 0
    ) -> None:
        self._began = finished_at if self._began is None else self._began
        if finished_at - self._began >= self._after_s:
            super().record(stages, captured_at=captured_at, finished_at=finished_at, faces=faces, level=level)


def _portrait(name: str, eyes: Eyes) -> tuple[Image, Points]:
    picture = persona(name)
    found = eyes.detector.detect(picture)
    if not found:
        raise SourceError(f"no face was found in the built-in portrait {name}", do="Install rtswap again.")
    mesh = eyes.landmarks.find(picture, [found[0].keypoints])[0].points
    return picture, find_landmarks(eyes.landmarks, picture, mesh)


def _peak_rss_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1e6 if platform.system() == "Darwin" else 1024), 1)


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _write(path: Path, result: Mapping[str, Any]) -> None:
    try:
        path.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    except OSError as error:
        raise OutputError(f"{path} cannot be written", got=str(error), do="Give --out another path.") from error
