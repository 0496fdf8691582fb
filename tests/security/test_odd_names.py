"""File names may be anything that the system allows, including bytes that are not text."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import pytest
from media_files import make_clip
from people import group

from rtswap.faceset.faceset import Faceset

ROOT = Path(__file__).resolve().parents[2]
ODD = "line\nbreak \x1b[2J \u202eodd\U0001f600".encode()
NAMES = [ODD, b"n\xff " + ODD + b"\xc3"]
"""A line break, a terminal's command, a change of direction; and bytes that are no UTF-8, within and at the end."""


@pytest.fixture(params=NAMES, ids=repr)
def name(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of a clip and a picture, without suffix. Skips where the disk takes no such name."""
    found = os.fsdecode(request.param)
    picture = group("ada", size=320)
    assert cv2.imwrite(str(tmp_path / "a.png"), picture)
    make_clip(tmp_path / "a.mp4", [picture] * 4)
    try:
        (tmp_path / "a.png").rename(tmp_path / f"{found}.png")
        (tmp_path / "a.mp4").rename(tmp_path / f"{found}.mp4")
    except OSError as error:
        pytest.skip(f"the disk takes no such name: {error}")
    return found


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
    source = ["-s", "persona:vera", "--json"]
    extract = ["extract", f"{name}.mp4", f"{name}.png", "--out", "faces", "--json"]
    cases = (
        (["inspect", f"{name}.mp4", "--output", "seen", "--json"], 0),
        (extract, 0),
        ([*source, "-i", f"{name}.mp4", "-o", f"new {name}.mp4"], 0),
        ([*source, "-i", f"{name}.png", "-o", f"new {name}.png"], 0),
        (["verify", f"new {name}.png", "--json"], 0),
        (["verify", f"absent {name}.png"], 1),
        (extract, 0),
    )
    for (args, expected), (code, out, told) in zip(cases, rtswap(tmp_path, [args for args, _ in cases]), strict=True):
        assert code == expected, (args, told)
        assert "internal error" not in told
        assert "\x1b" not in told
        assert "\u202e" not in told
        if "--json" in args:
            json.loads(out)
    json.loads((tmp_path / "seen/report.json").read_text("utf-8"))
    assert Faceset.open(tmp_path / "faces").records[0].clip == f"{name}.mp4"
