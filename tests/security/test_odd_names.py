"""File names may be anything that the system allows, including bytes that are not text."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
from media_files import make_clip
from people import group

ROOT = Path(__file__).resolve().parents[2]
NAMES = [b"n\xff", b"\xc3", b"line\nbreak", b"\x1b[2J", "\u202eodd\U0001f600".encode()]


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


def rtswap(folder: Path, *args: str) -> subprocess.CompletedProcess[bytes]:
    """With a terminal that takes UTF-8 alone."""
    environ = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8:strict"}
    return subprocess.run(
        [sys.executable, "-P", "-m", "rtswap", *args],
        cwd=folder,
        env=environ,
        capture_output=True,
        timeout=60,
        check=False,
    )


def test_every_command_takes_it(tmp_path: Path, name: str) -> None:
    source = ["-s", "persona:vera", "--json"]
    for args, code in (
        (["inspect", f"{name}.mp4", "--output", "seen", "--json"], 0),
        (["extract", f"{name}.mp4", f"{name}.png", "--out", "faces", "--json"], 0),
        ([*source, "-i", f"{name}.mp4", "-o", f"new {name}.mp4"], 0),
        ([*source, "-i", f"{name}.png", "-o", f"new {name}.png"], 0),
        (["verify", f"new {name}.png", "--json"], 0),
        (["verify", f"absent {name}.png"], 1),
    ):
        done = rtswap(tmp_path, *args)
        told = done.stderr.decode()
        assert done.returncode == code, (args, told)
        assert "internal error" not in told
        assert "\x1b" not in told
        assert "\u202e" not in told
        if "--json" in args:
            json.loads(done.stdout.decode())
    for path in ("seen/report.json", "faces/faces.json"):
        json.loads((tmp_path / path).read_text("utf-8"))
    again = rtswap(tmp_path, "extract", f"{name}.mp4", f"{name}.png", "--out", "faces", "--json")
    assert again.returncode == 0, again.stderr.decode()
