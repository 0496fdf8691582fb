"""Cut the connection of a stream that sends a picture without end (Linux).

FFmpeg itself connects to streams, and puts a picture together until memory ends. The system counts what each
connection has received, so one that received too much can be closed beneath FFmpeg, for which the stream then ends.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

MOST_BYTES = 64 << 20
"""Until the stream has been opened, and for each packet after that."""
TOLD = f"more than {MOST_BYTES >> 20} MB without a picture"
_HANDLES = "/proc/self/fd"
_LOOK_S = 0.05
_LISTENS = 10
"""``TCP_LISTEN``"""
_RECEIVED = slice(128, 136)
"""Where ``tcp_info`` has ``tcpi_bytes_received``."""


class Flood:
    """Watches over what the connections that are opened from now on receive."""

    def __init__(self) -> None:
        self.cut = False
        """Whether they received too much, and were closed."""
        self._others = {name for name, _ in _connections()}
        self._own: set[str] | None = None
        self._reads = 0
        self._ended = threading.Event()
        if sys.platform == "linux":
            threading.Thread(target=self._watch, name="rtswap-flood", daemon=True).start()

    def opened(self) -> None:
        """Watch over no connections but those that there are now."""
        self._own = {name for name, _ in self._connections()}

    def begin_read(self) -> None:
        """Another packet may have as many bytes."""
        self._reads += 1

    def close(self) -> None:
        self._ended.set()

    def _connections(self) -> Iterator[tuple[str, socket.socket]]:
        for name, one in _connections():
            if name in self._own if self._own is not None else name not in self._others:
                yield name, one

    def _watch(self) -> None:
        reads, before = -1, dict[str, int]()
        while not self._ended.wait(_LOOK_S):
            received = {name: _received(one) for name, one in self._connections()}
            if reads != self._reads:
                before = received if self._reads else {}
                reads = self._reads
            if sum(received.values()) - sum(before.values()) <= MOST_BYTES:
                continue
            self.cut = True
            for _, one in self._connections():
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)


def _connections() -> Iterator[tuple[str, socket.socket]]:
    """Yield the TCP connections that this process has made, each by a name that no other has, for as long as it is
    looked at. Those that others have made to it are left out."""
    found = []
    with suppress(OSError):
        for fd in os.listdir(_HANDLES):
            with suppress(OSError), _borrowed(fd) as (_, one):
                if one.family in (socket.AF_INET, socket.AF_INET6) and one.type == socket.SOCK_STREAM:
                    found.append((fd, one.getsockname()[1], _info(one)[0] == _LISTENS))
    served = {port for _, port, listens in found if listens}
    for fd, port, _ in found:
        with suppress(OSError):
            if port not in served:
                with _borrowed(fd) as named:
                    yield named


@contextmanager
def _borrowed(fd: str) -> Iterator[tuple[str, socket.socket]]:
    """The name of a socket and the socket, which stays open. Raises OSError if there is none."""
    name = os.readlink(f"{_HANDLES}/{fd}")
    if not name.startswith("socket:"):
        raise OSError("no socket")
    handle = os.dup(int(fd))
    try:
        one = socket.socket(fileno=handle)
    except BaseException:
        os.close(handle)
        raise
    with one:
        yield name, one


def _info(one: socket.socket) -> bytes:
    return one.getsockopt(socket.IPPROTO_TCP, getattr(socket, "TCP_INFO", 11), _RECEIVED.stop)


def _received(one: socket.socket) -> int:
    """Bytes; 0 from a system that does not count them."""
    with suppress(OSError):
        return int.from_bytes(_info(one)[_RECEIVED], sys.byteorder)
    return 0
