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
        assert (answer.status, answer.json()["detail"][:17]) == (422, "8 clips are there")
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


def test_the_oldest_clip_makes_room(studio: Client, caller: Path) -> None:
    """The ninth was refused, with advice for programs; the page has no button that removes one."""
    first = studio.good("POST", "/api/clips?name=first", caller.read_bytes())["id"]
    studio.good("POST", "/api/session", {"input": {"kind": "clip", "id": first}})
    for number in range(MOST_CLIPS + 1):
        studio.good("POST", f"/api/clips?name={number}", caller.read_bytes())
    names = [one["name"] for one in studio.get("/api/inputs")["clips"]]
    assert names == ["first", *map(str, range(2, MOST_CLIPS + 1))], "what plays stays"
    assert len(list(studio.studio.inputs.clip_path(first).parent.iterdir())) == MOST_CLIPS


def test_addresses_are_offered_again_without_their_passwords(studio: Client) -> None:
    """They were gone after a reload, and once a clip was added."""
    for _ in range(2):
        added = studio.good("POST", "/api/addresses", {"url": "rtsp://me:secret@127.0.0.1:1/live"})
    assert added["name"] == "rtsp://***@127.0.0.1:1/live"
    assert studio.get("/api/inputs")["addresses"] == [added]
    failed = studio.send("POST", "/api/session", {"input": {"kind": "url", "id": added["id"]}})
    assert (failed.status, "secret" in failed.json()["detail"]) == (409, False)
    assert "127.0.0.1:1" in failed.json()["detail"]
    mistyped = studio.send("POST", "/api/addresses", {"url": "me:secret@192.168.1.20/live"})
    assert mistyped.json()["detail"].endswith("got ***@192.168.1.20/live")
    for number in range(12):
        studio.good("POST", "/api/addresses", {"url": f"udp://127.0.0.1:{5000 + number}"})
    assert len(studio.get("/api/inputs")["addresses"]) == 8
