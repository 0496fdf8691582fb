"""Find, read and check ``rtswap.toml``, override it by flags, and print the effective configuration."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rtswap.app.config import OPTIONS, RETIRED, SECTIONS, Config
from rtswap.core.errors import ConfigError, reason
from rtswap.core.files import open_regular, strangers_can_write
from rtswap.core.text import nearest, printable
from rtswap.core.user_folders import user_folder

FILE_NAME = "rtswap.toml"
MAX_BYTES = 1_000_000
MOST_DOTS = 200
"""In a line, beside quoted texts: Python takes minutes for a key of half a million parts."""
MOST_LETTERS = 10_000
"""In a text."""
_QUOTED = re.compile(rb"""\"(?:[^"\\]|\\.)*+(?:\"|.?$)|'[^']*(?:'|$)""")
_TEXT = re.compile(r"""\"[^"\n]*\"?|'[^'\n]*'?""")
PRESETS = "presets"
"""The section of ``app.presets``: no setting of any run."""


@dataclass(frozen=True, slots=True)
class Effective:
    """The effective configuration, and the origin of every ``section.key``: a file, a flag or the default."""

    config: Config
    origins: Mapping[str, str]
    files: tuple[Path, ...] = ()
    """The files whose settings were taken, in increasing precedence; not one that holds presets alone."""
    retired: tuple[str, ...] = ()
    """Settings in these files that have no effect any more, and why."""


def effective(
    flags: Mapping[str, tuple[Any, str]], *, file: str | None = None, folders: Sequence[Path] | None = None
) -> Effective:
    """Return the configuration: defaults, overridden by files, overridden by flags.

    ``flags``: ``section.key`` -> (value, flag). ``file``: read only this file; otherwise each rtswap.toml in
    ``folders`` (by default the working folder, then the user's configuration folder), the first having the highest
    precedence. The last folder is the user's own: files in the others, and one there that other users can write, may
    not change ``own`` options. Raises ConfigError.
    """
    places = list(reversed(_default_folders() if folders is None else folders))
    own = Path(file) if file is not None else places[0] / FILE_NAME if places else None
    paths = [Path(file)] if file is not None else [place / FILE_NAME for place in places if _is_there(place)]
    values = {row.key: row.default for row in OPTIONS}
    origins = dict.fromkeys(values, "default")
    retired: list[str] = []
    used: list[Path] = []
    for path in paths:
        found = read(path)
        used += [path] if found or file is not None else []
        retired += [f"{path}: {key} is {RETIRED[key]}" for key in RETIRED if found.pop(key, False)]
        ours = own is None or path == own or _same_file(path, own)
        if not ours or (file is None and strangers_can_write(path)):
            unset = {key: value for key, value in found.items() if key not in flags}
            found = _without_own(unset, values, path, None if ours else own)
        for key, value in found.items():
            values[key], origins[key] = value, str(path)
    for key, (value, flag) in flags.items():
        values[key], origins[key] = value, flag
    parts: dict[str, Any] = {
        section: part(**{row.name: values[row.key] for row in OPTIONS if row.section == section})
        for section, part in SECTIONS.items()
    }
    return Effective(Config(**parts), origins, tuple(used), tuple(retired))


def read(path: Path) -> dict[str, Any]:
    """Read a file; returns ``section.key`` -> checked value. Raises ConfigError with file, key and reason."""
    found: dict[str, Any] = {}
    for section, content in parse(path).items():
        if section == PRESETS:
            continue
        if section not in SECTIONS:
            raise ConfigError(
                f"{path}: unknown section [{section}]", expected=", ".join(SECTIONS), do=_nearest_key(section)
            )
        if not isinstance(content, dict):
            raise ConfigError(f"{path}: {section}", expected=f"a section [{section}]", got=repr(content))
        rows = {row.word: row for row in OPTIONS if row.section == section}
        for name, value in content.items():
            if f"{section}.{name}" in RETIRED:
                found[f"{section}.{name}"] = value
                continue
            if name not in rows:
                raise ConfigError(
                    f"{path}: unknown key {section}.{name}", expected=", ".join(rows), do=_nearest_key(name, section)
                )
            try:
                found[f"{section}.{name}"] = rows[name].kind.from_toml(value)
            except ValueError as error:
                raise ConfigError(
                    f"{path}: wrong value for {section}.{name}", expected=rows[name].kind.expected, got=reason(error)
                ) from None
    return found


