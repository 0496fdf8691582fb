"""Draw ``jitter.png``: the figures of a clip over time, one column for each of the two most frequent faces."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from rtswap.commands.inspect.figures import JUMP, FaceLog
from rtswap.core.text import plural
from rtswap.core.types import Image
from rtswap.drawing.chart import Chart, Curve, Span, Values, draw_charts
from rtswap.drawing.strokes import AMBER, BLUE, GREEN, RED, TEAL, VIOLET

MOST_FACES = 2
WIDTH, HEIGHT = 1500, 190
RAW = (190, 176, 160)
COASTING, LOST = (214, 236, 252), (222, 220, 248)
"""Background colors for these states."""
REMOVED = (("occlusion", "in front", AMBER), ("skin", "photo's hair", VIOLET), ("parts", "kept parts", BLUE))
"""Steps that remove parts of the mask: field, label, color."""


def draw_plots(log: FaceLog, times: Values, clip: str) -> Image:
    """Return the plots as (H, W, 3) BGR uint8. ``times``: (F,) seconds of every frame of the clip."""
    faces = log.ids()[:MOST_FACES]
    note = f"lengths in inter-ocular distances (iod); jumps above {JUMP:g} iod"
    if more := len(log.ids()) - len(faces):
        note += f"; {plural(more, 'more face')} in report.json"
    if not faces:
        curve = Curve("", np.full(len(times), np.nan, np.float32), RED)
        nothing = Chart("No face tracked in any frame", [curve], times, "seconds")
        return draw_charts(clip, note, [[nothing]], (WIDTH, HEIGHT))
    columns = [_column(log, face, times) for face in faces]
    wide = WIDTH if len(faces) == 1 else WIDTH * 2 // 3
    return draw_charts(clip, note, list(zip(*columns, strict=True)), (wide, HEIGHT))


def _column(log: FaceLog, face: int, times: Values) -> list[Chart]:
    frames = log.column("frame", face).astype(int)

    def series(name: str, factor: float = 1.0) -> Values:
        whole = np.full(len(times), np.nan, np.float32)
        whole[frames] = log.column(name, face) * np.float32(factor)
        return whole

    spans = _spans(series("confidence"), times)

    def chart(title: str, unit: str, low: float, high: float, *curves: Curve, jump: bool = False) -> Chart:
        level = (JUMP, "jump") if jump else None
        return Chart(title, curves, times, "seconds", unit, low, high, level, spans)

    return _charts(series, chart, face)


def _charts(of: Callable[..., Values], chart: Callable[..., Chart], face: int) -> list[Chart]:
    removed = [
        Curve(name, of(key, 100), color) for key, name, color in REMOVED if np.nanmax(np.append(of(key), 0)) > 0
    ]
    jitter = Curve("from the network", of("jitter_raw", 100), RAW), Curve("smoothed", of("jitter", 100), GREEN)
    sureness = (
        Curve("confidence", of("confidence"), GREEN, 2.4),
        Curve("presence", of("presence"), BLUE),
        Curve("visible landmarks, share", of("visible"), AMBER),
    )
    pose = Curve("yaw", of("yaw"), BLUE), Curve("pitch", of("pitch"), AMBER), Curve("roll", of("roll"), GREEN)
    openings = (
        Curve("mouth", of("mouth"), RED),
        Curve("left eye", of("left_eye"), BLUE),
        Curve("right eye", of("right_eye"), TEAL),
    )
    return [
        chart(f"Jitter, face {face}", "%", 0, 3, *jitter),
        chart("Jump", "", 0, 0.1, Curve("distance of the head from its prediction, iod", of("jump"), RED), jump=True),
        chart("Confidence", "", 0, 1, *sureness),
        chart("Pose", "°", -10, 10, *pose),
        chart("Openings", "", 0, 0.3, *openings),
        chart("Mask", "%", 0, 100, Curve("swapped share of the face", of("mask", 100), TEAL, 2.4), *removed),
    ]


def _spans(confidence: Values, times: Values) -> Sequence[Span]:
    """Return the time ranges in which the face is coasting or not tracked."""
    step = float(np.median(np.diff(times))) if len(times) > 1 else 1 / 30
    found: list[Span] = []
    states = ((confidence < 1, COASTING, "coasting"), (np.isnan(confidence), LOST, "not tracked"))
    for known, color, name in states:
        edge = np.flatnonzero(np.diff(np.concatenate([[False], known, [False]])))
        found += [
            Span(float(times[a]) - step / 2, float(times[b - 1]) + step / 2, color, name)
            for a, b in zip(edge[::2], edge[1::2], strict=True)
        ]
    return found
