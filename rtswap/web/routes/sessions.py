"""``/api/sessions``: several pictures at once, each with its own input and faces."""

from __future__ import annotations

from aiohttp import web

from rtswap.web.routes.offer import PEERS
from rtswap.web.routes.route import STUDIOS, Route, json_of, only


async def list_sessions(request: web.Request) -> web.Response:
    """All of them."""
    return web.json_response({"sessions": request.app[STUDIOS].listed()})


async def open_session(request: web.Request) -> web.Response:
    """Another one."""
    only(await json_of(request))
    for id in request.app[STUDIOS].to_close():
        await _close(request, id)
    return web.json_response({"id": request.app[STUDIOS].open()}, status=201)


async def close_session(request: web.Request) -> web.Response:
    """End it, and delete its uploads."""
    await _close(request, request.match_info["id"])
    return web.Response(status=204)


async def _close(request: web.Request, id: str) -> None:
    studio = request.app[STUDIOS].take(id)
    await request.app[PEERS].drop(studio)
    await studio.close()


ROUTES = (
    Route("GET", "/api/sessions", list_sessions, "The sessions, each a picture with its own input and faces"),
    Route("POST", "/api/sessions", open_session, "Open another: ?session=ID uses it", body={"type": "object"}),
    Route("DELETE", "/api/sessions/{id}", close_session, "End it, and delete its uploads"),
)
