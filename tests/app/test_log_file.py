"""``--log FILE``"""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from rtswap.app.console import Console
from rtswap.commands.main import main
from rtswap.core.errors import InputError, OutputError
from rtswap.source.personas import persona_photo


def made(path: Path, **how: bool) -> Console:
    console = Console(**how, stream=io.StringIO(), environ={})
    console.open_log(path)
    return console


def test_messages_and_the_summary_are_appended_with_the_time(tmp_path: Path) -> None:
    path = tmp_path / "run.log"
    path.write_text("2026-01-01 00:00:00 before\n")
    with made(path, quiet=True) as console:
        console.event("camera\x1b[2J lost")
        console.summary({"frames": 1}, "Wrote out.mp4.", "Faces: all.")
    lines = path.read_text().splitlines()
    assert lines[0].endswith("before")
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ", line) for line in lines[1:])
    assert [line[20:] for line in lines[2:]] == ["camera?[2J lost", "Wrote out.mp4.", "Faces: all."]
    assert lines[1][20:].startswith("rtswap ")


def test_what_ended_a_run_is_in_the_log(tmp_path: Path) -> None:
    for error in (InputError("camera 0 is busy"), TypeError("a bug")):
        with pytest.raises(type(error)), made(tmp_path / "run.log"):
            raise error
    text = (tmp_path / "run.log").read_text()
    assert "error: camera 0 is busy" in text
    assert "Traceback" in text
    assert "TypeError: a bug" in text


@pytest.mark.parametrize(
    ("args", "said"), [("absent.mp4 out.mp4", "no such file"), ("photo.png out.xyz", "unknown output 'out.xyz'")]
)
def test_what_kept_a_run_from_beginning_is_in_the_log(
    args: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("photo.png").write_bytes(persona_photo("persona:ben").read_bytes())
    assert main(["-s", "persona:vera", *args.split(), "--log", "run.log"]) != 0
    assert f"error: {said}" in Path("run.log").read_text()


def test_a_log_that_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot write the log"):
        made(tmp_path / "absent" / "run.log")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_ends_the_log_and_nothing_else() -> None:
    stream = io.StringIO()
    console = Console(stream=stream, environ={})
    console.open_log(Path("/dev/full"))
    console.event("one")
    console.event("two")
    assert stream.getvalue().count("continuing without it") == 1
    assert stream.getvalue().endswith("one\ntwo\n")
