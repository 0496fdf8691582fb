"""The type of a route, and what the handlers share: reading a request within limits."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from aiohttp import web
from aiohttp.typedefs import Handler

from rtswap.core.text import size
from rtswap.web.problems import Problem
from rtswap.web.studio import Studio
from rtswap.web.studios import MAIN, Studios

STUDIOS = web.AppKey("studios", Studios)
JSON_BYTES = 64_000
ARRIVING = web.AppKey("arriving", set[object])
"""The connections on which files arrive that are kept in memory."""
MOST_ARRIVING = 4
READ_S = 20.0
"""Time for a body of JSON to arrive."""
_JSON = {
    dict: "an object",
    list: "a list",
    str: "a string",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    type(None): "nothing",
}
"""What JSON calls Python's types."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Route:
    """A route of the API."""

    method: str
    path: str
    handler: Handler
    summary: str
    body: Mapping[str, Any] | None = None
    """JSON schema of the body; None: no JSON body."""
    upload: bool = False
    """The body is a file."""
    answer: str = "application/json"
    """Media type of the answer."""
    query: Mapping[str, str] = field(default_factory=dict)
    """Query parameters, described."""


def studio_of(request: web.Request) -> Studio:
    """The studio that a request is for: ``?session=ID``, else the first. Raises UsageError for an unknown one."""
    return request.app[STUDIOS].get(request.query.get("session", MAIN))


async def json_of(request: web.Request) -> dict[str, Any]:
    """Return the JSON object in the body. Raises Problem, also for a content type that an HTML form can send."""
    if request.content_type != "application/json":
        raise Problem(415, "expected application/json")
    try:
        async with asyncio.timeout(READ_S):
            data = await _read(request, JSON_BYTES)
        found = json.loads(data)
    except TimeoutError:
        raise Problem(408, f"the body did not arrive within {READ_S:g} s") from None
    except (ValueError, RecursionError):
        raise Problem(400, "the body is not JSON") from None
    if not isinstance(found, dict):
        raise Problem(400, f"expected a JSON object, got {_JSON[type(found)]}")
    return found


@asynccontextmanager
async def file_of(request: web.Request, most: int) -> AsyncGenerator[bytes, None]:
    """Give the uploaded file in the body, while there are few others. Raises Problem."""
    check_upload(request)
    arriving = request.app[ARRIVING]
    if len(arriving) >= MOST_ARRIVING:
        raise Problem(503, f"{MOST_ARRIVING} files are arriving already; send this one later")
    arriving.add(request.protocol)
    try:
        try:
            async with asyncio.timeout(10 * READ_S):
                data = await _read(request, most)
        except TimeoutError:
            raise Problem(408, "the file did not arrive in time") from None
        if not data:
            raise Problem(400, "the file is empty")
        yield data
    finally:
        arriving.discard(request.protocol)


def check_upload(request: web.Request) -> None:
    """Raises Problem for a body of a type that an HTML form can send."""
    if request.content_type in ("text/plain", "multipart/form-data", "application/x-www-form-urlencoded"):
        raise Problem(415, "expected application/octet-stream or the file's own type, with the file as the body")


def only(data: Mapping[str, Any], *names: str) -> None:
    """Raises Problem for a field that is not among these."""
    if unknown := sorted(set(data) - set(names)):
        raise Problem(422, f"unknown field {unknown[0][:80]!r}; expected {', '.join(names)}")


def field_of(data: Mapping[str, Any], name: str, kind: type[T], default: T | None = None) -> T:
    """Return a field of this type. Raises Problem if it is of another, or missing without a default."""
    value = data.get(name, default)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise Problem(422, f"{name}: expected {_JSON[kind]}, got {_JSON[type(value)]}")
    return value


def number_in(request: web.Request, name: str, low: int, high: int, default: int) -> int:
    """Return a whole number of the query. Raises Problem."""
    text = request.query.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and low <= int(text) <= high):
        raise Problem(422, f"{name}: expected a whole number from {low} to {high}, got {text[:40]!r}")
    return int(text)


async def _read(request: web.Request, most: int) -> bytes:
    if (request.content_length or 0) > most:
        raise Problem(413, f"expected at most {size(most)}")
    data = bytearray()
    async for part in request.content.iter_chunked(65_536):
        data += part
        if len(data) > most:
            raise Problem(413, f"expected at most {size(most)}")
    return bytes(data)
