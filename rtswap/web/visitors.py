"""How many connections the studio has at a time: those of strangers make room, so that whoever reaches its port can
neither take all handles of the program nor keep its user out."""

from __future__ import annotations

import asyncio
import ssl

from aiohttp import web

MOST_CONNECTIONS = 128
"""Four studios with twelve viewers each, their pages, and more; macOS allows a program 256 handles."""
HANDSHAKE_S = 10.0
"""Time for TLS to begin."""
KNOWN = web.AppKey("known", set[object])
"""The connections on which somebody with access sent a request."""


class Visitors:
    """Makes the connections of a server; a factory of asyncio's."""

    def __init__(self, server: web.Server, known: set[object], *, tls: bool) -> None:
        """``known``: as ``KNOWN``."""
        self._server, self._known, self._tls = server, known, tls
        self._beginning: set[object] = set()
        self._loop = asyncio.get_running_loop()

    def __call__(self) -> asyncio.Protocol:
        """Return the protocol of a new connection. If there are too many, the oldest of a stranger ends; raises
        ConnectionRefusedError where none can, upon which asyncio closes the new one."""
        there = [one for one in self._server.connections if one.transport is not None]
        self._beginning.difference_update(there)
        self._known.intersection_update(there)
        if len(there) + len(self._beginning) >= MOST_CONNECTIONS:
            stranger = next((one for one in there if one not in self._known), None)
            if stranger is None:
                raise ConnectionRefusedError
            stranger.force_close()
        made = self._server()
        self._beginning.add(made)
        if self._tls:
            self._loop.call_later(HANDSHAKE_S, self._beginning.discard, made)
        else:
            self._loop.call_soon(self._loop.call_soon, self._beginning.discard, made)
        return made


async def listen(runner: web.AppRunner, host: str, port: int, tls: ssl.SSLContext | None = None) -> asyncio.Server:
    """Serve a studio's application at an address from now on. Raises OSError."""
    server = runner.server
    assert server is not None
    visitors = Visitors(server, runner.app[KNOWN], tls=tls is not None)
    limit = None if tls is None else HANDSHAKE_S
    loop = asyncio.get_running_loop()
    return await loop.create_server(visitors, host, port, ssl=tls, ssl_handshake_timeout=limit)
