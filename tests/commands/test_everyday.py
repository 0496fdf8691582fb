"""What a stranger types in the first hour: help, words without flags, flags of other programs, old flags."""

from __future__ import annotations

import argparse
import errno
import os
import re
import sys
from contextlib import suppress
from pathlib import Path
from unittest.mock import Mock

import pytest
from media_files import make_clip
from PIL import Image as Pillow

from rtswap.app.config import OPTIONS, Config
from rtswap.commands import COMMANDS
from rtswap.commands.main import main
from rtswap.commands.other_programs import ADVICE, ADVICE_OF_TRAIN


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


@pytest.mark.parametrize(
    "args", ["help", "help bench", "help bench x", "help help", "help version", "--help bench", "-h bench"]
)
def test_help_as_a_command(args: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(args.split()) == 0
    shown = "usage: rtswap bench" if "bench" in args else "usage: rtswap [INPUT"
    assert capsys.readouterr().out.startswith(shown)


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ("in.mp4 out.mp4 --mask hull skin", "takes a list with commas; got hull skin. Write --mask hull,skin,"),
        ("--keep eyes mouth in.mp4 out.mp4", "Write --keep eyes,mouth, without blanks"),
    ],
)
def test_a_list_has_commas(args: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    """``skin`` became a folder, and ``out.mp4`` an input, if there was one."""
    assert main([*args.split(), "-s", "persona:vera"]) == 2
    assert says in capsys.readouterr().err


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
    assert not [line for line in shown if re.search(r"(^|[ (])--[a-z-]*-$", line)], "a flag broken in two"


@pytest.mark.parametrize("command", list(COMMANDS))
def test_a_wrong_value_is_answered_with_what_was_expected(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """And with no name of the code."""
    for action in COMMANDS[command].parser()._actions:
        if action.type is None or not action.option_strings:
            continue
        main([*([command] if command else []), action.option_strings[-1], "\0"])
        shown = capsys.readouterr().err
        assert "invalid" not in shown or "expected" in shown, shown


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

    assert main(["--cam", "1", "call.mp4", "-s", "me.jpg"]) == 0
    assert (loop[-1].input.address, loop[-1].output.to) == ("1", ("call.mp4",))


def test_a_pattern_that_the_shell_expands_is_several_inputs(
    loop: list[Config], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its second file is no output, which would replace it."""
    names = ["1.mp4", "2.jpg", "3.mp4"]
    for name in names:
        Path(name).write_bytes(b"not read here")
    assert main([*names, "out", "-s", "me.jpg"]) == 0
    assert [config.input.address for config in loop] == names
    assert [config.output.to for config in loop] == [(f"out/{name}",) for name in names]
    assert main([*names, "-s", "me.jpg", "-y"]) == 2
    assert "the output 2.jpg exists. For several inputs name a folder at the end." in capsys.readouterr().err
    assert main(["1.mp4", "new.mp4", "new.mkv", "-s", "me.jpg"]) == 0
    assert loop[-1].output.to == ("new.mp4", "new.mkv")
    assert main(["2.jpg", "1.mp4", "new.mp4"]) == 2
    assert "The photo of the face goes with --source. For several" in capsys.readouterr().err


@pytest.mark.parametrize("flag", ["-strength", "-strength=1", "-source", "-output"])
def test_a_flag_with_one_dash_is_not_read_as_a_letter(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    """-s trength was a photo, and 1 a folder, which was made."""
    assert main(["in.mp4", "out.mp4", "-s", "persona:vera", flag, "1"]) == 2
    assert f"unknown flag '{flag}'. Did you mean -{flag.split('=')[0]}?" in capsys.readouterr().err


def test_flags_that_users_of_other_programs_type(loop: list[Config]) -> None:
    flags = "in.mp4 out.mp4 -s me.jpg --crf 20 --start 1:02.5 --end 90s --duration 8 --no-audio"
    assert main(flags.split()) == 0
    found = loop[-1]
    assert (found.input.start_s, found.input.last_s) == (62.5, 70.5)
    assert (found.output.crf, found.output.no_audio) == (20, True)
    assert main(["in.mp4", "out.mp4", "-s", "me.jpg", "--bitrate", "2.5M"]) == 0
    assert loop[-1].output.bitrate == 2_500_000


@pytest.mark.parametrize(
    ("args", "answer"),
    [
        ("--face-enhancer", "Use --enhance NAME"),
        ("-preset fast", "Use --codec NAME and --crf N."),
        ("in.mp4 out.mp4 -t 10", "as FFmpeg's -t use --duration TIME."),
        ("run in.mp4 out.mp4", "No command is needed: rtswap INPUT OUTPUT --source PHOTO"),
        ("gui", "`rtswap studio --open`"),
        ("--list-cams", "`rtswap cameras` lists cameras."),
        ("-i -dash.mp4 -o out.mp4", "For a file of that name write ./-dash.mp4"),
        ("--in.mp4 -o out.mp4", "For the file write ./--in.mp4"),
        ("- out.mp4", "rtswap cannot read from a pipe"),
        ("in.mp4 -", "use null to write nothing"),
        ("in.mp4 /dev/null", "use null to write nothing"),
    ],
)
def test_what_is_meant_otherwise_elsewhere_gets_an_answer(
    args: str, answer: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("in.mp4", "--in.mp4"):
        make_clip(name, 1)
    assert main([*args.split(), "-s", "persona:vera"]) in (1, 2)
    assert answer in capsys.readouterr().err


@pytest.mark.parametrize("command", list(COMMANDS))
def test_a_wrong_value_is_answered_with_the_right_ones(command: str) -> None:
    """argparse's own answer to a ValueError names a function: ``invalid _port value``."""
    for action in COMMANDS[command].parser().actions:
        if callable(action.type):
            with suppress(argparse.ArgumentTypeError):
                action.type("\0")


def test_no_flag_of_ours_is_taken_for_another_programs() -> None:
    train = COMMANDS["train"].parser()
    assert not {flag for action in train.actions for flag in action.option_strings} & set(ADVICE_OF_TRAIN)
    assert not {flag for row in OPTIONS for flag in row.flags} & set(ADVICE)


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


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (
            "-o a.mp4 --boost 2 --morph 1",
            "--boost, --morph have no effect without an imported or trained --swapper",
        ),
        ("-o a.mp4 --enhance-blend 0.3", "--enhance-blend has no effect without --enhance"),
        ("-o a.mp4 --also you.jpg", "--also has no effect without --faces all, or a window and its keys"),
        ("-o a.webm --codec h264", "--codec h264 has no effect in .webm files: they hold vp9"),
        ("-o a.mp4 --tls-ca ca.pem", "--tls-ca has no effect without an encrypted input or output"),
        ("-o a.mp4 --also you.jpg --faces all", ""),
        ("-o a.mp4 -o window --also you.jpg", ""),
        ("--also you.jpg", ""),
        ("-o rtmps://host/live --tls-ca ca.pem", ""),
        ("-o a.mp4 --faces all --crf 20", ""),
    ],
)
def test_a_flag_without_effect_says_so(
    args: str, told: str, loop: list[Config], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["-s", "me.jpg", "-i", "clip.mp4", *args.split()]) == 0
    assert [line for line in capsys.readouterr().err.splitlines() if "no effect" in line] == [told][: bool(told)]


def test_what_a_file_sets_is_for_many_runs(loop: list[Config], capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine.toml").write_text("[models]\nboost = 2\n")
    assert main(["-s", "me.jpg", "-i", "clip.mp4", "-o", "a.mp4", "--config", "mine.toml"]) == 0
    assert "no effect" not in capsys.readouterr().err


def test_certificates_that_are_not_there_are_named_before_the_run(capsys: pytest.CaptureFixture[str]) -> None:
    make_clip("clip.mp4")
    assert main(["-s", "persona:vera", "-i", "clip.mp4", "-o", "a.mp4", "--tls-ca", "none.pem"]) == 2
    assert "--tls-ca none.pem; expected a file with CA certificates (PEM)" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["bench", "eval", "extract", "inspect", "train"])
def test_what_is_measured_or_made_goes_where_o_says(command: str) -> None:
    """Messages say -o, and who knows --out of one command types it with another."""
    parser = COMMANDS[command].parser()
    places = {flag: parser.read([flag, "there"]) for flag in ("-o", "--out")}
    assert places["-o"] == places["--out"] != {}


@pytest.mark.parametrize("command", ["personas --sheet out/a.png", "extract a.png --out out", "inspect a.png -o out"])
def test_a_disk_without_write_access_is_not_called_a_missing_permission(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Found out before anything is computed; root may write by the folder's mode, so the mode is not asked."""
    (tmp_path / "out").mkdir()
    Pillow.new("RGB", (64, 64)).save("a.png")
    cause = os.strerror(errno.EROFS)
    monkeypatch.setattr("tempfile.TemporaryFile", Mock(side_effect=OSError(errno.EROFS, cause)))
    assert main(command.split()) == 1
    said = capsys.readouterr().err
    assert re.search(rf"^rtswap: cannot write[^;]*; got {cause}\. Choose another folder", said, re.MULTILINE), said
