"""``/api/session``, ``/api/inputs``, ``/api/clips``, ``/api/addresses`` and ``/api/outputs``: begin, end, record."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web

from rtswap.core.text import size
from rtswap.web.inputs import CLIP_BYTES, STREAMS
from rtswap.web.problems import Problem
from rtswap.web.routes.route import Route, check_upload, field_of, json_of, only, studio_of

CHUNK = 1 << 20
CLIP_S = 1800.0
"""Time for a clip to arrive."""


async def list_inputs(request: web.Request) -> web.Response:
    """List the inputs."""
    return web.json_response(await asyncio.to_thread(studio_of(request).inputs.listed))


async def get_session(request: web.Request) -> web.Response:
    """Whether a session runs."""
    status = studio_of(request).status(since=10**9)
    return web.json_response({name: status[name] for name in ("state", "input", "kind", "asked", "size", "engine")})


async def start(request: web.Request) -> web.Response:
    """Begin a session."""
    data = await json_of(request)
    only(data, "input")
    await studio_of(request).start(field_of(data, "input", dict))
    return await get_session(request)


async def stop(request: web.Request) -> web.Response:
    """End it."""
    await studio_of(request).stop()
    return web.Response(status=204)


async def add_clip(request: web.Request) -> web.Response:
    """Upload a clip, which is played like a camera."""
    check_upload(request)
    inputs = studio_of(request).inputs
    id, path = inputs.new_clip()
    try:
        async with asyncio.timeout(CLIP_S):
            with path.open("xb") as file:
                async for part in request.content.iter_chunked(CHUNK):
                    if file.tell() + len(part) > CLIP_BYTES:
                        raise Problem(413, f"expected at most {size(CLIP_BYTES)}")
                    await asyncio.to_thread(file.write, part)
        name = "".join(c if c.isprintable() else "?" for c in request.query.get("name", ""))[:80] or "clip"
        await asyncio.to_thread(inputs.keep_clip, id, name)
    except BaseException as error:
        inputs.drop_clip(id)
        if isinstance(error, TimeoutError):
            raise Problem(408, "the clip did not arrive in time") from None
        if isinstance(error, OSError) and not isinstance(error, ConnectionError):
            raise Problem(507, "there is no room for the clip") from None
        raise
    return web.json_response({"id": id, "name": name}, status=201)


async def remove_clip(request: web.Request) -> web.Response:
    """Delete an uploaded clip."""
    studio_of(request).inputs.remove_clip(request.match_info["id"])
    return web.Response(status=204)


async def add_address(request: web.Request) -> web.Response:
    """Add the address of a stream to the list."""
    data = await json_of(request)
    only(data, "url")
    inputs = studio_of(request).inputs
    id = inputs.add_address(field_of(data, "url", str))
    name = next(one["name"] for one in inputs.added()["addresses"] if one["id"] == id)
    return web.json_response({"id": id, "name": name}, status=201)


async def list_outputs(request: web.Request) -> web.Response:
    """List the outputs and the recordings."""
    return web.json_response({"outputs": studio_of(request).outputs.listed()})


async def add_output(request: web.Request) -> web.Response:
    """Record, or send pictures elsewhere."""
    data = await json_of(request)
    only(data, "kind", "url")
    added = await studio_of(request).add_output(field_of(data, "kind", str), field_of(data, "url", str, ""))
    return web.json_response(added, status=201)


async def remove_output(request: web.Request) -> web.Response:
    """Finish an output."""
    await studio_of(request).remove_output(request.match_info["id"])
    return web.Response(status=204)


async def recording(request: web.Request) -> web.FileResponse:
    """A finished recording."""
    path = studio_of(request).outputs.recording(request.match_info["id"])
    return web.FileResponse(path, headers={"Content-Disposition": f'attachment; filename="{path.name}"'})


INPUT: dict[str, Any] = {
    "type": "object",
    "properties": {
        "input": {
            "type": "object",
            "properties": {
                "kind": {"enum": ["browser", "camera", "url", "clip", "given"]},
                "index": {"type": "integer", "description": "of a camera"},
                "url": {"type": "string", "description": f"of a stream: {', '.join(STREAMS)}"},
                "id": {"type": "string", "description": "of an uploaded clip, or of an address in place of url"},
            },
            "required": ["kind"],
        }
    },
    "required": ["input"],
}
ADDRESS = {"type": "object", "properties": {"url": {"type": "string"}}, "required": ["url"]}
OUTPUT = {
    "type": "object",
    "properties": {"kind": {"enum": ["record", "vcam", "stream"]}, "url": {"type": "string"}},
    "required": ["kind"],
}
ROUTES = (
    Route("GET", "/api/inputs", list_inputs, "This machine's cameras, the uploaded clips, and addresses"),
    Route("GET", "/api/session", get_session, "Whether a session runs"),
    Route("POST", "/api/session", start, "Begin a session, ending the one that runs", body=INPUT),
    Route("DELETE", "/api/session", stop, "End the session; recordings are finished"),
    Route(
        "POST",
        "/api/clips",
        add_clip,
        "Upload a clip, at most 2 GB; the oldest of 8 goes",
        upload=True,
        query={"name": "for the list"},
    ),
    Route("DELETE", "/api/clips/{id}", remove_clip, "Delete an uploaded clip"),
    Route("POST", "/api/addresses", add_address, "Add the address of a stream to the list", body=ADDRESS),
    Route("GET", "/api/outputs", list_outputs, "The outputs and finished recordings"),
    Route("POST", "/api/outputs", add_output, "Record, turn on the virtual camera, or stream to a URL", body=OUTPUT),
    Route("DELETE", "/api/outputs/{id}", remove_output, "Finish and close an output"),
    Route("GET", "/api/outputs/{id}/file", recording, "Download a finished recording", answer="video/mp4"),
)
