"""Write the figures of a run to a file while it runs, as JSON lines or in Prometheus' format."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from rtswap.core.errors import OutputError, reason
from rtswap.core.files import open_to_append, write_atomic
from rtswap.runtime.metrics import AGE, PERCENTILES, Metrics


def prometheus(metrics: Metrics) -> str:
    """The figures in Prometheus' text exposition format 0.0.4, in seconds."""
    now = metrics.recent()
    stages = {AGE: now["frame_age_ms"]} if now["frame_age_ms"] else {}
    stages |= now["stages_ms"]
    totals = metrics.totals()
    lines = [
        *_prometheus_value("rtswap_frames_total", "counter", "Frames delivered.", now["frames"]),
        *_prometheus_value("rtswap_frames_dropped_total", "counter", "Frames dropped as stale.", now["dropped"]),
        *_prometheus_value("rtswap_fps", "gauge", "Frames per second, recent.", now["fps"]),
        *_prometheus_value("rtswap_faces", "gauge", "Faces swapped in the last frame.", now["faces"]),
        *_prometheus_value("rtswap_quality_level", "gauge", "0 = full quality.", now["level"]),
        "# HELP rtswap_stage_seconds Seconds per frame and stage; frame_age is capture to delivery.",
        "# TYPE rtswap_stage_seconds summary",
    ]
    for stage, figures in stages.items():
        label = stage.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        for percent in PERCENTILES:
            seconds = figures[f"p{percent}"] / 1000
            lines.append(f'rtswap_stage_seconds{{stage="{label}",quantile="{percent / 100:g}"}} {seconds:.9g}')
        count, total_s = totals[stage]
        lines.append(f'rtswap_stage_seconds_sum{{stage="{label}"}} {total_s:.9g}')
        lines.append(f'rtswap_stage_seconds_count{{stage="{label}"}} {count}')
    return "\n".join(lines) + "\n"


_OURS = re.compile(rb'\{"unix_s": |# HELP rtswap_')
"""How a metrics file begins."""


class MetricsLog:
    """Appends one JSON line per second to a file, so that the figures survive a crash. If the file name ends in
    ``.prom``, it is instead replaced every second, for Prometheus' textfile collector.

    A full disk or a missing folder gives one warning and never stops the stream. Raises OutputError if the file
    cannot be opened at the start, or is of another kind.
    """

    def __init__(
        self, path: Path | str, metrics: Metrics, *, warn: Callable[[str], None], every_s: float = 1.0
    ) -> None:
        self._metrics = metrics
        self._path = Path(path)
        self._warn = warn
        self._warned = self._closed = False
        self._every_s = every_s
        self._next_at = -math.inf
        self._write = self._replace if self._path.suffix == ".prom" else self._append
        try:
            self._open().close()
        except OSError as error:
            raise OutputError(
                f"cannot write the metrics file {self._path}",
                expected="a writable file",
                got=error.strerror or str(error),
                do="Choose another path for --metrics.",
            ) from error

    def tick(self, now: float) -> None:
        """Write if a second has passed since the last time; call it as often as you like. ``now``: seconds."""
        if now < self._next_at:
            return
        self._next_at = now + self._every_s
        self._try(self._metrics.recent)

    def close(self) -> None:
        """Write the summary of the session as the last line. Safe to call twice."""
        if not self._closed:
            self._closed = True
            self._try(lambda: {"summary": self._metrics.summary()})

    def _try(self, figures: Callable[[], Mapping[str, Any]]) -> None:
        try:
            self._write(figures())
        except (OSError, OutputError) as error:
            if not self._warned:
                self._warned = True
                self._warn(f"cannot write the metrics file {self._path} ({reason(error)}); continuing without it")

    def _open(self) -> BinaryIO:
        return open_to_append(self._path, _OURS, "a metrics file of rtswap")

    def _append(self, figures: Mapping[str, Any]) -> None:
        """Append one complete line or nothing; to a new file if the last one was moved away."""
        line = json.dumps({"unix_s": round(time.time(), 3), **figures}).encode() + b"\n"
        with self._open() as file:
            size = file.seek(0, 2) if file.seekable() else None
            written = file.write(line)
            if written != len(line):
                if size is not None:
                    file.truncate(size)
                raise OSError(28, "no space left on device")

    def _replace(self, _figures: Mapping[str, Any]) -> None:
        write_atomic(self._path, prometheus(self._metrics).encode())


def _prometheus_value(name: str, kind: str, text: str, value: float) -> list[str]:
    return [f"# HELP {name} {text}", f"# TYPE {name} {kind}", f"{name} {value}"]
