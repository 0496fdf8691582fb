"""``rtswap inspect``: process a clip once and write pictures, plots and figures into a folder."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from rtswap.app.config import Config
from rtswap.app.console import Console
from rtswap.app.marking import make_disclosure
from rtswap.app.overwriting import one_file, refuse
from rtswap.commands.inspect.figures import FaceFigures, FaceLog, FaceMeter
from rtswap.commands.inspect.moments import EvenlySpaced, Worst
from rtswap.commands.inspect.panels import Panels
from rtswap.commands.inspect.plots import draw_plots
from rtswap.commands.inspect.report import summarize, write_report
from rtswap.commands.inspect.rig import Rig, needs_source
from rtswap.commands.inspect.sheet import draw_moments
from rtswap.commands.inspect.tiles import Tiles
from rtswap.commands.reports.folder import publish_folder
from rtswap.commands.reports.marked_sheet import mark_sheet, save_sheet, without_swap
from rtswap.core.errors import InputError, UsageError
from rtswap.core.parts import InputRequest, OutputRequest
from rtswap.core.protocols import Input
from rtswap.core.text import duration, plural
from rtswap.core.types import Frame, Image, Quality
from rtswap.core.urls import expanded, scheme
from rtswap.disclosure import Disclosure
from rtswap.media.inputs import open_input
from rtswap.media.outputs.video import VideoWriter

FILES = ("annotated.mp4", "sheet.png", "jitter.png", "report.json")
"""Output files in the order in which they are moved into an existing folder; the last one completes it."""


def inspect(clip: str, config: Config, *, console: Console, folder: str | None, overwrite: bool) -> dict[str, Any]:
    """Inspect a clip and return the summary. Leaves no files behind on failure. Raises RtswapError."""
    if clip.strip().isdecimal() or clip.startswith("/dev/") or (scheme(clip) and scheme(clip) != "file"):
        raise UsageError("inspect needs a file", got=clip, do="Record it first: rtswap ... -o clip.mp4")
    input = open_input(clip, InputRequest(on_event=console.event))
    name = Path(clip).name or clip
    path = expanded(folder) if folder else Path(f"{Path(name).stem}_inspect")
    reads = [(clip, "the clip"), *((photo, "a photo of the source") for photo in config.source.photos)]
    refuse(reads, [one_file(path / name) for name in FILES])
    with ExitStack() as parts:
        parts.callback(input.close)
        work = parts.enter_context(publish_folder(path, FILES, overwrite=overwrite))
        rig = Rig(config, on_event=console.event)
        inspection = _Inspection(name, config, input, rig, console)
        parts.callback(console.finish)
        inspection.bind_models(work)
        summary = inspection.write(work)
    if not summary["frames_with_a_face"]:
        console.event("no face tracked in any frame: is one in view, large enough and facing the camera?")
    return {"clip": clip, **summary, "folder": str(path)}


@dataclass(slots=True)
class _Inspection:
    """The inspection of one clip."""

    name: str
    config: Config
    input: Input
    rig: Rig
    console: Console
    log: FaceLog = field(default_factory=FaceLog)
    times: array[float] = field(default_factory=lambda: array("d"))
    states: list[str] = field(default_factory=list)
    evenly: EvenlySpaced = field(default_factory=EvenlySpaced)
    worst: Worst = field(default_factory=Worst)
    covered: int = 0
    disclosure: Disclosure = field(init=False)

    def __post_init__(self) -> None:
        if self.with_swap:
            self.disclosure = make_disclosure(self.config, self.console.event)
        else:
            self.disclosure = Disclosure(None, reason="no swap is shown")

    @property
    def with_swap(self) -> bool:
        return bool(self.config.source.photos) or not needs_source(self.config)

    def bind_models(self, work: Path) -> None:
        """Process every frame once. Raises InputError if there is none."""
        info = self.input.info
        disclosure = self.disclosure
        faces = 1 if self.config.tracking.faces == "one" else 2
        panels = Panels((info.width, info.height), self.name, faces, self.with_swap)
        tiles, meter = Tiles(self.with_swap), FaceMeter()
        writer = VideoWriter(work / FILES[0], OutputRequest(fps=info.fps, on_event=self.console.event))
        try:
            for frame in self.input.frames():
                self._one(frame, panels, tiles, meter, disclosure, writer)
                self.console.progress(len(self.times), info.frame_count, plural(len(self.rig.watch.tracks), "face"))
        finally:
            writer.close()
        if not self.times:
            raise InputError(f"{self.name} has no frames", do="Check that it plays; save or download it again.")
        self.console.progress(len(self.times), len(self.times))

    def _one(
        self,
        frame: Frame,
        panels: Panels,
        tiles: Tiles,
        meter: FaceMeter,
        disclosure: Disclosure,
        writer: VideoWriter,
    ) -> None:
        watch, index = self.rig.watch, len(self.times)
        time_s = frame.time_s if frame.time_s is not None else index / self.input.info.fps
        step_s = time_s - self.times[-1] if self.times else 0.0
        before = frame.image.copy()
        watch.clear()
        outcome = self.rig.pipeline.process(frame, Quality())
        rows = meter.measure(watch, index, time_s, step_s)
        self.log.add(rows)
        self.times.append(time_s)
        self.states.append(_state(rows, self.states))
        self.covered += bool(outcome.covered)

        def mark(image: Image) -> None:
            disclosure.mark(image, frame=frame, swapped=outcome.swapped, stages={})

        def take(face: int | None) -> Image:
            return tiles.draw(before, outcome.image, watch, face, mark)

        tiles.look(watch)
        self.evenly.offer(index, time_s, take)
        self.worst.offer(rows, index, time_s, take)
        picture = panels.draw(
            before, outcome.image if self.with_swap else None, watch, rows, index=index, time_s=time_s, mark=mark
        )
        around = Disclosure(None, reason="the part that shows a swap is marked")
        writer.send(around.mark(picture, frame=frame, swapped=outcome.swapped, stages={}))

    def write(self, work: Path) -> dict[str, Any]:
        """Write sheet, plots and report; return the summary."""
        times = np.array(self.times, np.float32)
        summary = summarize(self.log, times, self.covered)
        evenly, worst = self.evenly.moments(), self.worst.moments()
        sheet = draw_moments(self.name, _subtitle(summary, self.input), evenly, worst)
        save_sheet(work / FILES[1], mark_sheet(sheet, self.disclosure))
        save_sheet(work / FILES[2], without_swap(draw_plots(self.log, times, self.name)))
        info = self.input.info
        head = {
            "clip": self.name,
            "size": [info.width, info.height],
            "fps": round(info.fps, 4),
            "source": list(self.config.source.photos),
            "summary": summary,
        }
        write_report(work / FILES[3], head, self.log, times, self.states, worst)
        return summary


def _state(rows: list[FaceFigures], before: list[str]) -> str:
    """Return the state of the frame: that of its worst face."""
    if not rows:
        return "lost" if before and before[-1] != "nobody" else "nobody"
    if any(not row.swapped for row in rows):
        return "covered"
    return "measured" if all(row.confidence >= 1 for row in rows) else "coasting"


def _subtitle(summary: Mapping[str, Any], input: Input) -> str:
    info = input.info
    jumps = sum(len(face["jumps"]) for face in summary["faces"].values())
    return (
        f"{info.width}x{info.height}, {info.fps:g} fps, {plural(summary['frames'], 'frame')}, "
        f"{duration(summary['seconds'])}.   "
        f"Tracked in {summary['share_followed']:.0%}, measured in {summary['share_measured']:.0%} of the frames.   "
        f"{plural(len(summary['faces']), 'face')}, {plural(jumps, 'jump')}."
    )
