"""File names may be anything that the system allows, including bytes that are not text."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from unittest.mock import Mock

import cv2
import foreign_models as foreign
import pytest
from media_files import make_clip
from people import group

from rtswap.commands.doctor.checks import check_folder
from rtswap.commands.main import main
from rtswap.core.errors import RtswapError
from rtswap.core.model_rows import forget_model_rows
from rtswap.core.parts import OutputRequest
from rtswap.disclosure.certificate import SigningIdentity
from rtswap.faceset.faceset import Faceset
from rtswap.media.outputs import open_output
from rtswap.networks.model_store import add

ROOT = Path(__file__).resolve().parents[2]
ODD = "line\nbreak \x1b[2J \u202eodd\u009b1m\U0001f600".encode()
NAMES = [ODD, b"n\xff " + ODD + b"\xc3"]
"""A line break, a terminal's commands, a change of direction; and bytes that are no UTF-8, within and at the end."""


@pytest.fixture
def name(tmp_path: Path) -> str:
    """Of a clip and a picture, without suffix: the worst that the disk takes. Skips where it takes none."""
    picture = group("ada", size=320)
    assert cv2.imwrite(str(tmp_path / "a.png"), picture)
    make_clip(tmp_path / "a.mp4", [picture] * 2)
    for name in map(os.fsdecode, reversed(NAMES)):
        with suppress(OSError):
            (tmp_path / "a.png").rename(tmp_path / f"{name}.png")
            (tmp_path / "a.mp4").rename(tmp_path / f"{name}.mp4")
            return name
    pytest.skip("the disk takes no such name")


EACH = """
import json, sys
from rtswap.faceset.faceset import Faceset
from rtswap.commands.main import main
for args in json.loads(sys.argv[1]):
    code = main(args)
    print(code, end=chr(0), flush=True)
    print(end=chr(0), flush=True, file=sys.stderr)
"""


def rtswap(folder: Path, commands: Sequence[Sequence[str]]) -> Iterator[tuple[int, str, str]]:
    """Exit code, stdout and stderr of each command, all in one process, with a terminal that takes UTF-8 alone."""
    environ = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8:strict"}
    done = subprocess.run(
        [sys.executable, "-P", "-c", EACH, json.dumps(commands)],
        cwd=folder,
        env=environ,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    outs, errors = done.stdout.decode().split("\0")[:-1], done.stderr.decode().split("\0")[:-1]
    assert len(outs) == len(errors) == len(commands)
    for out, error in zip(outs, errors, strict=True):
        head, _, code = out.rpartition("\n")
        yield int(code), head, error


def test_every_command_takes_it(tmp_path: Path, name: str) -> None:
    cases = commands(name, "faces")
    answers = rtswap(tmp_path, [args for args, _ in cases])
    for (args, expected), (code, out, told) in zip(cases, answers, strict=True):
        assert code == expected, (args, told)
        assert "internal error" not in told
        assert all(sign.isprintable() or sign == "\n" for sign in out + told), (args, out, told)
        if "--json" in args:
            json.loads(out)
    json.loads((tmp_path / "seen faces/report.json").read_text("utf-8"))
    assert Faceset.open(tmp_path / "faces").records[0].clip == f"{name}.mp4"


def commands(name: str, faces: str) -> list[tuple[list[str], int]]:
    """Words, and the exit code that they must have."""
    source = ["-s", "persona:vera", "--json"]
    extract = ["extract", f"{name}.mp4", f"{name}.png", "--out", faces, "--json"]
    return [
        (["inspect", f"{name}.mp4", "--output", f"seen {faces}", "--json"], 0),
        (extract, 0),
        ([*source, "-i", f"{name}.mp4", "-o", f"new {name}.mp4"], 0),
        ([*source, "-i", f"{name}.png", "-o", f"new {name}.png"], 0),
        (["verify", f"new {name}.png", "--json"], 0),
        (["verify", f"absent {name}.png"], 1),
        (extract, 0),
    ]


def test_models_may_have_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RTSWAP_MODELS", str(tmp_path / "models"))
    forget_model_rows()
    for number, name in enumerate(NAMES):
        path = tmp_path / os.fsdecode(name + b".onnx")
        path.write_bytes(foreign.swapper("inswapper"))
        (added,) = add(path, name=f"mine{number}")
        assert added.damage == ""
        assert added.origin.endswith("1m\U0001f600" + number * "\\udcc3" + ".onnx")
    forget_model_rows()


@pytest.mark.parametrize(
    "args",
    [
        "-s persona:vera -i {} -o a.png",
        "-s persona:vera -i a.png -o %{}d.png",
        "-s persona:vera -i a.png -o %9999999999d.png",
        "-s persona:vera -i a.png -o b.png --swap {}=persona:vera",
        "extract a.png --out new --person {}",
        "train df --data a:{} --data b --out new --minutes 1",
    ],
)
def test_numbers_without_end_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], args: str
) -> None:
    """Python converts none of more than 4300 digits, and would make a name of as many letters as one says."""
    monkeypatch.chdir(tmp_path)
    assert main([word.format("9" * 5000) for word in args.split()]) in (1, 2)
    assert len(capsys.readouterr().err.splitlines()) == 1


def told(work: Callable[[], object]) -> str:
    """The message of the error that ``work`` raises."""
    with pytest.raises(RtswapError) as caught:
        work()
    return str(caught.value)


def test_commands_in_messages_run_nothing_of_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """People copy them into their shell."""
    monkeypatch.chdir(tmp_path)
    odd = "a b; $(touch ran)"
    key = Path(f"{odd}.pem")
    key.touch(0o644)
    Path(odd).mkdir()
    monkeypatch.setattr("tempfile.TemporaryFile", Mock(side_effect=PermissionError))
    commands = [
        told(lambda: open_output(f"{odd}x/a.mp4", OutputRequest(fps=25))),
        told(lambda: open_output(f"{odd}x/a.png", OutputRequest(fps=25))),
        told(lambda: open_output(f"{odd}x/a/", OutputRequest(fps=25))),
        told(lambda: SigningIdentity.from_files(key, key)),
        f": {check_folder('', Path(odd))[0].mend}",
    ]
    for command in commands:
        words = shlex.split(command.rpartition(": ")[2])
        assert any(word in (f"{odd}x", odd, str(key)) for word in words), command


def test_settings_that_could_not_be_read_again_are_not_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "rtswap.toml"
    assert main(["config", "-i", "\udcff.mp4", "--write", str(path)]) == 1
    assert f"cannot write {path}" in capsys.readouterr().err
    assert not path.exists()
