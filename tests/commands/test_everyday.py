"""What a stranger types in the first hour: help, words without flags, flags of other programs, old flags."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from rtswap.app.config import Config
from rtswap.commands import COMMANDS
from rtswap.commands.main import main


@pytest.fixture(autouse=True)
def keep_process_state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """``main`` sets the process up for itself; undo that here."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("args", ["--version", "-V", "-v", "version"])
def test_every_usual_way_to_ask_for_the_version(args: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([args]) == 0
    assert capsys.readouterr().out.startswith("rtswap ")


def test_help_as_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    for args, shown in ((["help"], "usage: rtswap [INPUT"), (["help", "bench"], "usage: rtswap bench")):
        assert main(args) == 0
        assert capsys.readouterr().out.startswith(shown)


@pytest.mark.parametrize("command", list(COMMANDS))
@pytest.mark.parametrize("columns", [40, 80])
def test_help_fits_the_terminal(
    command: str, columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    assert main([*([command] if command else []), "--help"]) == 0
    shown = capsys.readouterr().out.splitlines()
    texts = [line for line in shown if line.startswith("     " if columns == 40 else "") and "{" not in line]
    assert max(len(line) for line in texts if not line.startswith("  rtswap")) <= columns


def test_help_names_the_values(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--help"])
    text = re.sub(r"\s+", " ", capsys.readouterr().out)
    for flag, values in (("--mask", "hull skin occlusion"), ("--parts", "eyes nose mouth"), ("--keep", "eyes mouth")):
        words = text.partition(f"{flag} NAME")[2][:250]
        assert all(value in words for value in values.split()), flag


def test_words_without_a_flag_are_the_input_and_the_outputs(loop: list[Config]) -> None:
    for args in ("in.mp4 out.mp4 -s me.jpg", "-s me.jpg in.mp4 out.mp4", "in.mp4 -s me.jpg out.mp4"):
        assert main(args.split()) == 0
        assert (loop[-1].input.address, loop[-1].output.to) == ("in.mp4", ("out.mp4",))
    assert main(["in.mp4", "-o", "a.mp4", "-s", "me.jpg"]) == 0
    assert (loop[-1].input.address, loop[-1].output.to) == ("in.mp4", ("a.mp4",))


def test_flags_that_users_of_other_programs_type(loop: list[Config]) -> None:
    flags = "in.mp4 out.mp4 -s me.jpg --crf 20 --start 1:02.5 --end 90s --duration 8 --no-audio"
    assert main(flags.split()) == 0
    found = loop[-1]
    assert (found.input.start_s, found.input.last_s) == (62.5, 70.5)
    assert (found.output.crf, found.output.no_audio) == (20, True)
    assert main(["in.mp4", "out.mp4", "-s", "me.jpg", "--bitrate", "2.5M"]) == 0
    assert loop[-1].output.bitrate == 2_500_000


def test_a_retired_flag_is_accepted_and_says_so(
    loop: list[Config], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["-s", "me.jpg", "--delight"]) == 0
    assert "rtswap: --delight is no longer needed" in capsys.readouterr().err
    (tmp_path / "rtswap.toml").write_text("[swap]\ndelight = true\n")
    assert main(["-s", "me.jpg"]) == 0
    assert "swap.delight is no longer needed" in capsys.readouterr().err
    main(["--help"])
    assert "delight" not in capsys.readouterr().out
