"""``rtswap bench --streams N``: run N cameras at once, each with its own source, target, tracker and loop, that share
the networks.

Frames come from memory at 30 fps, with a different offset for each stream, like cameras that are not synchronised.
Quality stays at full, so that a frame costs the same with any number of streams; an overloaded machine drops frames.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from rtswap.app.config import Config
from rtswap.app.console import Console
from rtswap.app.networks import Networks, bind_models
from rtswap.app.sections import BudgetConfig
from rtswap.commands.bench.gpu_load import GpuLoad
from rtswap.commands.bench.machine import check_writable, machine, write_file, write_result
from rtswap.commands.bench.rig import ClipInput, People, WarmedMetrics, quiet_program, warm_up
from rtswap.commands.bench.sharing import Pool
from rtswap.commands.bench.streams_plot import draw_streams
from rtswap.core.errors import UsageError
from rtswap.core.text import plural
from rtswap.core.types import Image
from rtswap.media.outputs.null import Null
from rtswap.runtime.metrics import PERCENTILES, Spans
from rtswap.runtime.parallel_sessions import run_together
from rtswap.runtime.session import Session
from rtswap.source.personas import list_personas

SIZE, FACE_PX, FPS = (1280, 720), 300, 30.0
WARM_UP_S = 1.5
MOST_WARM_UP_S = 4.0
"""Longest warm-up of a stream before the run: on a GPU each stream captures its own graphs."""
MOST_STREAMS = 256
FULL_QUALITY = BudgetConfig(target_s=0.0)
GOLDEN = 0.618034
"""Offset between one stream and the next, in frame times: no two streams coincide."""
TARGETS = ("ben", "carl", "dan", "mei")


def read_counts(text: str) -> tuple[int, ...]:
    """Parse ``1,2,4`` into ascending, distinct numbers. Raises UsageError."""
    try:
        counts = sorted({int(part) for part in text.split(",")})
    except ValueError:
        counts = []
    if not counts or counts[0] < 1 or counts[-1] > MOST_STREAMS:
        raise UsageError("invalid --streams", expected=f"1 to {MOST_STREAMS}, or several as in 1,2,4,8,16", got=text)
    return tuple(counts)


def bench_streams(
    config: Config,
    counts: Sequence[int],
    *,
    console: Console,
    seconds: float,
    wait_s: float = 0.0,
    out: str | None,
) -> dict[str, Any]:
    """Measure each number of streams in turn. Return the figures and, if ``out`` is given, write them to that file
    and a plot beside it. ``wait_s``: how long a request may wait for other streams. Raises RtswapError."""
    if out:
        check_writable(Path(out))
    networks = Networks(config, on_event=console.event)
    people = People(bind_models(networks, config))
    found: dict[int, dict[str, Any]] = {}
    for number, count in enumerate(counts):
        console.progress(number, len(counts), plural(count, "stream"))
        pool = Pool(networks, config, wait_s=wait_s if count > 1 else 0.0)
        found[count] = Run(config, people, pool, count, seconds).measure()
    console.progress(len(counts), len(counts))
    result: dict[str, Any] = {
        "command": f"rtswap bench --streams {','.join(map(str, counts))} --seconds {seconds:g}"
        + (f" --wait {wait_s * 1e3:g}ms" if wait_s else ""),
        "machine": machine() | {"engine": networks.engines["landmarks"].name},
        "case": f"{SIZE[0]}x{SIZE[1]}, {FPS:g} fps, 1 face of {FACE_PX} px, full quality",
        "streams": {str(count): figures for count, figures in found.items()},
    }
    if out:
        write_result(Path(out), result)
        of_all = {count: figures["all"] for count, figures in found.items()}
        plot = draw_streams(of_all, f"{result['case']}, {result['machine']['engine']}")
        write_file(Path(out).with_suffix(".png"), plot)
    return result


class Run:
    """One measurement with ``count`` streams."""

    def __init__(self, config: Config, people: People, pool: Pool, count: int, seconds: float) -> None:
        self._config, self._people, self._pool = config, people, pool
        self._count, self._seconds = count, seconds
        self._clips: dict[str, list[Image]] = {}
        self._metrics = [WarmedMetrics(WARM_UP_S) for _ in range(count)]
        self._names = [_source_and_target(stream) for stream in range(count)]

    def measure(self) -> dict[str, Any]:
        """Return the figures of ``each`` stream and of ``all`` together. Raises RtswapError."""
        self._pool.warm_up(self._count)
        sessions = [self._session(stream) for stream in range(self._count)]
        meter = Meter(self._pool, time.perf_counter() + WARM_UP_S)
        run_together(sessions, on_tick=meter.tick)
        taken = meter.read()
        for stream in range(self._count):
            self._pool.forget(stream)
        each = [_stream_figures(*names, metrics) for names, metrics in zip(self._names, self._metrics, strict=True)]
        clips_mb = sum(image.nbytes for clip in self._clips.values() for image in clip) / 1e6
        return {"all": _total_figures(each, self._metrics, taken) | {"clips_mb": round(clips_mb, 1)}, "each": each}

    def _session(self, stream: int) -> Session:
        source, target = self._names[stream]
        if target not in self._clips:
            self._clips[target] = self._people.clip([target], SIZE, FACE_PX)
        spans = Spans()
        models = self._pool.models(stream, spans)
        program = quiet_program(replace(self._config, budget=FULL_QUALITY), models, self._people.source(source))
        pipeline = program.pipeline(spans=spans)
        if program.on_gpu:
            warm_up(pipeline, self._clips[target], most_s=MOST_WARM_UP_S)
        clip = self._clips[target]
        input = ClipInput(clip, fps=FPS, seconds=self._seconds + WARM_UP_S, late_s=stream * GOLDEN % 1 / FPS)
        return program.session(input, [Null()], metrics=self._metrics[stream], pipeline=pipeline)


class Meter:
    """Resource use of the process from ``begins_at`` on (``time.perf_counter``)."""

    def __init__(self, pool: Pool, begins_at: float) -> None:
        self._pool, self._begins_at = pool, begins_at
        self._process, self._gpu = psutil.Process(), GpuLoad()
        self._began = self._cpu_s = 0.0
        self._rss = 0

    def tick(self) -> None:
        """Take a sample; call it often."""
        now = time.perf_counter()
        if now < self._begins_at:
            return
        if not self._began:
            self._pool.take()
            self._began, self._cpu_s = now, time.process_time()
        self._rss = max(self._rss, self._process.memory_info().rss)
        self._gpu.sample()

    def read(self) -> dict[str, Any]:
        """Return seconds of CPU and GPU, peak megabytes, and the batches of each network."""
        wall_s = time.perf_counter() - (self._began or self._begins_at)
        return {
            "cpu_s": time.process_time() - self._cpu_s,
            "gpu_s": None if self._gpu.busy is None else self._gpu.busy * wall_s,
            "rss_mb": self._rss / 1e6,
            "gpu_memory_mb": self._gpu.most_mb,
            "networks": self._pool.take(),
        }


def _stream_figures(source: str, target: str, metrics: WarmedMetrics) -> dict[str, Any]:
    found = metrics.summary()
    return {
        "source": source,
        "target": target,
        "frames": found["frames"],
        "fps": found["fps"],
        "frame_age_ms": _ages(metrics.ages_s),
        "dropped": found["dropped"],
        "faces_per_frame": found["faces_per_frame"],
        "stages_ms_p50": {stage: figures["p50"] for stage, figures in found["stages_ms"].items()},
    }


def _total_figures(
    each: Sequence[Mapping[str, Any]], metrics: Sequence[WarmedMetrics], taken: Mapping[str, Any]
) -> dict[str, Any]:
    frames = sum(one["frames"] for one in each)
    dropped = sum(one["dropped"] for one in each)
    rates = [one["fps"] for one in each]

    def per_frame(seconds: float | None) -> float | None:
        return round(1e3 * seconds / frames, 3) if seconds is not None and frames else None

    networks = {
        name: {"ms_per_frame": per_frame(busy_s), "rows_per_batch": _mean(batches), "batches": batches}
        for name, (batches, busy_s) in taken["networks"].items()
        if batches
    }
    return {
        "fps": round(sum(rates), 2),
        "fps_of_each": {"least": min(rates), "mean": round(sum(rates) / len(rates), 2)},
        "keeps_up": min(rates) >= 0.98 * FPS,
        "frame_age_ms": _ages([age for one in metrics for age in one.ages_s]),
        "dropped": dropped,
        "dropped_share": round(dropped / max(1, frames + dropped), 4),
        "cpu_ms_per_frame": per_frame(taken["cpu_s"]),
        "gpu_ms_per_frame": per_frame(taken["gpu_s"]),
        "rss_mb": round(taken["rss_mb"], 1),
        "gpu_memory_mb": taken["gpu_memory_mb"] and round(taken["gpu_memory_mb"], 1),
        "networks": networks,
    }


def _mean(batches: Mapping[int, int]) -> float:
    return round(sum(rows * count for rows, count in batches.items()) / sum(batches.values()), 2)


def _ages(seconds: Sequence[float]) -> dict[str, float]:
    if not seconds:
        return {}
    figures = np.percentile(seconds, PERCENTILES) * 1e3
    return {f"p{percent}": round(float(ms), 3) for percent, ms in zip(PERCENTILES, figures, strict=True)}


def _source_and_target(stream: int) -> tuple[str, str]:
    """Return source and target of a stream: two different people; sources repeat only when all are used."""
    names = [person.name for person in list_personas()]
    target = TARGETS[stream % len(TARGETS)]
    source = names[stream % len(names)]
    return (source, target) if source != target else (source, TARGETS[(stream + 1) % len(TARGETS)])
