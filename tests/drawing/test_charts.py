"""Charts draw exactly the known values: gaps, single values, hours of data, extreme peaks."""

from __future__ import annotations

import math

import numpy as np
import pytest
from processes import run_python

from rtswap.commands.inspect.figures import FaceFigures, FaceLog
from rtswap.commands.inspect.plots import draw_plots
from rtswap.core.types import Image
from rtswap.drawing.chart import Chart, Curve, Span, draw_charts

RED, BLUE = (0, 0, 255), (255, 0, 0)
SIZE = (500, 200)


def drawn(*charts: Chart) -> Image:
    return draw_charts("A clip", "what is shown", [[chart] for chart in charts], SIZE)


def pixels(image: Image, color: tuple[int, int, int]) -> np.ndarray:
    """(N, 2) rows and columns, below the head of the picture."""
    body = image[74:].astype(int)
    return np.argwhere(np.abs(body - color).sum(2) < 30)


@pytest.mark.parametrize("count", [0, 1, 2, 20_000])
def test_gaps_nothing_and_very_many_values(count: int) -> None:
    values = np.sin(np.arange(count, dtype=np.float32) / np.float32(50))
    values[::3] = np.nan
    times = np.arange(count, dtype=np.float32) / np.float32(30)
    image = drawn(Chart("Some", [Curve("", values, RED)], times, "seconds", "%"))
    assert image.shape == (274, 500, 3)
    assert (len(pixels(image, RED)) > 0) == (count > 1)


def test_a_value_between_two_gaps_is_a_dot() -> None:
    values = np.full(9, np.nan, np.float32)
    values[4] = 0.5
    found = pixels(drawn(Chart("Some", [Curve("", values, RED)], np.arange(9, dtype=np.float32), low=0, high=1)), RED)
    assert 1 <= len(found) < 40
    assert np.ptp(found, axis=0).max() < 8


def test_a_gap_is_not_bridged() -> None:
    values = np.ones(60, np.float32)
    values[20:40] = np.nan
    columns = pixels(drawn(Chart("", [Curve("", values, RED)], np.arange(60, dtype=np.float32), low=0, high=2)), RED)
    gaps = np.diff(np.unique(columns[:, 1]))
    assert gaps.max() > 0.25 * SIZE[0]


def test_one_wild_value_does_not_flatten_the_rest() -> None:
    wave = (1 + np.sin(np.arange(300, dtype=np.float32) / 9)).astype(np.float32)
    wild = wave.copy()
    wild[100] = 1000
    times = np.arange(300, dtype=np.float32)
    rows = [np.ptp(pixels(drawn(Chart("", [Curve("", values, RED)], times)), RED)[:, 0]) for values in (wave, wild)]
    assert rows[1] > 0.3 * rows[0]


def test_what_a_chart_must_show_is_shown() -> None:
    """The same small values stand lower where the chart reaches to a high level."""
    values, times = np.full(50, 0.1, np.float32), np.arange(50, dtype=np.float32)
    plain = drawn(Chart("", [Curve("", values, RED)], times, low=0))
    wide = drawn(Chart("", [Curve("", values, RED)], times, low=0, high=1, level=(0.8, "limit")))
    assert pixels(wide, RED)[:, 0].mean() > pixels(plain, RED)[:, 0].mean() + 50


def test_names_are_equally_spaced_and_spans_are_shaded() -> None:
    image = drawn(Chart("", [Curve("one", [1.0, None, 3.0, 3.0], BLUE)], ["1", "2", "4", "512"], low=0, high=4))
    columns = np.unique(pixels(image, BLUE)[:, 1])
    marks = np.flatnonzero(np.diff(columns) > 3)
    assert len(marks) == 1, "the value that is not known leaves one gap"
    shade = (200, 240, 250)
    times = np.arange(10, dtype=np.float32)
    spanned = drawn(
        Chart("", [Curve("", np.zeros(10, np.float32), BLUE)], times, spans=[Span(2.5, 5.0, shade, "lost")])
    )
    found = pixels(spanned, shade)[:, 1]
    assert 0.2 * SIZE[0] < np.ptp(found) < 0.35 * SIZE[0]


def test_most_frequent_face_comes_first_and_no_faces_is_reported() -> None:
    times = np.arange(40, dtype=np.float32) / 30
    plain = dict.fromkeys(FaceFigures._fields, 0.1)
    log = FaceLog()
    for n in range(40):
        log.add(FaceFigures(**(plain | {"frame": n, "id": face})) for face in (1, 2, 3) if n % face == 0)
    one = draw_plots(FaceLog(), times, "clip.mp4")
    two = draw_plots(log, times, "clip.mp4")
    assert two.shape[0] > 4 * one.shape[0]
    assert two.shape[1] > one.shape[1], "two faces stand side by side"


def test_hours_of_noise_are_drawn() -> None:
    noise = np.random.default_rng(3).random(200_000, np.float32)
    image = drawn(Chart("", [Curve("", noise, RED)], np.arange(200_000, dtype=np.float32) / 30, low=0, high=1))
    assert len(pixels(image, RED)) > 0.5 * SIZE[0] * 100


def test_matplotlib_is_imported_when_a_chart_is_drawn_and_prints_nothing() -> None:
    code = (
        "import sys, numpy as np\nfrom rtswap.drawing.chart import Chart, Curve, draw_charts\n"
        "before = 'matplotlib' in sys.modules\n"
        "draw_charts('', '', [[Chart('', [Curve('', [1.0], (0, 0, 0))], ['a'])]], (300, 200))\n"
        "print(before, 'matplotlib.pyplot' in sys.modules)"
    )
    done = run_python(code)
    assert (done.stdout, done.stderr) == ("False False\n", "")
    assert math.isnan(Chart("", [], ()).low)
