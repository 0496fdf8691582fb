"""``jitter.png``: the figures of a clip over time, one column for each of the faces that were seen most."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from rtswap.commands.inspect.figures import JUMP, FaceLog
from rtswap.commands.reports.chart import Chart, Curve, Span, draw_chart
from rtswap.commands.reports.drawing import AMBER, BLUE, BOLD, GREEN, GREY, PAPER, RED, TEAL, VIOLET, text
from rtswap.core.types import Image

MOST_FACES = 2
WIDTH, HEIGHT, HEAD = 1500, 190, 74
RAW = (190, 176, 160)
COASTING, LOST = (214, 236, 252), (222, 220, 248)
"""Shades behind the curves."""

Values = NDArray[np.float32]


def draw_plots(log: FaceLog, times: Values, clip: str) -> Image:
    """``times`` (F,) seconds of every frame of the clip."""
    faces = log.ids()[:MOST_FACES]
    columns = [_column(log, face, times, len(faces)) for face in faces] or [_nothing()]
    body = np.hstack(columns)
    picture = np.full((body.shape[0] + HEAD, body.shape[1], 3), PAPER, np.uint8)
    picture[HEAD:] = body
    text(picture, clip, (62, 38), size=24, weight=BOLD)
    more = len(log.ids()) - len(faces)
    note = f"lengths in inter-ocular distances (iod); jumps above {JUMP:g} iod"
    note += f"; {more} more faces in report.json" if more > 0 else ""
    x = 62 + text(picture, note, (62, 60), size=14, color=GREY) + 30
    for name, color in (("coasting", COASTING), ("not followed", LOST)):
        picture[49:63, x : x + 22] = color
        x += 28 + text(picture, name, (x + 28, 60), size=14, color=GREY) + 18
    return picture


def _column(log: FaceLog, face: int, times: Values, columns: int) -> Image:
    wide = WIDTH if columns == 1 else WIDTH * 2 // 3
    frames = log.column("frame", face).astype(int)

    def series(name: str, factor: float = 1.0) -> Values:
        whole = np.full(len(times), np.nan, np.float32)
        whole[frames] = log.column(name, face) * np.float32(factor)
        return whole

    charts = _charts(series, face)
    spans = _spans(series("confidence"), times)
    until = float(times[-1]) if len(times) > 1 and times[-1] > times[0] else float(times[0]) + 1
    drawn = []
    for number, chart in enumerate(charts):
        last = number == len(charts) - 1
        image = np.empty((HEIGHT + (28 if last else 0), wide, 3), np.uint8)
        draw_chart(image, chart, times, spans, seconds=(float(times[0]), until), labelled=last)
        drawn.append(image)
    return np.vstack(drawn)


def _charts(of: Callable[..., Values], face: int) -> list[Chart]:
    removed = [
        Curve(name, of(key, 100), color)
        for key, name, color in (
            ("occlusion", "in front", AMBER),
            ("skin", "photo's hair", VIOLET),
            ("parts", "kept parts", BLUE),
        )
        if np.nanmax(np.append(of(key), 0)) > 0
    ]
    return [
        Chart(
            f"Jitter, face {face}",
            "%",
            (
                Curve("as the network gave it", of("jitter_raw", 100), RAW),
                Curve("smoothed", of("jitter", 100), GREEN),
            ),
            low=0,
            high=3,
        ),
        Chart(
            "Jump", "", (Curve("head off its course, iod", of("jump"), RED),), low=0, high=0.1, level=(JUMP, "jump")
        ),
        Chart(
            "Sureness",
            "",
            (
                Curve("confidence", of("confidence"), GREEN, 3),
                Curve("presence", of("presence"), BLUE),
                Curve("share of landmarks seen", of("visible"), AMBER),
            ),
            low=0,
            high=1,
        ),
        Chart(
            "Pose",
            "°",
            (Curve("yaw", of("yaw"), BLUE), Curve("pitch", of("pitch"), AMBER), Curve("roll", of("roll"), GREEN)),
            low=-10,
            high=10,
        ),
        Chart(
            "Openings",
            "",
            (
                Curve("mouth", of("mouth"), RED),
                Curve("left eye", of("left_eye"), BLUE),
                Curve("right eye", of("right_eye"), TEAL),
            ),
            low=0,
            high=0.3,
        ),
        Chart(
            "Mask",
            "%",
            (Curve("share of the face where the swap shows", of("mask", 100), TEAL, 3), *removed),
            low=0,
            high=100,
        ),
    ]


def _spans(confidence: Values, times: Values) -> list[Span]:
    """Where the face coasts, and where it is not followed at all."""
    step = float(np.median(np.diff(times))) if len(times) > 1 else 1 / 30
    found: list[Span] = []
    for known, color in ((confidence < 1, COASTING), (np.isnan(confidence), LOST)):
        edge = np.flatnonzero(np.diff(np.concatenate([[False], known, [False]])))
        found += [
            Span(float(times[a]) - step / 2, float(times[b - 1]) + step / 2, color)
            for a, b in zip(edge[::2], edge[1::2], strict=True)
        ]
    return found


def _nothing() -> Image:
    image = np.full((HEIGHT, WIDTH, 3), PAPER, np.uint8)
    text(image, "No face was followed in any frame.", (62, 60), size=20, color=GREY, weight=BOLD)
    return image
