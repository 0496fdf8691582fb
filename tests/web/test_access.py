"""Who may use the studio."""

from __future__ import annotations

import os
import socket
import struct
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from aiohttp import web
from multidict import CIMultiDict
from studio_client import Client, run_studio

from rtswap.app.config import Config
from rtswap.web.access import LOOPBACK, Access
from rtswap.web.peers import users_at
from rtswap.web.problems import Problem
from rtswap.web.server import Address

NOBODY = 65534
EVERYWHERE = ["/", "/api", "/api/config", "/api/status", "/api/preview.mjpg", "/api/snapshot.jpg", "/app.js"]
OTHERS = [
    {"Host": "evil.example"},
    {"Host": "evil.example:7860"},
    {"Host": "127.0.0.1.evil.example"},
    {"Host": "[::1"},
    {"Host": "localhost#x"},
    {"Host": "evil.example@localhost"},
    {"Host": ""},
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:1"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
]


@pytest.mark.parametrize("headers", OTHERS, ids=str)
def test_other_sites_get_nothing(studio: Client, headers: dict[str, str]) -> None:
    for path in EVERYWHERE:
        answer = studio.send("GET", path, headers=headers)
        assert answer.status in (400, 403), path
        assert len(answer.data) < 300


def test_who_opens_the_page_wrongly_reads_a_sentence(studio: Client) -> None:
    headers = {"Host": "evil.example", "Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    answer = studio.send("GET", "/", headers=headers)
    assert (answer.status, answer.headers["content-type"]) == (403, "text/plain; charset=utf-8")
    assert answer.data.startswith(b"rtswap studio: this is not a name of the studio; expected the address")
    assert studio.send("GET", "/", headers={"Host": "evil.example"}).json()["status"] == 403


def test_forged_requests_change_nothing(studio: Client) -> None:
    """A form of another page can send only these types, and no browser lets it change Origin."""
    for kind in ("text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded"):
        for method, path in (
            ("PUT", "/api/config"),
            ("POST", "/api/session"),
            ("POST", "/api/sources"),
            ("POST", "/api/clips"),
        ):
            answer = studio.send(method, path, b'{"swap.strength": 0.1}', {"Content-Type": kind})
            assert answer.status == 415, (kind, path)
    answer = studio.send("PUT", "/api/config", {"swap.strength": 0.1}, {"Origin": "http://evil.example"})
    assert answer.status == 403
    assert studio.get("/api/config")["values"]["swap.strength"] == 1.0


def test_the_own_page_may_do_everything(studio: Client) -> None:
    own = {"Origin": f"http://127.0.0.1:{studio.port}", "Sec-Fetch-Site": "same-origin"}
    assert studio.send("PUT", "/api/config", {"swap.strength": 0.5}, own).status == 200
    for host in (f"localhost:{studio.port}", f"[::1]:{studio.port}", "LOCALHOST"):
        assert studio.send("GET", "/api", headers={"Host": host}).status == 200


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems do not say whose a connection is")
def test_another_user_of_the_computer_gets_nothing(studio: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loopback is everybody's: without a token, anybody could look through the camera."""
    assert studio.send("GET", "/api/status").status == 200
    with connected_by_another_user(studio.port, monkeypatch) as other:
        other.sendall(b"GET /api/status HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert other.recv(12)[8:] == b" 403"


RESET = struct.pack("ii", 1, 0)
"""How long a socket stays open after it was closed: not at all."""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems do not say whose a connection is")
@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
def test_nor_one_who_hangs_up_before_being_asked_who_it_is(
    studio: Client, reset: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Linux gives a closed connection to root, or forgets it; the request can still be read."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        gone = connected_by_another_user(server.getsockname()[1], monkeypatch)
        connection, (_, port) = server.accept()
        hang_up(gone, reset)
        with connection:
            assert connection.recv(3) == b"PUT"
            assert users_at(port, server.getsockname()[1]) == {None}
    for _ in range(20):
        hang_up(connected_by_another_user(studio.port, monkeypatch), reset)
    monkeypatch.undo()
    assert studio.get("/api/config")["values"]["swap.strength"] == 1.0


def test_one_who_has_only_said_all_is_known() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        client.shutdown(socket.SHUT_WR)
        with server.accept()[0]:
            assert users_at(client.getsockname()[1], server.getsockname()[1]) <= {os.geteuid()}


def connected_by_another_user(port: int, monkeypatch: pytest.MonkeyPatch) -> socket.socket:
    if os.geteuid() == 0:
        os.seteuid(NOBODY)
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=5)
        finally:
            os.seteuid(0)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    return socket.create_connection(("127.0.0.1", port), timeout=5)


def hang_up(other: socket.socket, reset: bool) -> None:
    """Send a request and close the connection."""
    body = b'{"swap.strength": 0.1}'
    head = b"PUT /api/config HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    if reset:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    other.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    other.close()


def test_other_hosts_need_the_token(tmp_path: Path) -> None:
    access = Access((*LOOPBACK, "0.0.0.0"), token="s3cret", any_address=True)
    with run_studio(Config(), tmp_path, access) as client:
        for path in EVERYWHERE:
            for headers in ({}, {"Authorization": "Bearer wrong"}, {"Cookie": "rtswap_token=wrong"}):
                assert client.send("GET", path, headers=headers).status == 401, path
        assert client.send("GET", "/api", headers={"Authorization": "Bearer s3cret"}).status == 200
        assert client.send("GET", "/api?token=s3cret", headers={"Host": "192.168.0.9:7860"}).status == 200
        assert client.send("GET", "/api?token=s3cret", headers={"Host": "evil.example"}).status == 403
        link = client.send("GET", "/?token=s3cret")
        assert (link.status, link.headers["location"]) == (303, "/")
        cookie = link.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert client.send("GET", "/api", headers={"Cookie": cookie.split(";")[0]}).status == 200


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems do not say whose a connection is")
def test_what_the_browser_is_started_with_serves_this_user_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All users of a computer can read the arguments of its programs."""
    access = Access((*LOOPBACK, "0.0.0.0"), token="s3cret", any_address=True, own_token="0wn")
    address = Address("0.0.0.0", token="s3cret", own_token="0wn")
    assert address.access() == replace(access, names=address.access().names)
    assert (address.link, address.own_link) == (
        "http://localhost:7860/?token=s3cret",
        "http://localhost:7860/?token=0wn",
    )
    with run_studio(Config(), tmp_path, access) as client:
        link = client.send("GET", "/?token=0wn")
        assert (link.status, link.headers["set-cookie"].split(";")[0]) == (303, "rtswap_token=s3cret")
        for token, status in ((b"0wn", b"401"), (b"s3cret", b"200")):
            with connected_by_another_user(client.port, monkeypatch) as other:
                other.sendall(b"GET /api?token=%s HTTP/1.1\r\nHost: localhost\r\n\r\n" % token)
                assert other.recv(12)[9:] == status


def test_nor_does_it_serve_other_computers() -> None:
    there = SimpleNamespace(
        headers=CIMultiDict(Host="localhost"),
        query={"token": "0wn"},
        cookies={},
        get_extra_info=lambda name: {"sockname": ("10.0.0.1", 7860), "peername": ("10.0.0.2", 7)}[name],
    )
    with pytest.raises(Problem, match="the token is missing or wrong"):
        Access(LOOPBACK, token="s3cret", own_token="0wn").check(cast(web.Request, there))


@pytest.mark.parametrize("header", [b"Authorization: Bearer \xff", b"Cookie: rtswap_token=\xff", b"Host: \xff"])
def test_what_is_no_text_is_no_token_and_not_logged(
    header: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    host = b"" if header.startswith(b"Host") else b"Host: localhost\r\n"
    with (
        run_studio(Config(), tmp_path, Access(LOOPBACK, token="s3cret")) as client,
        socket.create_connection(("127.0.0.1", client.port), timeout=5) as server,
    ):
        server.sendall(b"GET /api HTTP/1.1\r\n" + host + header + b"\r\n\r\n")
        assert server.recv(12)[8:] in (b" 401", b" 403")
    assert caplog.text == ""


def test_every_answer_keeps_other_pages_out(studio: Client) -> None:
    for path in ("/", "/api/config", "/api/nothing"):
        headers = studio.send("GET", path).headers
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path", ["/../pyproject.toml", "/%2e%2e/__init__.py", "/..%2f..%2fcore%2ffiles.py", "/index.html/x"]
)
def test_only_the_files_of_the_page_are_served(studio: Client, path: str) -> None:
    answer = studio.send("GET", path)
    assert answer.status == 404
    assert answer.headers["content-type"].startswith("application/problem+json")


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /api/status HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 70_000 + b"\r\n\r\n",
        b"POST /api/sources HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
    ids=["version", "TLS", "long header", "chunks"],
)
def test_what_is_no_http_is_answered_and_not_logged(
    studio: Client, request_: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """Anybody who can connect could fill the terminal otherwise."""
    with socket.create_connection(("127.0.0.1", studio.port), timeout=5) as server:
        server.sendall(request_)
        assert server.recv(12)[8:] == b" 400"
    assert caplog.text == ""


def test_every_origin_must_be_the_studio_s() -> None:
    own, other = (("Origin", f"http://{name}") for name in ("localhost", "evil.example"))
    access, host = Access(LOOPBACK, "s3cret"), ("Host", "localhost")
    for origins in ([own, other], [other, own]):
        request = SimpleNamespace(headers=CIMultiDict([host, *origins]))
        with pytest.raises(Problem, match="other pages"):
            access.check(cast(web.Request, request))
    known = SimpleNamespace(
        headers=CIMultiDict([host, own]), query={"token": "s3cret"}, cookies={}, get_extra_info=lambda name: None
    )
    access.check(cast(web.Request, known))
