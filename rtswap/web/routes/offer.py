"""``/api/offer``: WebRTC."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from aiohttp import web

from rtswap.core.errors import NotInstalled
from rtswap.web.routes.route import Route, field_of, json_of, only
from rtswap.web.studio import Studio

if TYPE_CHECKING:
    from rtswap.web.connections import Connections


class Peers:
    """The connections of one studio; aiortc is imported for the first of them."""

    def __init__(self, studio: Studio, *, loopback: bool) -> None:
        self._studio, self._loopback = studio, loopback

    @cached_property
    def connections(self) -> Connections:
        """Raises NotInstalled."""
        try:
            from rtswap.web.connections import Connections
        except ImportError as error:
            do = "Run: pip install 'rtswap[studio]'"
            raise NotInstalled("WebRTC needs the package aiortc", got=str(error)[:200], do=do) from None
        return Connections(self._studio, loopback=self._loopback)

    async def close(self) -> None:
        """End all connections."""
        if "connections" in self.__dict__:
            await self.connections.close()


PEERS = web.AppKey("peers", Peers)


async def offer(request: web.Request) -> web.Response:
    """A browser wants to be camera, or to watch."""
    data = await json_of(request)
    only(data, "sdp", "type")
    return web.json_response(await request.app[PEERS].connections.answer(field_of(data, "sdp", str)))


OFFER = {
    "type": "object",
    "properties": {"sdp": {"type": "string"}, "type": {"const": "offer"}},
    "required": ["sdp"],
}
ROUTES = (
    Route(
        "POST",
        "/api/offer",
        offer,
        "WebRTC: an offer whose video is received, sent or both; the answer. Candidates go with both",
        body=OFFER,
    ),
)
