"""``/api/sources`` and ``/api/people``: the shelf, and who gets which face."""

from __future__ import annotations

from functools import partial
from typing import Any

from aiohttp import web

from rtswap.source.consent import STATEMENT
from rtswap.web.problems import Problem
from rtswap.web.routes.route import Route, field_of, file_of, json_of, only, studio_of
from rtswap.web.shelf import PHOTO_BYTES

MOST_ID = 10**12


async def list_sources(request: web.Request) -> web.Response:
    """The shelf."""
    studio = studio_of(request)
    rows = [source.plain() | {"main": source.id == studio.cast.main} for source in studio.shelf.sources]
    return web.json_response({"sources": rows, "statement": STATEMENT})


async def add_source(request: web.Request) -> web.Response:
    """A new person, by a photo."""
    studio = studio_of(request)
    async with file_of(request, PHOTO_BYTES) as data:
        source = await studio.shelve(partial(studio.shelf.add, request.query.get("name", ""), data))
    return web.json_response(source.plain(), status=201)


async def add_photo(request: web.Request) -> web.Response:
    """Another photo of a person."""
    studio = studio_of(request)
    async with file_of(request, PHOTO_BYTES) as data:
        source = await studio.shelve(partial(studio.shelf.add_photo, request.match_info["id"], data))
    return web.json_response(source.plain(), status=201)


async def confirm_source(request: web.Request) -> web.Response:
    """The answer to the question of consent."""
    data = await json_of(request)
    only(data, "confirmed")
    if data.get("confirmed") is not True:
        raise Problem(422, f"confirmed: expected true, which says: {STATEMENT}".replace("\n", " "))
    studio = studio_of(request)
    source = await studio.shelve(partial(studio.shelf.confirm, request.match_info["id"]))
    return web.json_response(source.plain())


async def remove_source(request: web.Request) -> web.Response:
    """Delete an uploaded person."""
    await studio_of(request).remove_source(request.match_info["id"])
    return web.Response(status=204)


async def thumbnail(request: web.Request) -> web.Response:
    """A persona's picture."""
    studio = studio_of(request)
    data = await studio.shelve(partial(studio.shelf.thumbnail, request.match_info["id"]))
    headers = {"Cache-Control": "private, max-age=86400"}
    return web.Response(body=data, content_type="image/jpeg", headers=headers)


async def list_people(request: web.Request) -> web.Response:
    """List the people in the picture."""
    status = studio_of(request).status(since=10**9)
    return web.json_response({"main": status["main"], "people": status["people"]})


async def put_people(request: web.Request) -> web.Response:
    """Assign sources to people."""
    data, studio = await json_of(request), studio_of(request)
    only(data, "main", "people")
    main = field_of(data, "main", str) if "main" in data else None
    chosen: dict[int, str | None] = {}
    leave: list[int] = []
    for row in field_of(data, "people", list, []):
        if not isinstance(row, dict):
            raise Problem(422, "people: expected objects with id and source")
        only(row, "id", "source")
        person, source = field_of(row, "id", int), row.get("source")
        if not 0 < person < MOST_ID or not (source is None or isinstance(source, str)):
            raise Problem(422, "people: expected a number as id, and as source an id, main or null")
        if source == "main":
            leave.append(person)
        else:
            chosen[person] = source
    await studio.give(main, chosen, leave=leave)
    return await list_people(request)


PEOPLE: dict[str, Any] = {
    "type": "object",
    "properties": {
        "main": {"type": "string", "description": "id of the source for everybody who was not chosen"},
        "people": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "id": {"type": "integer"},
                    "source": {
                        "type": ["string", "null"],
                        "description": "id of a source; main: as everybody else; null: cover this person",
                    },
                },
                "required": ["id", "source"],
            },
        },
    },
}
CONFIRMED = {"type": "object", "properties": {"confirmed": {"const": True}}, "required": ["confirmed"]}
NAME = {"name": "what to call the person"}
ROUTES = (
    Route("GET", "/api/sources", list_sources, "The shelf: personas and uploaded people"),
    Route("POST", "/api/sources", add_source, "Upload a photo of a person, at most 25 MB", upload=True, query=NAME),
    Route("POST", "/api/sources/{id}/photos", add_photo, "Upload another photo of the same person", upload=True),
    Route("POST", "/api/sources/{id}/consent", confirm_source, "Confirm that the person has agreed", body=CONFIRMED),
    Route("DELETE", "/api/sources/{id}", remove_source, "Delete an uploaded person"),
    Route("GET", "/api/sources/{id}/thumbnail.jpg", thumbnail, "A persona's picture", answer="image/jpeg"),
    Route("GET", "/api/people", list_people, "Who is in the picture, and who gets which face"),
    Route("PUT", "/api/people", put_people, "Choose who gets which face", body=PEOPLE),
)
