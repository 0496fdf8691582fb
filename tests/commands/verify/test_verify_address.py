"""``rtswap verify`` on URLs: videos, pictures, endless streams, lying servers."""

from __future__ import annotations

import functools
import http.server
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest
from bright_marks import clip, grey, look
from web_servers import QuietHandler, run_server

from rtswap.commands.verify import fetch as fetch_module
from rtswap.commands.verify import run as run_module
from rtswap.core.errors import InputError


class Handler(QuietHandler, http.server.SimpleHTTPRequestHandler):
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
    with run_server(http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)) as address:
        yield address


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
    [
        ("gone.mp4", "HTTP 404"),
        ("page.html", "web page"),
        ("lying.mp4", "stopped after"),
        ("text.mp4", "cannot read"),
    ],
)
def test_an_address_that_is_not_a_video_is_one_line(tmp_path: Path, site: str, page: str, reason: str) -> None:
    (tmp_path / "page.html").write_text("<html>")
    (tmp_path / "text.mp4").write_text("text")
    with pytest.raises(InputError, match=reason) as caught:
        look(f"{site}/{page}")
    assert "\n" not in str(caught.value)
    assert "rtswap-verify-" not in str(caught.value)


def test_unreachable_address_is_reported_in_one_line() -> None:
    with pytest.raises(InputError, match="cannot download") as caught:
        look("http://user:secret@127.0.0.1:1/clip.mp4")
    assert "secret" not in str(caught.value)
