"""Presets: settings under a name, in the user's own ``rtswap.toml``::

[presets."soft light"]
swap.strength = 0.8
swap.color = "light"
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rtswap.app.config import OPTIONS
from rtswap.app.config_file import PRESETS, parse
from rtswap.core.errors import ConfigError, reason
from rtswap.core.files import read_regular, write_atomic
from rtswap.core.text import toml_text

Presets = dict[str, dict[str, Any]]
"""Name -> ``section.key`` -> value."""
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_NO_SETTING = re.compile(r"\s*(#.*)?$")


def read_presets(path: Path) -> Presets:
    """Return the presets in a file; none if there is no file. Keys that are unknown or have no good value are left
    out. Raises ConfigError for a file that is no TOML."""
    if not path.exists():
        return {}
    found: Presets = {}
    listed = parse(path).get(PRESETS, {})
    for name, sections in listed.items() if isinstance(listed, dict) else ():
        found[name] = {}
        for row in OPTIONS:
            section = sections.get(row.section) if isinstance(sections, dict) else None
            if isinstance(section, dict) and row.word in section:
                try:
                    found[name][row.key] = row.kind.from_toml(section[row.word])
                except (ValueError, TypeError, AttributeError, OverflowError):
                    continue
    return found


def write_preset(path: Path, name: str, values: Mapping[str, Any] | None) -> None:
    """Put a preset into a file, in the place of one of that name, or take that one out (None); everything else in it
    stays as it is. ``values``: ``section.key`` -> value. Raises ConfigError."""
    try:
        before = read_regular(path).decode("utf-8-sig") if path.exists() else ""
        kept = _others(before, name)
        text = without_preset(before, name)
        if values is not None:
            text = "\n".join([*([text.rstrip()] if text.strip() else []), to_toml({name: values})])
        if not _says(text, kept, name, values is not None):
            raise ConfigError(f"cannot change the preset {name!r} in {path}", do=f"Change [{PRESETS}] there by hand.")
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path.resolve(), text.encode(), private=True)
    except OSError as error:
        raise ConfigError(f"cannot write {path}", got=reason(error)) from None
    except ValueError as error:
        raise ConfigError(f"{path}: invalid TOML", got=reason(error)) from None


def to_toml(presets: Mapping[str, Mapping[str, Any]]) -> str:
    """Return presets as TOML, each a table of its own."""
    rows = {row.key: row for row in OPTIONS}
    lines: list[str] = []
    for name, values in presets.items():
        lines += ["", f"[{PRESETS}.{toml_text(name)}]"]
        lines += [
            f"{rows[key].section}.{rows[key].word} = {rows[key].kind.to_toml(value)}"
            for key, value in values.items()
            if value is not None
        ]
    return "\n".join(lines) + "\n"


def without_preset(text: str, name: str) -> str:
    """Return the text of a file without the tables of a preset. Comments before the table that follows stay."""
    kept: list[str] = []
    inside = False
    comments: list[str] = []
    """Lines without a setting, after the last one of the preset."""
    for line in _LINE.findall(text):
        owner = _owner(line)
        if inside and owner is None:
            comments = [*comments, line] if _NO_SETTING.match(line) else []
            continue
        inside = owner == (PRESETS, name)
        if not inside:
            kept += [*comments, line]
        comments = []
    return "".join([*kept, *comments])


def _owner(line: str) -> tuple[str, ...] | None:
    """The first two names in the header of a table; None for another line."""
    try:
        found = tomllib.loads(line) if line.lstrip().startswith("[") else {}
    except ValueError:  # a line of a list
        return None
    names: list[str] = []
    value: Any = found
    while isinstance(value, dict) and value and len(names) < 2:
        ((key, value),) = value.items()
        names.append(key)
    return tuple(names) or None


def _listed(text: str) -> dict[str, Any]:
    found = tomllib.loads(text).get(PRESETS, {})
    return found if isinstance(found, dict) else {}


def _says(text: str, kept: object, name: str, there: bool) -> bool:
    """Whether a file of this text holds what is to be kept, and the preset if it is to be there."""
    try:
        return _others(text, name) == kept and (name in _listed(text)) == there
    except ValueError:
        return False


def _others(text: str, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a file holds beside one preset: other sections, and other presets."""
    presets = {key: value for key, value in _listed(text).items() if key != name}
    return {key: value for key, value in tomllib.loads(text).items() if key != PRESETS}, presets
