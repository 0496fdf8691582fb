"""``/api/config``: the settings, and ``rtswap.toml``."""

from __future__ import annotations

import asyncio
from pathlib import Path

from aiohttp import web

from rtswap.app.config import OPTIONS, Config
from rtswap.app.config_file import FILE_NAME, Effective, effective, to_toml, written
from rtswap.app.presets import Presets, read_presets, write_preset
from rtswap.app.presets import to_toml as presets_to_toml
from rtswap.core.errors import OutputError, UsageError, reason
from rtswap.core.files import refuse_existing, write_atomic
from rtswap.core.user_folders import user_folder
from rtswap.web.problems import Problem
from rtswap.web.routes.route import Route, field_of, json_of, only, studio_of
from rtswap.web.settings import ROWS, plain, schema, values_of, with_settings_of
from rtswap.web.studio import Studio

MOST_PRESETS, NAME_LETTERS = 50, 40


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


async def list_presets(request: web.Request) -> web.Response:
    """The presets in the user's own rtswap.toml."""
    return web.json_response({"presets": await studio_of(request).shelve(_presets)})


async def put_preset(request: web.Request) -> web.Response:
    """Save the current settings as a preset."""
    only(await json_of(request))
    studio, name = studio_of(request), request.match_info["id"]
    if not name.isprintable() or not 0 < len(name) <= NAME_LETTERS or name != name.strip():
        raise Problem(422, f"a preset's name has 1 to {NAME_LETTERS} letters")

    def put() -> Presets:
        presets = read_presets(_path())
        if len(presets) >= MOST_PRESETS and name not in presets:
            raise UsageError(f"there are {MOST_PRESETS} presets already", do="Delete one.")
        values = {row.key: getattr(getattr(studio.config, row.section), row.name) for row in ROWS}
        write_preset(_path(), name, values)
        return _presets()

    return web.json_response({"presets": await studio.shelve(put)})


async def delete_preset(request: web.Request) -> web.Response:
    """Delete a preset."""
    name = request.match_info["id"]

    def delete() -> None:
        if name not in read_presets(_path()):
            raise UsageError("no such preset", do="GET /api/presets lists them.")
        write_preset(_path(), name, None)

    await studio_of(request).shelve(delete)
    return web.Response(status=204)


def _path() -> Path:
    """The user's own rtswap.toml."""
    return user_folder("config") / FILE_NAME


def _presets() -> Presets:
    return {name: plain(values) for name, values in read_presets(_path()).items()}


def _write(studio: Studio, overwrite: bool) -> Path:
    """What the page does not offer stays as the file has it: this run's input may be in one folder alone. Raises
    OutputError, also if the file exists and ``overwrite`` is off, and ConfigError for a file that cannot be read."""
    path = _path()
    origins = {row.key: "the studio" for row in OPTIONS}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        refuse_existing(path, overwrite)
        own = effective({}, file=str(path)).config if path.exists() else Config()
        kept = Effective(with_settings_of(own, studio.config), origins)
        text = to_toml(kept) + presets_to_toml(read_presets(path))
        write_atomic(path.resolve(), written(text), private=True)
    except (OSError, ValueError) as error:
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
    Route("GET", "/api/presets", list_presets, "The presets in the user's own rtswap.toml"),
    Route("PUT", "/api/presets/{id}", put_preset, "Save the current settings as a preset", body={"type": "object"}),
    Route("DELETE", "/api/presets/{id}", delete_preset, "Delete a preset"),
    Route(
        "POST",
        "/api/config/file",
        write_config,
        "Write the settings to the user's own rtswap.toml",
        body={"type": "object", "properties": {"overwrite": {"type": "boolean"}}},
    ),
)
