"""Ctrl-C, a second one, and a terminal that is closed: a run ends in order and leaves files that play."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import cv2
import pytest
from media_files import make_clip
from processes import run_python

from rtswap.media.inputs import open_input
from rtswap.media.playlists import Opener
from rtswap.vision.talking_head import persona

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows sends no signals to children")

FRAMES = 2000


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ben for longer than any test runs."""
    path = tmp_path_factory.mktemp("clip") / "long.mp4"
    image = cv2.resize(persona("ben"), (320, 320))
    make_clip(path, [image] * FRAMES, fps=25, options={"preset": "ultrafast"})
    return path


def rtswap(*args: str, nohup: bool = False, **streams: int) -> subprocess.Popen[bytes]:
    """A command, under ``nohup`` or not, however the tests run."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN if nohup else signal.SIG_DFL)
    try:
        command = [sys.executable, "-m", "rtswap", *args]
        return subprocess.Popen(command, start_new_session=True, **streams)  # type: ignore[no-any-return, call-overload]
    finally:
        signal.signal(signal.SIGHUP, before)


def started(clip: Path, out: Path, **streams: int) -> subprocess.Popen[bytes]:
    """A run that has begun to write to ``out``."""
    process = rtswap("-s", "persona:vera", "-i", str(clip), "-o", str(out), **streams)
    until = time.monotonic() + 40
    while not any(path.stat().st_size > 10_000 for path in out.parent.iterdir()) and time.monotonic() < until:
        time.sleep(0.02)
    return process


def playable(folder: Path) -> int:
    """Frames in the one file that was left, which is finished or says in its name that it is not."""
    (left,) = folder.iterdir()
    assert left.name in ("out.mp4", "out.partial.mp4")
    with av.open(str(left)) as container:
        return sum(1 for _ in container.decode(video=0))


@pytest.mark.parametrize("pause_s", [0.0, 0.2])
def test_a_second_ctrl_c_ends_at_once_but_in_order(clip: Path, tmp_path: Path, pause_s: float) -> None:
    with started(clip, tmp_path / "out.mp4", stderr=subprocess.PIPE) as process:
        process.send_signal(signal.SIGINT)
        time.sleep(pause_s)
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        _, err = process.communicate(timeout=30)
    assert process.returncode in (0, 130), err.decode()
    assert time.monotonic() - began < 12
    assert b"Traceback" not in err
    assert b"FATAL" not in err
    assert playable(tmp_path) >= 1


def test_a_closed_terminal_finishes_the_file(clip: Path, tmp_path: Path) -> None:
    """The terminal is gone, so nothing can be printed either. Under ``nohup`` children would ignore the signal."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    ours, theirs = pty.openpty()
    with started(clip, tmp_path / "out.mp4", stdin=theirs, stdout=theirs, stderr=theirs) as process:
        signal.signal(signal.SIGHUP, before)
        os.close(theirs)
        os.close(ours)
        process.send_signal(signal.SIGHUP)
        assert process.wait(30) == 0
    assert (tmp_path / "out.mp4").exists()
    assert 1 <= playable(tmp_path) < FRAMES


@pytest.mark.parametrize("nohup", [False, True])
def test_a_closed_terminal_ends_the_studio_but_not_under_nohup(tmp_path: Path, nohup: bool) -> None:
    words = ("studio", "--port", "0", "--recordings", str(tmp_path))
    with rtswap(*words, nohup=nohup, stderr=subprocess.STDOUT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        while b"the studio is at" not in process.stdout.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGHUP)
        time.sleep(0.3)
        if nohup:
            assert process.poll() is None
            process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
        assert b"Traceback" not in process.stdout.read()


def test_ctrl_c_while_a_playlist_is_read_is_not_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FFmpeg reads it through Python: an exception that a signal raises there would be dropped."""
    make_clip(tmp_path / "clip.ts", 30)
    (tmp_path / "list.m3u8").write_text("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1.2,\nclip.ts\n#EXT-X-ENDLIST\n")
    monkeypatch.setattr(Opener, "count", lambda self, size: signal.raise_signal(signal.SIGINT))
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            open_input(str(tmp_path / "list.m3u8"))
    finally:
        signal.signal(signal.SIGINT, before)


STUCK = """
import hashlib, os, time, rtswap.commands.main as main, rtswap.runtime.second_signal as second
main.end_at_second_signal = lambda code: second.end_at_second_signal(code, 0.2)
def stuck():
    main.raise_on_signals()
    if not os.fork():
        time.sleep(9)
    print("stuck", flush=True)
    hashlib.pbkdf2_hmac("sha256", b"", b"", 1 << 30)
main.main = stuck
main.run_process()
"""
"""A command that native code keeps, as a network without end does, and a child of its own."""


def test_a_second_signal_ends_what_native_code_keeps() -> None:
    """A terminal sends Ctrl-C to the child, too, which makes no second one of it."""
    with subprocess.Popen([sys.executable, "-c", STUCK], stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"stuck\n"
        time.sleep(0.3)
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.5)
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 130


LATE = """
import rtswap.commands.main as main
class Field:
    def __set_name__(self, owner, name):
        raise KeyboardInterrupt
def late(args):
    {}
main._dispatch = late
main.run_process()
"""


@pytest.mark.parametrize("late", ["exec('raise KeyboardInterrupt')", "type('Late', (), {'x': Field()})"])
def test_an_interrupt_while_a_module_is_imported_late_is_no_fault(late: str, tmp_path: Path) -> None:
    """Python makes the methods of dataclasses by ``exec``, after which it would end ``python -m`` by SIGINT, and
    calls an interrupt while a class is made a RuntimeError."""
    (tmp_path / "late.py").write_text(LATE.format(late))
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    found = subprocess.run([sys.executable, "-m", "late"], env=env, capture_output=True, timeout=60)
    assert (found.returncode, found.stderr) == (130, b"")


LOSES = """
import os, signal, sys, time, weakref
from rtswap.core.interrupts import raise_on_signals
from rtswap.runtime.second_signal import end_at_second_signal

class Thing:
    pass

raise_on_signals()
end_at_second_signal(130, patience_s=0.5)
thing = Thing()
kept = weakref.ref(thing, lambda _: os.kill(os.getpid(), signal.SIGINT))
try:
    del thing
    time.sleep(30)
    print("lost")
except KeyboardInterrupt:
    time.sleep(2)
    print("ended in order")
"""


def test_an_interrupt_while_python_cleans_up_is_not_lost() -> None:
    """``rtswap train`` went on after Ctrl-C in a callback of matplotlib's, with a traceback."""
    ended = run_python(LOSES)
    assert (ended.stdout, ended.stderr) == ("ended in order\n", "")
