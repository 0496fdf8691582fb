"""Signing never damages a recording: full disks, interrupts and odd files leave it complete."""

from __future__ import annotations

import itertools
import os
import signal
import threading
import time
from pathlib import Path

import pytest
from PIL import Image as Picture
from signed_files import FACTS, recording, report

from rtswap.core.errors import InputError, OutputError
from rtswap.disclosure import manifest as manifest_module
from rtswap.disclosure.certificate import SigningIdentity
from rtswap.disclosure.manifest import read_manifest, sign_file
from rtswap.disclosure.manifest_streams import GuardedFile


def _fails_with(error: OSError):
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


@pytest.mark.parametrize("step", ["fsync", "replace", "write", "mkstemp"])
@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv", "face.png"])
def test_full_disk_leaves_the_recording_whole(
    tmp_path: Path, identity: SigningIdentity, monkeypatch: pytest.MonkeyPatch, step: str, name: str
) -> None:
    path = recording(tmp_path / name)
    before = path.read_bytes()
    full = _fails_with(OSError(28, "No space left on device"))
    if step == "write":
        monkeypatch.setattr(GuardedFile, "write", _full_after(500))
    elif step == "mkstemp":
        monkeypatch.setattr(manifest_module.tempfile, "mkstemp", full)
    else:
        monkeypatch.setattr(os, step, full)
    with pytest.raises(OutputError, match="No space left on device") as caught:
        sign_file(path, FACTS, identity)
    assert "\n" not in str(caught.value)
    assert f"{name} is complete, without a manifest" in str(caught.value), "it may be one picture of many"
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == [name]


def _full_after(size: int):
    def write(self: GuardedFile, data: bytes) -> int:
        if self._file.tell() + len(data) > size:
            self._guard.error = OSError(28, "No space left on device")
            raise self._guard.error
        return int(self._file.write(data))

    return write


def test_interrupt_leaves_the_recording_whole(
    tmp_path: Path, identity: SigningIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = recording(tmp_path / "clip.mp4")
    before = path.read_bytes()

    def interrupted(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        sign_file(path, FACTS, identity)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["clip.mp4"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("call", range(1, 60, 7))
def test_interrupt_inside_the_library_ends_it_and_is_not_swallowed(
    tmp_path: Path,
    identity: SigningIdentity,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    number: signal.Signals,
    call: int,
) -> None:
    """It comes while Python is called back from native code, where an exception would be lost."""
    path = recording(tmp_path / "clip.mp4")
    before = path.read_bytes()
    calls = itertools.count(1)
    seek = GuardedFile.seek

    def interrupted_seek(self: GuardedFile, offset: int, whence: int = 0) -> int:
        if next(calls) == call:
            signal.raise_signal(number)
        return seek(self, offset, whence)

    monkeypatch.setattr(GuardedFile, "seek", interrupted_seek)
    old = signal.signal(number, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            sign_file(path, FACTS, identity)
        assert signal.getsignal(number) is signal.default_int_handler
    finally:
        signal.signal(number, old)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["clip.mp4"]
    assert not capfd.readouterr().err


def test_interrupt_while_reading_is_not_taken_for_damage(
    tmp_path: Path, signed_clip: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(signed_clip)

    def interrupted(self: GuardedFile, offset: int, whence: int = 0) -> int:
        signal.raise_signal(signal.SIGINT)
        self._guard.check()
        return 0

    monkeypatch.setattr(GuardedFile, "seek", interrupted)
    old = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    try:
        with pytest.raises(KeyboardInterrupt):
            read_manifest(path)
    finally:
        signal.signal(signal.SIGINT, old)


def test_disk_error_while_reading_is_reported(
    tmp_path: Path, signed_clip: bytes, identity: SigningIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(signed_clip)

    def broken(self: GuardedFile, _: object) -> int:
        self._guard.error = OSError(5, "Input/output error")
        raise self._guard.error

    monkeypatch.setattr(GuardedFile, "readinto", broken)
    with pytest.raises(InputError, match="Input/output error"):
        read_manifest(path)
    with pytest.raises(OutputError, match="Input/output error"):
        sign_file(path, FACTS, identity)


def test_a_file_that_takes_hours_to_read_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """c2pa reads the empty comments of a GIF byte by byte: 15 MB took a minute and a half."""
    path = tmp_path / "a.gif"
    Picture.new("P", (40, 30)).save(path)
    plain = path.read_bytes()
    at = plain.index(b"\x2c", 13)
    path.write_bytes(plain[:at] + b"\x21\xfe\0" * 3_000_000 + plain[at:])
    monkeypatch.setattr(manifest_module, "READ_S", 0.2)
    monkeypatch.setattr(manifest_module, "SLOWEST", 1e12)
    began = time.monotonic()
    with pytest.raises(InputError, match=r"cannot read the manifest of .*a file that takes too long"):
        read_manifest(path)
    assert time.monotonic() - began < 20


def test_signing_in_another_thread(tmp_path: Path, identity: SigningIdentity) -> None:
    """Where recordings are finished; there no signal handler can be set."""
    path = recording(tmp_path / "clip.mp4")
    thread = threading.Thread(target=sign_file, args=(path, FACTS, identity))
    thread.start()
    thread.join(30)
    assert report(path).holds


@pytest.mark.parametrize("data", [b"", b"hello world" * 300, b"\0" * 5000])
@pytest.mark.parametrize("name", ["clip.mp4", "face.png", "face.jpg"])
def test_file_that_is_not_a_recording_is_unchanged(
    tmp_path: Path, identity: SigningIdentity, name: str, data: bytes
) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(OutputError, match="cannot sign") as caught:
        sign_file(path, FACTS, identity)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == data
    assert os.listdir(tmp_path) == [name]


def test_unknown_format_is_reported(tmp_path: Path, identity: SigningIdentity) -> None:
    path = tmp_path / "clip.xyz"
    path.write_bytes(b"data")
    with pytest.raises(OutputError, match=r"\.mp4.*got \.xyz"):
        sign_file(path, FACTS, identity)


def test_missing_file_is_reported(tmp_path: Path, identity: SigningIdentity) -> None:
    with pytest.raises(OutputError, match="No such file"):
        sign_file(tmp_path / "gone.mp4", FACTS, identity)
    with pytest.raises(InputError, match="No such file"):
        read_manifest(tmp_path / "gone.mp4")
