"""``/api/status``: as JSON, as server-sent events or over a WebSocket."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress

from aiohttp import WSMsgType, web

from rtswap.web.routes.route import Route, number_in, studio_of
from rtswap.web.studio import Studio

EVERY_S = 0.5
MOST_MESSAGE = 4096
WAIT_S = 5.0
"""A client that takes nothing for so long is left."""


async def status(request: web.Request) -> web.StreamResponse:
    """What is asked for: a WebSocket, an event stream, or JSON once."""
    studio, since = studio_of(request), number_in(request, "since", 0, 10**9 - 1, 0)
    if request.headers.get("Upgrade", "").lower() == "websocket":
        return await _socket(request, studio, since)
    if "text/event-stream" in request.headers.get("Accept", ""):
        return await _events(request, studio, since)
    return web.json_response(studio.status(since))


async def _socket(request: web.Request, studio: Studio, since: int) -> web.WebSocketResponse:
    socket = web.WebSocketResponse(max_msg_size=MOST_MESSAGE, heartbeat=20.0)
    await socket.prepare(request)
    studio.pages += 1
    sending = asyncio.create_task(_send(socket, studio, since))
    try:
        async for message in socket:  # nothing is expected; this notices the end
            if message.type not in (WSMsgType.TEXT, WSMsgType.PING, WSMsgType.PONG):
                break
    finally:
        studio.pages -= 1
        sending.cancel()
        await asyncio.wait({sending})
    return socket


async def _send(socket: web.WebSocketResponse, studio: Studio, since: int) -> None:
    with suppress(ConnectionError, TimeoutError):
        while not socket.closed and not studio.ended:
            found = studio.status(since)
            since = max([since, *(event["number"] for event in found["events"])])
            async with asyncio.timeout(WAIT_S):
                await socket.send_str(json.dumps(found))
            await asyncio.sleep(EVERY_S)
    await socket.close()


async def _events(request: web.Request, studio: Studio, since: int) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    with suppress(ConnectionError, TimeoutError):
        while not studio.ended:
            found = studio.status(since)
            since = max([since, *(event["number"] for event in found["events"])])
            async with asyncio.timeout(WAIT_S):
                await response.write(f"data: {json.dumps(found)}\n\n".encode())
            await asyncio.sleep(EVERY_S)
    return response


ROUTES = (
    Route(
        "GET",
        "/api/status",
        status,
        "State, figures, people, outputs and events: once, as text/event-stream, or over a WebSocket",
        query={"since": "only events with a higher number"},
    ),
)
