"""Uploads that never end, and those that break off."""

from __future__ import annotations

import gzip
import logging
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from studio_client import Client

from rtswap.web.inputs import MOST_CLIPS
from rtswap.web.routes.route import ARRIVING, MOST_ARRIVING


@contextmanager
def arriving(studio: Client, path: str, count: int) -> Iterator[None]:
    """So many uploads of which only the beginning has arrived."""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/jpeg\r\nContent-Length: 1000000\r\n"
    with ExitStack() as ended:
        for _ in range(count):
            one = ended.enter_context(socket.create_connection(("127.0.0.1", studio.port), 10))
            one.sendall(f"{head}Expect: 100-continue\r\n\r\n".encode())
            assert b"100 Continue" in one.recv(100)
            one.sendall(bytes(1000))
        yield


def test_few_photos_arrive_at_once(studio: Client) -> None:
    """They are kept in memory until they were looked at: 100 of them took 2.4 GB."""
    with arriving(studio, "/api/sources", MOST_ARRIVING):
        answer = studio.send("POST", "/api/sources", b"no photo")
        assert (answer.status, answer.json()["detail"][:20]) == (503, "4 files are arriving")
    studio.until(lambda _: not studio.app[ARRIVING])
    assert studio.send("POST", "/api/sources", b"no photo").status == 422
    assert not studio.app[ARRIVING]


def test_clips_that_arrive_count(studio: Client, caller: Path) -> None:
    """Any number of them, each of 2 GB, could arrive at a time."""
    assert studio.send("POST", "/api/clips", b"no clip").status in (409, 422)
    with arriving(studio, "/api/clips", MOST_CLIPS):
        answer = studio.send("POST", "/api/clips", caller.read_bytes())
        assert (answer.status, answer.json()["detail"][:23]) == (422, "there are 8 clips alrea")
    studio.until(lambda _: studio.send("POST", "/api/clips", caller.read_bytes()).status == 201)


def test_nothing_is_unpacked(studio: Client) -> None:
    """Who has no token could send 3 MB that are 3 GB, and kept the studio from answering for seconds."""
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    answer = studio.send("POST", "/api/session", gzip.compress(b"[1]"), headers)
    assert answer.json()["detail"] == "the body is not JSON"


@pytest.mark.parametrize("path", ["/api/sources", "/api/clips"])
def test_an_upload_that_breaks_off_prints_nothing(
    studio: Client, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Each filled the studio's terminal with a traceback."""
    with caplog.at_level(logging.WARNING), arriving(studio, path, 2):
        pass
    studio.until(lambda _: not studio.app[ARRIVING])
    assert studio.get("/api/inputs")["clips"] == []
    assert not [one for one in caplog.records if one.name.startswith("rtswap")]
