"""The settings that the API offers, from the same table as the flags: their JSON schema, values and checks.

Values have the form that they have in ``rtswap.toml``. What decides whether pictures are marked and whether a real
face may be shown is not among them: that takes a flag.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rtswap.app.config import OPTIONS, SECTIONS, Config
from rtswap.app.option_kinds import is_model_file
from rtswap.app.options import Option
from rtswap.core.errors import ConfigError, reason
from rtswap.core.text import suggestion

OFFERED = ("tracking", "swap", "mask", "models", "safety", "badge", "budget", "engine")
WITHHELD = ("safety.pass_through", "badge.hide", "swap.finishes")
ROWS: tuple[Option, ...] = tuple(row for row in OPTIONS if row.section in OFFERED and row.key not in WITHHELD)
LIVE_SECTIONS = ("swap", "mask", "models", "safety", "badge")
RESTARTING = ("models.detector",)
LIVE_OTHERS = ("tracking.faces",)


def is_live(row: Option) -> bool:
    """Whether the setting can change without restarting the loop."""
    return row.key in LIVE_OTHERS or (row.section in LIVE_SECTIONS and row.key not in RESTARTING)


def values_of(config: Config) -> dict[str, Any]:
    """Return ``section.key`` -> value."""
    return {row.key: _plain(row, _value(config, row)) for row in ROWS}


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of some settings that the API offers, as JSON. ``values``: ``section.key`` -> value."""
    return {row.key: _plain(row, values[row.key]) for row in ROWS if row.key in values}


def with_values(config: Config, values: Mapping[str, Any]) -> Config:
    """Return the configuration with other values. Raises ConfigError, with nothing changed."""
    rows = {row.key: row for row in ROWS}
    for key, value in values.items():
        if key not in rows:
            do = suggestion(key, rows, "GET /api/config lists them.")
            raise ConfigError(f"no setting called {key[:80]!r} can change here", do=do)
        row = rows[key]
        try:
            read = row.kind.from_toml(value)
        except (ValueError, TypeError, AttributeError, OverflowError) as error:
            raise ConfigError(key, expected=row.kind.expected, got=reason(error)) from None
        if is_model_file(read) and read != _value(config, row):
            do = "Add it: rtswap models add FILE"
            raise ConfigError(key, expected="the name of a swapper", got="a file", do=do)
        config = replace(config, **{row.section: replace(getattr(config, row.section), **{row.name: read})})
    return config


def with_settings_of(base: Config, other: Config) -> Config:
    """Return ``base`` with the settings that the API offers taken from ``other``."""
    for row in ROWS:
        section = replace(getattr(base, row.section), **{row.name: _value(other, row)})
        base = replace(base, **{row.section: section})
    return base


def needs_restart(before: Config, after: Config) -> bool:
    """Whether a setting differs that cannot change while frames are swapped."""
    return any(not is_live(row) and _value(before, row) != _value(after, row) for row in ROWS)


def schema() -> dict[str, Any]:
    """Return the JSON schema of the settings: an object with a property per setting."""
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {row.key: _property(row) for row in ROWS},
    }


def _property(row: Option) -> dict[str, Any]:
    kind = row.kind
    found: dict[str, Any] = {
        "title": row.word.replace("_", " "),
        "description": row.help,
        "default": _plain(row, row.default),
        "x-expected": kind.expected,
        "x-section": (SECTIONS[row.section].__doc__ or row.section).rstrip("."),
        "x-live": is_live(row),
        "x-flag": row.flags[0],
    }
    if kind.switch:
        return found | {"type": "boolean"}
    if kind.low is not None:
        whole = kind.types == (int,)
        return found | {"type": "integer" if whole else "number", "minimum": kind.low, "maximum": kind.high}
    if list in kind.types or kind.many:
        items: dict[str, Any] = {"type": "string"} | ({"enum": list(kind.choices)} if kind.choices else {})
        return found | {"type": "array", "items": items}
    return found | {"type": "string"} | ({"enum": list(kind.choices)} if kind.choices else {})


def _value(config: Config, row: Option) -> Any:
    return getattr(getattr(config, row.section), row.name)


def _plain(row: Option, value: Any) -> Any:
    """A value as JSON: what TOML holds."""
    if value is None:
        return None
    found = tomllib.loads(f"value = {row.kind.to_toml(value)}")["value"]
    return json.loads(json.dumps(found))
