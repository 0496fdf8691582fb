"""``rtswap verify`` on whatever it is given: marked, unmarked, tampered, damaged, hostile, fetched."""

from __future__ import annotations

import functools
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from media import make_clip

from rtswap.cli import main
from rtswap.disclosure.certificate import local_identity
from rtswap.disclosure.manifest import ManifestFacts, sign_file
from rtswap.disclosure.reading import Reading
from rtswap.disclosure.watermark import Kind, Payload, Watermark
from rtswap.errors import InputError, RtswapError, UsageError
from rtswap.types import Image
from rtswap.verification import Verdict, verify
from rtswap.verification import fetch as fetch_module
from rtswap.verification import run as run_module

PAYLOAD = Payload((0, 1), Kind.SWAPPED_FACE, 10)
SIZE = (64, 48)


class BrightReader:
    """Takes bright windows for marked ones: a mark that survives every codec."""

    def __init__(self, window_s: float = 1.0) -> None:
        self._window_s, self._seen = window_s, []

    def add(self, image: Image, time_s: float) -> list[Reading]:
        assert image.ndim == 3
        assert image.dtype == np.uint8
        done = self.finish() if self._seen and time_s >= self._seen[0][0] + self._window_s - 1e-6 else []
        self._seen.append((time_s, float(image.mean())))
        return done

    def finish(self) -> list[Reading]:
        if not self._seen:
            return []
        times, levels = zip(*self._seen, strict=True)
        self._seen = []
        present = float(np.mean(levels)) > 128
        return [
            Reading(
                present, PAYLOAD if present else None, 9.0, 1e-9 if present else 0.7, len(times), times[0], times[-1]
            )
        ]


def grey(level: int, size: tuple[int, int] = SIZE) -> Image:
    return np.full((size[1], size[0], 3), level, np.uint8)


def clip(path: Path, pattern: str, **options: object) -> Path:
    """A second of bright (``#``) or dark (``.``) pictures for each sign."""
    make_clip(path, [grey(220 if sign == "#" else 30) for sign in pattern for _ in range(10)], fps=10, **options)
    return path


