"""Console output with and without a terminal; output errors never stop the work."""

from __future__ import annotations

import io
import json
import re
from typing import Any

import numpy as np
import pytest
from printed_output import Terminal, on_terminal, print_parts

from rtswap.app.console import Console, print_error
from rtswap.commands.reports.table import table
from rtswap.core.errors import OutputError


class Clock:
    """Seconds, moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def made(
    stream: io.StringIO, clock: Clock | None = None, environ: dict[str, str] | None = None, **how: bool
) -> Console:
    return Console(**how, stream=stream, clock=clock or Clock(), environ=environ or {})


def on_screen(text: str) -> list[str]:
    """The lines a terminal shows: of each line what stands after its last carriage return, without colours."""
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text)
    return [line.rsplit("\r", 1)[-1].rstrip() for line in plain.split("\n")]


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
    assert stream.getvalue().splitlines() == [f"{second} s" for second in range(10, 61, 10)]
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
    assert max(map(len, on_screen(stream.getvalue()))) <= 40


def test_events_and_errors_are_left_to_the_terminal_to_wrap(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """So that they can be copied as one line."""
    monkeypatch.setenv("COLUMNS", "40")
    for stream in (Terminal(), io.StringIO()):
        made(stream).event("word " * 60)
        assert len(on_screen(stream.getvalue().rstrip("\n"))) == 1
    print_error("rtswap: " + "word " * 60)
    assert capsys.readouterr().err.count("\n") == 1


def test_texts_wrap_between_words_and_commands_never(monkeypatch: pytest.MonkeyPatch) -> None:
    words, command, path = "some words " * 9, "  sudo " + "word " * 20, "Wrote /a/" + "long" * 30
    shown = on_terminal(monkeypatch, 40)(words.strip(), command.rstrip(), path)
    assert max(map(len, shown[:3])) <= 40
    assert command.rstrip() in shown
    assert path.split()[1] in shown
    assert print_parts(words.strip(), command.rstrip()).splitlines() == [words.strip(), command.rstrip()]


def test_strangers_names_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    stream, name = Terminal(), "a\x1b]0;b\x07\nb\x1b[2Jc"
    console = made(stream, environ={"NO_COLOR": "1"})
    console.event(name)
    console.summary({}, name)
    print_error(f"rtswap: {name}")
    shown = stream.getvalue() + capsys.readouterr().err
    assert shown == "a?]0;b? b?[2Jc\n" * 2 + "rtswap: a?]0;b? b?[2Jc\n"


def test_no_color() -> None:
    plain, coloured = Terminal(), Terminal()
    for stream, environ in ((plain, {"NO_COLOR": "1"}), (coloured, {})):
        console = made(stream, environ=environ)
        console.status("30 fps")
        console.progress(1, 2)
        console.summary({}, table(("", "found"), [(("ok", "good"), "x")]))
    assert "\x1b[2m" in coloured.getvalue()
    assert not re.search(r"\x1b\[[0-9;]*m", plain.getvalue())


def test_progress_shows_share_and_time_left_in_80_columns() -> None:
    stream, clock = Terminal(), Clock()
    console = made(stream, clock)
    console.progress(0, 4000)
    clock.now += 10
    console.progress(1000, 4000, "29.9 fps | 1 face")
    shown = on_screen(stream.getvalue())[-1]
    assert re.fullmatch(r"\S[━╸╺ ]{23} +25%  1000/4000  ETA 0:30  29\.9 fps \| 1 face", shown)
    assert len(shown) < 80
    clock.now += 0.01
    console.progress(4000, 4000)
    assert re.fullmatch(r"━{24} 100%  4000/4000", on_screen(stream.getvalue())[-1])


@pytest.mark.parametrize("make", [Terminal, io.StringIO])
def test_the_last_tick_shows_100_percent_once(make: type[io.StringIO]) -> None:
    stream, clock = make(), Clock()
    console = made(stream, clock)
    for done in range(101):
        clock.now += 0.001
        console.progress(done, 100)
    console.progress(100, 100, "again")
    console.finish()
    shown = [line for line in on_screen(stream.getvalue()) if line]
    assert shown[-1].endswith("100%  100/100")
    assert len(shown) == 1


def test_progress_is_below_100_percent_until_the_end() -> None:
    stream = Terminal()
    made(stream).progress(999, 1000)
    assert " 99%" in on_screen(stream.getvalue())[-1]


def test_without_a_terminal_progress_is_sparse_plain_lines() -> None:
    stream, clock = io.StringIO(), Clock()
    console = made(stream, clock)
    for done in range(26):
        console.progress(done, 25, "29.9 fps")
        clock.now += 1
    lines = stream.getvalue().splitlines()
    assert lines == [
        "40%  10/25  ETA 0:15  29.9 fps",
        "80%  20/25  ETA 0:05  29.9 fps",
        "100%  25/25  29.9 fps",
    ]


def test_progress_may_be_measured_instead_of_counted() -> None:
    stream = io.StringIO()
    Console(stream=stream).progress(23, 23, "step 29", unit=" s")
    assert stream.getvalue() == "100%  23/23 s  step 29\n"


def test_progress_of_unknown_length() -> None:
    stream = Terminal()
    made(stream).progress(12, None, "40 fps")
    assert on_screen(stream.getvalue())[-1] == "12 frames  40 fps"


@pytest.mark.parametrize(("done", "total"), [(5, 3), (0, 0), (3, 0), (10**9, 10**9)])
def test_progress_takes_what_files_claim(done: int, total: int) -> None:
    for stream in (Terminal(), io.StringIO()):
        made(stream).progress(done, total)


def test_quiet_prints_nothing() -> None:
    stream = Terminal()
    console = made(stream, quiet=True)
    console.event("x")
    console.status("x")
    console.progress(1, 2)
    console.summary({"frames": 1}, "1 frame")
    assert stream.getvalue() == ""


def test_a_summary_goes_to_stderr_and_an_answer_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    stream = io.StringIO()
    console = made(stream)
    console.summary({"frames": 3}, "3 frames")
    console.answer({"frames": 3}, "an answer")
    assert stream.getvalue() == "3 frames\n"
    assert capsys.readouterr().out == "an answer\n"
    made(stream, quiet=True).answer({}, "silent")
    assert capsys.readouterr().out == ""


def test_a_table_folds_on_a_narrow_terminal_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def wide() -> Any:
        return table(("!name", ">number", "words"), [("[bold]x", "1.50", "word " * 40), ("y", "10.25", "")])

    folded = on_terminal(monkeypatch, 50)(wide())
    assert max(map(len, folded)) <= 50
    assert len(folded) > 5
    plain = print_parts(wide()).splitlines()
    assert [line.split()[:2] for line in plain] == [["name", "number"], ["[bold]x", "1.50"], ["y", "10.25"]]
    assert plain[1].count("word") == 40
    assert plain[1].index("1.50") == plain[2].index("10.25") + 1, "numbers stand right"
    assert all(line == line.rstrip() for line in plain)


def test_nothing_of_a_table_is_cut_off_in_a_terminal_that_is_too_narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [("simswap_unofficial_512", "555 MB", "yes", "non-commercial research")]
    for columns in (20, 40, 50):
        shown = " ".join(on_terminal(monkeypatch, columns)(table(("!model", ">size", "!legal", "licence"), rows)))
        assert all(word in shown for word in (*rows[0][:3], "legal", "non-commercial", "research", "licence")), shown


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
def test_work_continues_when_output_is_closed(make: type[io.StringIO]) -> None:
    stream = make()
    console = made(stream)
    if make is not Gone:
        stream.close()
    for _ in range(2):
        console.event("x")
        console.status("x")
        console.progress(1, 2)
        console.summary({"frames": 1}, "1 frame")


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


def test_an_answer_that_cannot_be_written_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.StringIO):
        def flush(self) -> None:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("sys.stdout", Full())
    for console in (made(io.StringIO()), made(io.StringIO(), json=True)):
        with pytest.raises(OutputError, match="No space left"):
            console.answer({"n": 1}, "one")
    monkeypatch.setattr("sys.stdout", None)
    made(io.StringIO()).answer({"n": 1}, "one")


def test_cursor_is_always_restored() -> None:
    stream = Terminal()
    try:
        with made(stream) as console:
            console.status("30 fps")
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass
    assert stream.getvalue().rindex("\x1b[?25h") > stream.getvalue().rindex("\x1b[?25l")
    assert stream.getvalue().replace("\x1b[?25h", "").endswith("\n")
