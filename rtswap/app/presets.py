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
from rtswap.core.files import write_atomic
from rtswap.core.text import toml_text

Presets = dict[str, dict[str, Any]]
"""Name -> ``section.key`` -> value."""
_HEADER = re.compile(r"\s*\[")
_OWN = re.compile(rf"\s*\[\s*{PRESETS}\b")


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


def write_presets(path: Path, presets: Mapping[str, Mapping[str, Any]]) -> None:
    """Put these presets in the place of a file's own; everything else in it stays as it is. Raises ConfigError."""
    try:
        before = path.read_text("utf-8") if path.exists() else ""
        text = without_presets(before).rstrip("\n")
        after = "\n".join([text, to_toml(presets)] if text else [to_toml(presets)])
        if _others(after) != _others(before):
            raise ConfigError(f"cannot put presets into {path}", do=f"Write [{PRESETS}] at its end by hand.")
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path.resolve(), after.encode(), private=True)
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


def without_presets(text: str) -> str:
    """Return the text of a file without the tables of presets."""
    kept, inside = [], False
    for line in text.splitlines(keepends=True):
        if _HEADER.match(line):
            inside = bool(_OWN.match(line))
        if not inside:
            kept.append(line)
    return "".join(kept)


def _others(text: str) -> dict[str, Any]:
    return {key: value for key, value in tomllib.loads(text).items() if key != PRESETS}
