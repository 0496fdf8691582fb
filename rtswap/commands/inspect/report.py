"""Write ``report.json``: the figures of every frame, and a summary."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtswap.app.console import Shown
from rtswap.commands.inspect.figures import JUMP, FaceFigures, FaceLog
from rtswap.commands.inspect.moments import Moment
from rtswap.commands.reports.folder import finite, write_rows
from rtswap.commands.reports.table import table
from rtswap.core.text import duration, plural

VERSION = 1
MOST_FACES = 8
SHORT = ("id", "x1", "y1", "x2", "y2", "interocular_px", "yaw", "pitch", "roll")
"""Fields written with two digits; all others have four."""


def summarize(log: FaceLog, times: NDArray[np.float32], covered: int) -> dict[str, Any]:
    """Summarize the clip. ``times``: (F,) s; ``covered``: number of frames in which a face would be covered."""
    frames = len(times)
    followed = len(np.unique(log.column("frame")))
    measured = len(np.unique(log.column("frame")[log.column("confidence") >= 1]))
    return {
        "frames": frames,
        "seconds": round(float(times[-1] - times[0]), 3) if frames else 0.0,
        "frames_with_a_face": followed,
        "share_followed": round(followed / frames, 4) if frames else 0.0,
        "share_measured": round(measured / frames, 4) if frames else 0.0,
        "frames_covered": covered,
        "faces": {str(face): _of_face(log, face) for face in sorted(log.ids())},
    }


def _of_face(log: FaceLog, face: int) -> dict[str, Any]:
    def column(name: str) -> NDArray[np.float32]:
        return log.column(name, face)

    raw, smoothed = column("jitter_raw"), column("jitter")
    both = np.isfinite(raw) & np.isfinite(smoothed)
    jumps = np.nan_to_num(column("jump"))
    frames = column("frame")
    ratio = float(smoothed[both].sum() / raw[both].sum()) if both.any() and raw[both].sum() > 0 else np.nan
    return {
        "frames": len(frames),
        "first": int(frames[0]),
        "last": int(frames[-1]),
        "times_lost": int((np.diff(frames) > 1).sum()),
        "coasting": int((column("confidence") < 1).sum()),
        "jumps": [int(frame) for frame in frames[jumps >= JUMP]],
        "largest_jump": finite(float(jumps.max())),
        "jitter_raw": _mean(raw[both]),
        "jitter": _mean(smoothed[both]),
        "jitter_ratio": finite(ratio),
        "lowest_presence": _lowest(column("presence")),
        "visible": _mean(column("visible")),
        "mask": _mean(column("mask")),
        "lowest_mask": _lowest(column("mask")),
        "most_turned": finite(float(np.abs(column("yaw")).max()), 1),
    }


def _mean(values: NDArray[np.float32]) -> float | None:
    known = values[np.isfinite(values)]
    return round(float(known.mean()), 4) if len(known) else None


def _lowest(values: NDArray[np.float32]) -> float | None:
    return finite(float(values.min(where=np.isfinite(values), initial=np.inf)))


def format_summary(result: Mapping[str, Any]) -> list[Shown]:
    """Format the summary as text: a table of the most frequent faces, a line of figures, and the output files."""
    faces = sorted(result["faces"].items(), key=lambda item: -item[1]["frames"])
    rows = [
        (
            face,
            f"{of['frames']:,}",
            *(_percent(of[name]) for name in ("jitter", "visible", "mask")),
            *(str(count) for count in (of["times_lost"], len(of["jumps"]))),
        )
        for face, of in faces[:MOST_FACES]
    ]
    share = f"a face in {result['share_followed']:.0%}" if faces else "no face"
    covered = f", {plural(result['frames_covered'], 'frame')} covered" if result["frames_covered"] else ""
    more = [f"{plural(len(faces) - MOST_FACES, 'more face')} in report.json."] if len(faces) > MOST_FACES else []
    columns = ("face", ">frames", ">jitter", ">visible", ">mask", ">times lost", ">jumps")
    lines = f"{plural(result['frames'], 'frame')}, {duration(result['seconds'])}: {share}{covered}."
    where = f"Wrote {result['folder']}: annotated.mp4, sheet.png, jitter.png, report.json."
    return [*([table(columns, rows)] if rows else []), *more, lines, where]


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def write_report(
    path: Path,
    head: Mapping[str, Any],
    log: FaceLog,
    times: NDArray[np.float32],
    states: Sequence[str],
    moments: Sequence[Moment],
) -> None:
    """Write ``report.json``. Raises OutputError."""
    kinds = [
        {"kind": m.kind, "why": m.why, "frame": m.frame, "time_s": round(m.time_s, 4), "face": m.face}
        for m in moments
    ]
    write_rows(path, {"version": VERSION, **head, "moments": kinds}, {"per_frame": _frames(log, times, states)})


def _frames(log: FaceLog, times: NDArray[np.float32], states: Sequence[str]) -> Iterator[dict[str, Any]]:
    rows = iter(log.rows())
    row = next(rows, None)
    for index, (time_s, state) in enumerate(zip(times.tolist(), states, strict=True)):
        faces = []
        while row is not None and int(row.frame) == index:
            faces.append(_as_json(row))
            row = next(rows, None)
        yield {"frame": index, "time_s": round(time_s, 4), "state": state, "faces": faces}


def _as_json(row: FaceFigures) -> dict[str, Any]:
    values = {name: value for name, value in row._asdict().items() if name not in ("frame", "time_s")}
    plain: dict[str, Any] = {name: finite(value, 2 if name in SHORT else 4) for name, value in values.items()}
    return plain | {"id": int(row.id), "swapped": bool(row.swapped)}
