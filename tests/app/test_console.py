"""What is printed, on a terminal and without one, and that printing never stops the work."""

from __future__ import annotations

import io
import json
import re

import numpy as np
import pytest

from rtswap.app.console import Console


class Clock:
    """Seconds, moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def made(
    stream: io.StringIO, clock: Clock | None = None, environ: dict[str, str] | None = None, **how: bool
) -> Console:
    return Console(**how, stream=stream, clock=clock or Clock(), environ=environ or {})


def on_screen(text: str) -> list[str]:
    """The lines a terminal shows: of each line what stands after its last carriage return, without colours."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text).replace("\x1b[K", "")
    return [line.rsplit("\r", 1)[-1] for line in plain.split("\n")]


def test_terminal_keeps_one_status_line_below_the_events() -> None:
    stream, clock = Terminal(), Clock()
    console = made(stream, clock)
    for number in range(5):
        clock.now += 1
        console.status(f"{number} fps")
        if number == 2:
            console.event("camera lost")
    console.finish()
    assert on_screen(stream.getvalue()) == ["camera lost", "4 fps", ""]


def test_status_may_be_called_for_every_frame() -> None:
    stream, clock = Terminal(), Clock()
    console = made(stream, clock)
    for _ in range(1000):
        clock.now += 0.01
        console.status("30 fps")
    assert 90 <= stream.getvalue().count("30 fps") <= 101


def test_without_a_terminal_a_line_every_ten_seconds() -> None:
    stream, clock = io.StringIO(), Clock()
    console = made(stream, clock)
    for second in range(61):
        console.status(f"{second} s")
        clock.now += 1
    assert stream.getvalue().splitlines() == [f"{second} s" for second in range(0, 61, 10)]
    assert "\x1b" not in stream.getvalue()
    assert "\r" not in stream.getvalue()


def test_an_event_that_repeats_is_printed_once() -> None:
    stream = io.StringIO()
    console = made(stream)
    for text in ("lost", "lost", "back", "lost"):
        console.event(text)
    assert stream.getvalue().splitlines() == ["lost", "back", "lost"]


def test_long_lines_do_not_wrap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    stream = Terminal()
    made(stream).status("x" * 200)
    assert max(map(len, on_screen(stream.getvalue()))) < 40


def test_no_color() -> None:
    plain, coloured = Terminal(), Terminal()
    made(plain, environ={"NO_COLOR": "1"}).status("30 fps")
    made(coloured).status("30 fps")
    assert "\x1b[2m" in coloured.getvalue()
    assert not re.search(r"\x1b\[[0-9;]*m", plain.getvalue())


def test_progress_shows_share_and_time_left() -> None:
    stream, clock = Terminal(), Clock()
    console = made(stream, clock)
    console.progress(0, 400)
    clock.now += 10
    console.progress(100, 400, "40 fps")
    shown = on_screen(stream.getvalue())[-1]
    assert re.fullmatch(r"\[######-{18}\]  25%  100/400  ETA 0:30  40 fps", shown)
    clock.now += 0.01
    console.progress(400, 400)
    assert on_screen(stream.getvalue())[-1] == "[########################] 100%  400/400"


def test_progress_of_unknown_length() -> None:
    stream = Terminal()
    made(stream).progress(12, None, "40 fps")
    assert on_screen(stream.getvalue())[-1] == "12 frames  40 fps"


@pytest.mark.parametrize(("done", "total"), [(5, 3), (0, 0), (3, 0), (10**9, 10**9)])
def test_progress_takes_what_files_claim(done: int, total: int) -> None:
    made(Terminal()).progress(done, total)


def test_quiet_prints_nothing() -> None:
    stream = Terminal()
    console = made(stream, quiet=True)
    console.event("x")
    console.status("x")
    console.progress(1, 2)
    console.summary({"frames": 1})
    assert stream.getvalue() == ""


def test_summary_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    stream = io.StringIO()
    made(stream).summary({"frames": 3, "age": {"p50_ms": 12.34567}})
    assert stream.getvalue().splitlines() == ["frames      3", "age.p50_ms  12.35"]
    assert capsys.readouterr().out == ""


def test_summary_as_json_is_strict(capsys: pytest.CaptureFixture[str]) -> None:
    result = {"n": np.int64(3), "x": np.float32(0.5), "bad": [float("inf")], "where": ("a", None), 1: {"é": {1}}}
    made(io.StringIO(), json=True, quiet=True).summary(result)
    out = capsys.readouterr().out
    assert json.loads(out) == {"n": 3, "x": 0.5, "bad": [None], "where": ["a", None], "1": {"é": [1]}}
    assert out.count("\n") == 1


class Gone(Terminal):
    def write(self, text: str) -> int:
        raise BrokenPipeError


@pytest.mark.parametrize("make", [Gone, Terminal, io.StringIO])
def test_work_goes_on_when_nobody_listens(make: type[io.StringIO]) -> None:
    stream = make()
    console = made(stream)
    if make is not Gone:
        stream.close()
    for _ in range(2):
        console.event("x")
        console.status("x")
        console.progress(1, 2)
        console.summary({"frames": 1})


def test_no_stderr_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", None)
    console = Console()
    console.event("x")
    console.status("y")


def test_letters_that_the_terminal_does_not_have() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    Console(stream=stream, environ={}).event("fichier créé")
    assert raw.getvalue() == b"fichier cr??\n"
