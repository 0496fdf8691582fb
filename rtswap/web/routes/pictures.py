"""``/api/snapshot.jpg`` and ``/api/preview.mjpg``: marked pictures, and nothing else."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress

from aiohttp import web

from rtswap.web.problems import Problem
from rtswap.web.routes.route import Route, number_in, studio_of
from rtswap.web.viewer import View

MOST_WATCHERS = 12
WAIT_S = 10.0
"""Time for the next picture to come."""
BOUNDARY = "rtswap-frame"
LEAST_WIDTH, MOST_WIDTH, MOST_FPS = 64, 7680, 60


async def snapshot(request: web.Request) -> web.Response:
    """The newest picture."""
    viewer, width = studio_of(request).viewer, number_in(request, "width", LEAST_WIDTH, MOST_WIDTH, 0)
    if viewer.seen is not None:
        with suppress(TimeoutError):
            async with asyncio.timeout(WAIT_S), aclosing(viewer.watch(View(width))) as watching:
                async for marked in watching:
                    return web.Response(body=await viewer.jpeg(marked, width), content_type="image/jpeg")
    raise Problem(409, "there is no picture; start a session first: POST /api/session")


async def preview(request: web.Request) -> web.StreamResponse:
    """Pictures as they come, until the session ends."""
    viewer = studio_of(request).viewer
    fps, width = number_in(request, "fps", 1, MOST_FPS, 30), number_in(request, "width", LEAST_WIDTH, MOST_WIDTH, 0)
    if viewer.watchers >= MOST_WATCHERS:
        raise Problem(503, f"there are {MOST_WATCHERS} viewers already")
    if viewer.seen is None:
        raise Problem(409, "there is no picture; start a session first: POST /api/session")
    response = web.StreamResponse(headers={"Content-Type": f"multipart/x-mixed-replace; boundary={BOUNDARY}"})
    await response.prepare(request)
    with suppress(ConnectionError):
        async for marked in viewer.watch(View(width), fps):
            data = await viewer.jpeg(marked, width)
            head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
            await response.write(head.encode() + data + b"\r\n")
    return response


WIDTH = {
    "width": f"{LEAST_WIDTH} to {MOST_WIDTH}: scale the picture down to so many pixels, or to as few as keep its mark"
}
ROUTES = (
    Route("GET", "/api/snapshot.jpg", snapshot, "The newest picture", answer="image/jpeg", query=WIDTH),
    Route(
        "GET",
        "/api/preview.mjpg",
        preview,
        "Pictures as they come, for OBS, Home Assistant and img elements",
        answer="multipart/x-mixed-replace",
        query=WIDTH | {"fps": f"1 to {MOST_FPS}: at most so many pictures a second"},
    ),
)
