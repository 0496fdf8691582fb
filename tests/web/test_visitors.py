"""Whoever reaches the studio's port can neither take all of its handles nor keep its user out."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from studio_client import Client

from rtswap.web.visitors import MOST_CONNECTIONS


@contextmanager
def strangers(port: int, count: int) -> Iterator[list[socket.socket]]:
    """Connections on which nothing is sent, in order."""
    with ExitStack() as ended:
        yield [ended.enter_context(socket.create_connection(("127.0.0.1", port), 10)) for _ in range(count)]


def is_open(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return bool(connection.recv(1))
    except BlockingIOError:
        return True
    except ConnectionError:
        return False


def test_strangers_make_room(studio: Client) -> None:
    """1,100 connections on which nothing was sent stopped the studio, and filled the terminal with tracebacks."""
    known = http.client.HTTPConnection("127.0.0.1", studio.port, timeout=10)
    known.request("GET", "/api/status")
    assert known.getresponse().read()
    with strangers(studio.port, 3 * MOST_CONNECTIONS) as others:
        assert studio.get("/api/status")["state"] == "idle"
        known.request("GET", "/api/status")
        assert known.getresponse().status == 200, "who was let in stays"
        there = [is_open(one) for one in others]
        assert sum(there) < MOST_CONNECTIONS
        assert not any(there[:MOST_CONNECTIONS]), "the oldest make room"
    known.close()


def test_nobody_takes_the_place_of_who_was_let_in(studio: Client) -> None:
    own = [http.client.HTTPConnection("127.0.0.1", studio.port, timeout=10) for _ in range(MOST_CONNECTIONS)]
    for one in own:
        one.request("GET", "/api/status")
        assert one.getresponse().read()
    with strangers(studio.port, 5) as others:
        others[-1].settimeout(10)
        with suppress(ConnectionError):
            others[-1].sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert not others[-1].recv(1)
    for one in own:
        one.request("GET", "/api/status")
        assert one.getresponse().read()
        one.close()
    assert studio.get("/api/status")["state"] == "idle"
