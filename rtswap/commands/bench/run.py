"""Run each case of ``rtswap bench`` twice: at camera speed for the frame age, and at full speed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from rtswap.app.config import Config
from rtswap.app.console import Console
from rtswap.commands.bench.engines import roofline
from rtswap.commands.bench.machine import check_writable, machine, peak_rss_mb, write_result
from rtswap.commands.bench.rig import Rig
from rtswap.core.text import plural

CAMERA_FPS = 60.0


@dataclass(frozen=True, slots=True)
class Case:
    """Frame size, number of faces and their size."""

    size: tuple[int, int]
    faces: int
    face_px: int

    @property
    def name(self) -> str:
        return f"{self.size[0]}x{self.size[1]}, {plural(self.faces, 'face')} of {self.face_px} px"


CASES = tuple(
    Case(size, faces, px)
    for size, face_px in (((640, 480), 200), ((1280, 720), 300), ((1920, 1080), 450))
    for faces, px in ((1, face_px), (3, face_px // 2))
)


def bench(config: Config, *, console: Console, seconds: float, out: str | None) -> dict[str, Any]:
    """Measure every case. Return the figures and, if ``out`` is given, write them to it. Raises RtswapError."""
    if out:
        check_writable(Path(out))
    rig = Rig(config, on_event=console.event)
    cases = {}
    for number, case in enumerate(CASES):
        console.progress(number, len(CASES), case.name)
        cases[case.name] = measure(rig, case, seconds)
    console.progress(len(CASES), len(CASES))
    result = {
        "command": f"rtswap bench --seconds {seconds:g} --swapper {config.swap.swapper}",
        "machine": machine() | {"engine": rig.models.engine},
        "peak_rss_mb": peak_rss_mb(),
        "cases": cases,
        "roofline": roofline(config, rig.networks),
    }
    if out:
        write_result(Path(out), result)
    return result


def measure(rig: Rig, case: Case, seconds: float) -> dict[str, Any]:
    """Measure one case at camera speed and at full speed."""
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


def _glue_ms(stages: Mapping[str, Mapping[str, float]]) -> float:
    """Return the median milliseconds of a frame spent outside networks and swap."""
    p50 = {name: figures["p50"] for name, figures in stages.items()}
    return sum(ms for name, ms in p50.items() if name not in ("networks", "swap")) - p50.get("networks", 0.0)