def look(path: Path | str, **options: object) -> Verdict:
    return verify(path, reader=BrightReader(), **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("signed")
    path = clip(folder / "clip.mp4", "..")
    sign_file(path, ManifestFacts("0.1.0"), local_identity(folder / "identity"))
    return path.read_bytes()


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


def test_nothing_is_changed(tmp_path: Path, signed: bytes) -> None:
    (tmp_path / "clip.mp4").write_bytes(signed)
    look(tmp_path / "clip.mp4")
    assert (tmp_path / "clip.mp4").read_bytes() == signed
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


def test_progress_is_told(tmp_path: Path) -> None:
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


def test_truncated_recording_tells_what_is_left(tmp_path: Path) -> None:
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
def test_what_is_no_file_is_one_line(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as caught:
        look(name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("window_s", [0, -1, 61, float("nan")])
def test_window_out_of_bounds_is_a_usage_error(tmp_path: Path, window_s: float) -> None:
    with pytest.raises(UsageError):
        verify(tmp_path / "clip.mp4", window_s=window_s)


# addresses


class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        return

    def send_head(self):  # type: ignore[no-untyped-def]
        if "lying" in self.path:
            self.send_response(200)
            self.send_header("Content-Type", "video/mp4")
            self.send_header("Content-Length", "5000000")
            self.end_headers()
            self.wfile.write(b"too little")
            return None
        if self.path.endswith(".ts"):  # as a live stream: without an end that is known beforehand
            self.send_response(200)
            self.send_header("Content-Type", "video/mp2t")
            self.end_headers()
            self.wfile.write(Path(self.directory, self.path[1:]).read_bytes())
            return None
        return super().send_head()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    handler = functools.partial(Handler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join(5)


def test_address_is_fetched_whole_with_its_manifest(tmp_path: Path, site: str, signed: bytes) -> None:
    (tmp_path / "clip.mp4").write_bytes(signed)
    found = look(f"{site}/clip.mp4")
    assert found.manifest is not None
    assert found.manifest.holds
    assert found.frames == 20
    assert found.name == f"{site}/clip.mp4"


def test_picture_behind_an_address(tmp_path: Path, site: str) -> None:
    cv2.imwrite(str(tmp_path / "screen.png"), grey(220))
    assert look(f"{site}/screen.png").marked


def test_stream_is_watched_without_its_manifest(
    tmp_path: Path, site: str, signed: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is too large to be fetched is watched."""
    monkeypatch.setattr(fetch_module, "MAX_BYTES", 100)
    (tmp_path / "clip.mp4").write_bytes(signed)
    found = look(f"{site}/clip.mp4")
    assert found.frames == 20
    assert found.manifest is None
    assert "no manifest" in found.notes[0]


def test_stream_that_breaks_off_has_ended(tmp_path: Path, site: str) -> None:
    clip(tmp_path / "live.ts", "#####")
    found = look(f"{site}/live.ts")
    assert found.marked
    assert found.frames > 10
    assert "no manifest" in found.notes[0]


def test_endless_stream_is_watched_for_a_while(tmp_path: Path, site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "WATCH_S", 0.0)
    clip(tmp_path / "live.ts", "#####")
    assert look(f"{site}/live.ts").frames == 1


@pytest.mark.parametrize(
    ("page", "reason"),
    [("gone.mp4", "HTTP 404"), ("page.html", "web page"), ("lying.mp4", "broke off"), ("text.mp4", "cannot read")],
)
def test_address_that_is_no_film_is_one_line(tmp_path: Path, site: str, page: str, reason: str) -> None:
    (tmp_path / "page.html").write_text("<html>")
    (tmp_path / "text.mp4").write_text("text")
    with pytest.raises(InputError, match=reason) as caught:
        look(f"{site}/{page}")
    assert "\n" not in str(caught.value)
    assert "rtswap-verify-" not in str(caught.value)


def test_address_where_nobody_answers_is_one_line() -> None:
    with pytest.raises(InputError, match="cannot fetch") as caught:
        look("http://user:secret@127.0.0.1:1/clip.mp4")
    assert "secret" not in str(caught.value)


# the command, with the true mark


@pytest.fixture(scope="module")
def marked_picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("marked") / "screen.png"
    rng = np.random.default_rng(5)
    image = cv2.GaussianBlur(rng.integers(0, 255, (360, 640, 3), np.uint8), (0, 0), 6)
    Watermark(PAYLOAD).embed(image)
    cv2.imwrite(str(path), image)
    return path


def test_command_finds_the_true_mark(marked_picture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(marked_picture)]) == 0
    assert "MARKED" in capsys.readouterr().out


def test_signed_recording_is_known_after_reencoding(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The manifest is lost on the way, the mark is not."""
    rng = np.random.default_rng(6)
    scene = cv2.GaussianBlur(rng.integers(0, 255, (400, 700, 3), np.uint8), (0, 0), 8)
    watermark, frames = Watermark(PAYLOAD), []
    for index in range(25):
        frames.append(np.ascontiguousarray(scene[index : index + 360, index : index + 640]))
        watermark.embed(frames[-1])
    make_clip(tmp_path / "clip.mp4", frames)
    sign_file(tmp_path / "clip.mp4", ManifestFacts("0.1.0"), local_identity(tmp_path / "identity"))
    with av.open(str(tmp_path / "clip.mp4")) as file:
        decoded = [frame.to_ndarray(format="bgr24") for frame in file.decode(video=0)]
    make_clip(tmp_path / "again.mp4", decoded, options={"b": "700000", "preset": "veryfast"})
    for name, has_manifest in (("clip.mp4", True), ("again.mp4", False)):
        assert main(["verify", str(tmp_path / name), "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert (found["manifest"] is not None) == has_manifest
        assert found["false_positive"] < 1e-6


def test_command_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip(tmp_path / "clip.mp4", ".")
    assert main(["verify", str(tmp_path / "clip.mp4"), "--json", "--window", "0.5"]) == 3
    found = json.loads(capsys.readouterr().out)
    assert (found["marked"], found["windows"], found["spans"]) == (False, 2, [])


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["gone.mp4"], 1, "no such file"),
        ([], 2, "no file given"),
        (["a.mp4", "--window", "0"], 2, "--window"),
        (["a.mp4", "b.mp4"], 2, "unknown argument"),
        (["a.mp4", "--windw", "2"], 2, "Did you mean --window"),
    ],
)
def test_command_that_cannot_be_done(
    arguments: list[str], code: int, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", *arguments]) == code
    shown = capsys.readouterr()
    assert reason in shown.err
    assert shown.err.count("\n") == 1
    assert not shown.out
