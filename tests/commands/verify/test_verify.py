"""``rtswap verify`` on marked, unmarked, tampered, damaged and hostile files."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest
from bright_marks import PAYLOAD, clip, grey, look
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rtswap.commands.verify import run as run_module
from rtswap.commands.verify.run import verify
from rtswap.core.errors import InputError, RtswapError, UsageError


def test_says_where_in_time(tmp_path: Path) -> None:
    found = look(clip(tmp_path / "clip.mp4", "..##.#"))
    assert [(round(span.from_s), round(span.to_s + 0.1)) for span in found.spans] == [(2, 4), (5, 6)]
    assert (found.windows, found.marked_windows, found.frames) == (6, 3, 60)
    assert found.marked
    assert found.payload == PAYLOAD
    assert found.manifest is None
    assert found.notes == ()


@pytest.mark.parametrize(
    ("name", "options"),
    [("a.mp4", {}), ("a.mkv", {}), ("a.mov", {}), ("a.webm", {"codec": "libvpx"}), ("a.avi", {"codec": "mpeg4"})],
)
def test_reads_what_other_tools_write(tmp_path: Path, name: str, options: dict[str, str]) -> None:
    assert look(clip(tmp_path / name, "#", **options)).marked
    assert not look(clip(tmp_path / f"dark{name}", ".", **options)).marked


@pytest.mark.parametrize("name", ["screen.png", "screen.jpg", "screen.webp", "screen.bmp"])
def test_reads_a_picture(tmp_path: Path, name: str) -> None:
    cv2.imwrite(str(tmp_path / name), grey(220))
    found = look(tmp_path / name)
    assert (found.marked, found.windows, found.frames) == (True, 1, 1)


def test_file_is_unchanged(tmp_path: Path, signed: bytes) -> None:
    (tmp_path / "clip.mp4").write_bytes(signed)
    look(tmp_path / "clip.mp4")
    assert (tmp_path / "clip.mp4").read_bytes() == signed
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


def test_progress_is_reported(tmp_path: Path) -> None:
    told: list[tuple[int, int | None]] = []
    look(clip(tmp_path / "clip.mp4", "##"), on_progress=lambda done, total: told.append((done, total)))
    assert told == [(number, 20) for number in range(1, 21)]


def test_manifest_alone_is_enough(tmp_path: Path, signed: bytes) -> None:
    (tmp_path / "clip.mp4").write_bytes(signed)
    found = look(tmp_path / "clip.mp4")
    assert found.marked
    assert not found.spans
    assert found.manifest is not None
    assert found.manifest.state == "valid"


def test_changed_frame_makes_the_manifest_invalid_and_no_mark(tmp_path: Path, signed: bytes) -> None:
    changed = bytearray(signed)
    changed[signed.index(b"mdat") + 40] ^= 1
    (tmp_path / "clip.mp4").write_bytes(changed)
    found = look(tmp_path / "clip.mp4")
    assert found.manifest is not None
    assert found.manifest.state == "invalid"
    assert not found.marked


def test_truncated_recording_is_verified_up_to_its_end(tmp_path: Path) -> None:
    """Matroska plays up to where it was cut."""
    path = clip(tmp_path / "clip.mkv", "####", options={"g": "5"})
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    found = look(path)
    assert found.marked
    assert found.frames < 40


def test_pictures_that_cannot_be_decoded_leave_the_manifest(tmp_path: Path, signed: bytes) -> None:
    at = signed.index(b"moov")
    (tmp_path / "clip.mp4").write_bytes(signed[:at] + b"m00v" + signed[at + 4 :])
    found = look(tmp_path / "clip.mp4")
    assert found.manifest is not None
    assert found.windows == 0
    assert len(found.notes) == 1
    assert found.false_positive == 1


def test_manifest_that_cannot_be_read_leaves_the_pictures(
    tmp_path: Path, signed: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(_: Path) -> None:
        raise RtswapError("C2PA manifests need the package c2pa-python", do="pip install c2pa-python")

    monkeypatch.setattr(run_module, "read_manifest", missing)
    found = look(clip(tmp_path / "clip.mp4", "#"))
    assert found.marked
    assert "pip install" in found.notes[0]


HOSTILE = {
    "empty.mp4": b"",
    "zeros.mp4": b"\0" * 10_000,
    "text.mp4": b"This is a text that somebody called a film.\n" * 50,
    "text.png": b"no picture",
    "boast.mp4": b"\0\0\0\x18ftypisom\0\0\0\0isommp42\0\0\0\x01mdat\xff\xff\xff\xff\xff\xff\xff\xff",
    "boast.png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\x7f\xff\xff\xff\x7f\xff\xff\xff\x08\x02\0\0\0\0\0\0\0",
    "boast.jpg": b"\xff\xd8\xff\xc0\0\x11\x08\xff\xff\xff\xff\x03\x01\x11\0\x02\x11\1\x03\x11\1" + b"\0" * 99,
    "boast.webp": b"RIFF\xff\xff\xff\xffWEBPVP8X\x0a\0\0\0\x10\0\0\0\xff\xff\xff\xff\xff\xff",
    "head.mkv": b"\x1a\x45\xdf\xa3" + b"\xff" * 300,
    "jumb.c2pa": b"\x00\x00\x00\x10jumb\xff\xff\xff\xff" * 20,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_file_is_one_line(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(HOSTILE[name])
    with pytest.raises(InputError) as caught:
        look(path)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 1


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cut=st.floats(0.02, 1), at=st.floats(0, 1, exclude_max=True), value=st.binary(min_size=1, max_size=16)
)  # fmt: skip
def test_damaged_recording_is_read_or_refused(
    tmp_path: Path, signed: bytes, cut: float, at: float, value: bytes
) -> None:
    data = bytearray(signed[: int(cut * len(signed))])
    begin = int(at * len(data))
    data[begin : begin + len(value)] = value
    path = tmp_path / "clip.mp4"
    path.write_bytes(data)
    try:
        found = look(path)
    except InputError:
        return
    assert found.spans == ()
    assert found.marked == found.has_manifest


@pytest.mark.parametrize("name", ["gone.mp4", "0", "", "x" * 3000, "a\0b", "."])
def test_missing_file_is_reported_in_one_line(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as caught:
        look(name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("window_s", [0, -1, 61, float("nan")])
def test_window_out_of_bounds_is_a_usage_error(tmp_path: Path, window_s: float) -> None:
    with pytest.raises(UsageError):
        verify(tmp_path / "clip.mp4", window_s=window_s)
