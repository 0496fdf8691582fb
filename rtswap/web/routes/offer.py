"""``/api/offer``: WebRTC."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from rtswap.core.errors import NotInstalled, reason
from rtswap.core.isolation import pip_install
from rtswap.web.routes.route import Route, field_of, json_of, only, studio_of
from rtswap.web.studio import Studio

if TYPE_CHECKING:
    from rtswap.web.connections import Connections


class Peers:
    """The connections of each studio; aiortc is imported for the first of them."""

    def __init__(self, *, loopback: bool) -> None:
        self._loopback = loopback
        self._of: dict[Studio, Connections] = {}

    def of(self, studio: Studio) -> Connections:
        """Those of one studio. Raises NotInstalled."""
        try:
            from rtswap.web.connections import Connections
        except ImportError as error:
            do = f"Run: {pip_install('rtswap[studio]')}"
            raise NotInstalled("WebRTC needs the package aiortc", got=reason(error), do=do) from None
        if studio not in self._of:
            self._of[studio] = Connections(studio, loopback=self._loopback)
        return self._of[studio]

    async def drop(self, studio: Studio) -> None:
        """End a studio's connections."""
        if studio in self._of:
            await self._of.pop(studio).close()

    async def close(self) -> None:
        """End all connections."""
        for studio in list(self._of):
            await self.drop(studio)


PEERS = web.AppKey("peers", Peers)


async def offer(request: web.Request) -> web.Response:
    """A browser wants to be camera, or to watch."""
    data = await json_of(request)
    only(data, "sdp", "type")
    return web.json_response(await request.app[PEERS].of(studio_of(request)).answer(field_of(data, "sdp", str)))


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
