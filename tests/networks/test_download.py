"""A download is resumed where it broke off, goes on at another mirror, and is kept only with the right hash."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from rtswap.core.errors import ModelError
from rtswap.networks.download import Wanted, fetch

CONTENT = bytes(range(256)) * 16_000  # 4 MB
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Mirror(ThreadingHTTPServer):
    """Serves ``content`` with ranges, and breaks off after ``most`` bytes of each answer."""

    content, most, ranges = CONTENT, len(CONTENT), True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/model.onnx"


class Handler(BaseHTTPRequestHandler):
    server: Mirror

    def do_GET(self) -> None:
        asked = self.headers.get("Range", "")
        self.server.asked.append(asked)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and self.server.ranges else 0
        if start >= len(self.server.content):
            self.send_response(416)
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(self.server.content) - start))
        if start:
            self.send_header(
                "Content-Range", f"bytes {start}-{len(self.server.content) - 1}/{len(self.server.content)}"
            )
        self.end_headers()
        self.wfile.write(self.server.content[start : start + self.server.most])

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def mirrors() -> Iterator[list[Mirror]]:
    running = [Mirror(), Mirror()]
    threads = [threading.Thread(target=one.serve_forever, kwargs={"poll_interval": 0.01}) for one in running]
    for thread in threads:
        thread.start()
    yield running
    for one, thread in zip(running, threads, strict=True):
        one.shutdown()
        thread.join()
        one.server_close()


def wanted(*mirrors: Mirror, **changes: object) -> Wanted:
    values = {"name": "model", "urls": [one.url for one in mirrors], "sha256": [SHA256], "bytes": len(CONTENT)}
    return Wanted(**{**values, **changes})  # type: ignore[arg-type]


def test_interrupted_three_times_it_resumes_and_verifies(mirrors: list[Mirror], tmp_path: Path) -> None:
    path, mirror = tmp_path / "model.onnx", mirrors[0]
    mirror.most = 1_200_000
    for _ in range(3):
        with pytest.raises(ModelError, match="stopped after"):
            fetch(wanted(mirror), path)
        assert not path.exists()
    assert fetch(wanted(mirror), path) == SHA256
    assert path.read_bytes() == CONTENT
    assert mirror.asked == ["", "bytes=1200000-", "bytes=2400000-", "bytes=3600000-"]
    assert [one.name for one in tmp_path.iterdir()] == ["model.onnx"]


def test_the_next_mirror_continues_where_the_first_stopped(mirrors: list[Mirror], tmp_path: Path) -> None:
    mirrors[0].most = 3_000_000
    seen: list[tuple[int, int | None]] = []
    fetch(wanted(*mirrors), tmp_path / "model.onnx", lambda done, total: seen.append((done, total)))
    assert mirrors[1].asked == ["bytes=3000000-"]
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_a_server_without_ranges_starts_again(mirrors: list[Mirror], tmp_path: Path) -> None:
    mirrors[0].most = 1_000_000
    with pytest.raises(ModelError):
        fetch(wanted(mirrors[0]), tmp_path / "model.onnx")
    mirrors[0].most, mirrors[0].ranges = len(CONTENT), False
    assert fetch(wanted(mirrors[0]), tmp_path / "model.onnx") == SHA256


def test_a_changed_file_is_refused_and_not_kept(mirrors: list[Mirror], tmp_path: Path) -> None:
    mirrors[0].content = CONTENT[:-1] + b"x"
    with pytest.raises(ModelError, match=r"is not model: sha256 \w{12}\.\.\., not") as caught:
        fetch(wanted(mirrors[0]), tmp_path / "model.onnx")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []
    assert fetch(wanted(*mirrors), tmp_path / "model.onnx") == SHA256


def test_a_file_without_published_hash_and_size_is_taken_as_it_comes(mirrors: list[Mirror], tmp_path: Path) -> None:
    mirrors[0].most = 1_000_000
    unknown = wanted(mirrors[0], sha256=(), bytes=0)
    with pytest.raises(ModelError, match="stopped after"):
        fetch(unknown, tmp_path / "model.onnx")
    mirrors[0].most = len(CONTENT)
    assert fetch(unknown, tmp_path / "model.onnx") == SHA256


def test_existing_bytes_are_not_requested_again(mirrors: list[Mirror], tmp_path: Path) -> None:
    (tmp_path / "model.onnx.part").write_bytes(CONTENT)
    assert fetch(wanted(mirrors[0]), tmp_path / "model.onnx") == SHA256
    assert mirrors[0].asked == []