def texts_in(files: Iterable[Path]) -> list[str]:
    """All texts in these files, which may hold addresses with secrets; those in quotes, of a file that is no TOML."""
    found: list[str] = []
    for path in files:
        try:
            waiting: list[Any] = [parse(path)]
        except ConfigError:
            with suppress(OSError, ValueError), open_regular(path) as file:
                found += [text[1:-1] for text in _TEXT.findall(file.read(MAX_BYTES).decode(errors="replace"))]
            continue
        while waiting:
            value = waiting.pop()
            inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
            waiting += inside
            found += [value] if isinstance(value, str) else []
    return found


def files_read(file: str | None = None) -> list[Path]:
    """The files that ``effective`` reads by default, or ``file`` alone."""
    return (
        [Path(file)] if file is not None else [place / FILE_NAME for place in _default_folders() if _is_there(place)]
    )


def to_toml(effective: Effective) -> str:
    """Return the configuration as TOML, with each value's origin as a comment."""
    lines: list[str] = []
    for section in SECTIONS:
        lines += ["", f"[{section}]"]
        for row in OPTIONS:
            if row.section == section:
                value = getattr(getattr(effective.config, section), row.name)
                line = f"# {row.word} =" if value is None else f"{row.word} = {row.kind.to_toml(value)}"
                lines.append(f"{line:<36}  # {printable(effective.origins[row.key])}")
    return "\n".join(lines[1:]) + "\n"


def written(text: str) -> bytes:
    """The bytes of a file of settings. Raises ValueError for one that could not be read again: TOML has no names of
    files that are no UTF-8."""
    import tomllib

    tomllib.loads(text)
    return text.encode()


def parse(path: Path) -> dict[str, Any]:
    """Return what a file holds, unchecked. Raises ConfigError."""
    import tomllib

    try:
        with open_regular(path) as stream:
            data = stream.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise ConfigError(f"{path}: not a configuration file", expected="at most 1 MB", got="a larger file")
        if any(_QUOTED.sub(b"", line).count(b".") > MOST_DOTS for line in data.splitlines()):
            raise ValueError(f"a line with more than {MOST_DOTS} dots")
        found = tomllib.loads(data.decode("utf-8-sig"))  # Windows editors begin it with a byte order mark
        _check_values(found)
        return found
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}", do="Check --config.") from None
    except UnicodeDecodeError:
        do = "Save it as UTF-8, or check --config."
        raise ConfigError(
            f"{path}: not a configuration file", expected="text (TOML)", got="other data", do=do
        ) from None
    except (ValueError, RecursionError) as error:  # ValueError: not TOML, a number of 4300 digits
        raise ConfigError(f"{path}: invalid TOML: {str(error).split(';')[0]}") from None


def _check_values(value: Any) -> None:
    """Raise ValueError for an integer that TOML does not have: Python neither prints nor converts a long one; and for
    a text that is too long for a path, an address or a sentence."""
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ValueError("an integer of more than 64 bits")
    if isinstance(value, str) and len(value) > MOST_LETTERS:
        raise ValueError(f"a text of more than {MOST_LETTERS:,} letters")
    inside = (*value, *value.values()) if isinstance(value, dict) else value if isinstance(value, list) else ()
    for one in inside:
        _check_values(one)


def _without_own(found: dict[str, Any], values: Mapping[str, Any], path: Path, own: Path | None) -> dict[str, Any]:
    """Return ``found`` unchanged. Raises ConfigError if it changes an ``own`` option from its value in ``values``.
    ``own``: the user's own file; None: that is ``path``, which others can write."""
    place = "in the working folder" if own is not None else "that other users can write"
    instead = f"set it in {own}" if own is not None else "make it and its folders yours alone (mode 700)"
    for row in OPTIONS:
        if row.key in found and found[row.key] != values[row.key] and row.own(found[row.key]):
            flag = f"give {row.flags[0]}, " if row.flags else ""
            raise ConfigError(
                f"{path.absolute()} sets {row.key}, which a file {place} may not set",
                do=f"If this is intended, {flag}{instead}, or trust the file: --config {path}",
            )
    return found


def _is_there(folder: Path) -> bool:
    return (folder / FILE_NAME).is_file()


def _same_file(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def _default_folders() -> list[Path]:
    return [Path(), user_folder("config")]


def _nearest_key(name: str, section: str | None = None) -> str:
    """Return a suggestion: the nearest key in this section, else in another one; or an empty string."""
    here = [row.word for row in OPTIONS if row.section == section] if section else list(SECTIONS)
    near = nearest(name, here)
    if near:
        return f"Did you mean {f'{section}.{near}' if section else f'[{near}]'}?"
    keys = {row.word: row.key for row in OPTIONS}
    elsewhere = nearest(name, keys)
    return f"Did you mean {keys[elsewhere]}?" if elsewhere else ""
