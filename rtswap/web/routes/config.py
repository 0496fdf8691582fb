"""``/api/config``: the settings, and ``rtswap.toml``."""

from __future__ import annotations

import asyncio
from pathlib import Path

import platformdirs
from aiohttp import web

from rtswap.app.config import OPTIONS
from rtswap.app.config_file import FILE_NAME, Effective, to_toml
from rtswap.core.errors import OutputError, reason
from rtswap.core.files import refuse_existing, write_atomic
from rtswap.web.routes.route import Route, field_of, json_of, only, studio_of
from rtswap.web.settings import schema, values_of
from rtswap.web.studio import Studio


async def get_config(request: web.Request) -> web.Response:
    """The values and their schema."""
    found = await asyncio.to_thread(schema)
    return web.json_response({"values": values_of(studio_of(request).config), "schema": found})


async def put_config(request: web.Request) -> web.Response:
    """Change some settings."""
    studio = studio_of(request)
    restarted = await studio.configure(await json_of(request))
    return web.json_response({"values": values_of(studio.config), "restarted": restarted})


async def write_config(request: web.Request) -> web.Response:
    """Write them as the user's own rtswap.toml."""
    data = await json_of(request)
    only(data, "overwrite")
    path = await asyncio.to_thread(_write, studio_of(request), field_of(data, "overwrite", bool, False))
    return web.json_response({"file": str(path)})


def _write(studio: Studio, overwrite: bool) -> Path:
    """Raises OutputError, also if the file exists and ``overwrite`` is off."""
    path = platformdirs.user_config_path("rtswap") / FILE_NAME
    origins = {row.key: "the studio" for row in OPTIONS}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        refuse_existing(path, overwrite)
        write_atomic(path.resolve(), to_toml(Effective(studio.config, origins)).encode(), private=True)
    except OSError as error:
        raise OutputError(f"cannot write {path}", got=reason(error)) from None
    return path


ROUTES = (
    Route("GET", "/api/config", get_config, "The settings and their JSON schema, from the table of the flags"),
    Route(
        "PUT",
        "/api/config",
        put_config,
        "Change settings, live where x-live is true; otherwise the session restarts, covered",
        body=schema(),
    ),
    Route(
        "POST",
        "/api/config/file",
        write_config,
        "Write the settings to the user's own rtswap.toml",
        body={"type": "object", "properties": {"overwrite": {"type": "boolean"}}},
    ),
)
