"""``rtswap.toml``: found, read, checked, overridden by flags, and written back with where each value came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rtswap.app.config import OPTIONS, SECTIONS, Config
from rtswap.core.errors import ConfigError
from rtswap.core.text import nearest

FILE_NAME = "rtswap.toml"
MAX_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Effective:
    """The configuration that counts, and for every ``section.key`` its origin: a file, a flag or the default."""

    config: Config
    origins: Mapping[str, str]
    files: tuple[Path, ...] = ()
    """Which were read, the one that counts most last."""


def effective(
    flags: Mapping[str, tuple[Any, str]], *, file: str | None = None, folders: Sequence[Path] | None = None
) -> Effective:
    """Defaults, overridden by files, overridden by flags.

    ``flags``: ``section.key`` -> (value, flag). ``file``: the only one that is read; otherwise each rtswap.toml
    in ``folders`` (by default the working folder, then the user's configuration folder), of which the first counts
    most. The last folder is the user's own: files in the others may not change what is ``own``. Raises ConfigError.
    """
    places = list(reversed(_default_folders() if folders is None else folders))
    own = Path(file) if file is not None else places[0] / FILE_NAME if places else None
    paths = [Path(file)] if file is not None else [place / FILE_NAME for place in places if _is_there(place)]
    values = {row.key: row.default for row in OPTIONS}
    origins = dict.fromkeys(values, "default")
    for path in paths:
        found = read(path)
        if own is not None and path != own and not _same_file(path, own):
            found = _without_own({key: value for key, value in found.items() if key not in flags}, values, path, own)
        for key, value in found.items():
            values[key], origins[key] = value, str(path)
    for key, (value, flag) in flags.items():
        values[key], origins[key] = value, flag
    parts: dict[str, Any] = {
        section: part(**{row.name: values[row.key] for row in OPTIONS if row.section == section})
        for section, part in SECTIONS.items()
    }
    return Effective(Config(**parts), origins, tuple(paths))


def read(path: Path) -> dict[str, Any]:
    """``section.key`` -> checked value, for what the file holds. Raises ConfigError naming file, key and reason."""
    found: dict[str, Any] = {}
    for section, content in _parse(path).items():
        if section not in SECTIONS:
            raise ConfigError(
                f"{path}: unknown section [{section}]", expected=", ".join(SECTIONS), do=_nearest_key(section)
            )
        if not isinstance(content, dict):
            raise ConfigError(f"{path}: {section}", expected=f"a section [{section}]", got=repr(content))
        rows = {row.word: row for row in OPTIONS if row.section == section}
        for name, value in content.items():
            if name not in rows:
                raise ConfigError(
                    f"{path}: unknown key {section}.{name}", expected=", ".join(rows), do=_nearest_key(name, section)
                )
            try:
                found[f"{section}.{name}"] = rows[name].kind.from_toml(value)
            except ValueError as error:
                raise ConfigError(
                    f"{path}: {section}.{name}", expected=rows[name].kind.expected, got=str(error)
                ) from None
    return found


def to_toml(effective: Effective) -> str:
    """The configuration as a TOML file; after each value, as a comment, where it came from."""
    lines: list[str] = []
    for section in SECTIONS:
        lines += ["", f"[{section}]"]
        for row in OPTIONS:
            if row.section == section:
                value = getattr(getattr(effective.config, section), row.name)
                line = f"# {row.word} =" if value is None else f"{row.word} = {row.kind.to_toml(value)}"
                lines.append(f"{line:<36}  # {_one_line(effective.origins[row.key])}")
    return "\n".join(lines[1:]) + "\n"


def _parse(path: Path) -> dict[str, Any]:
    import tomllib

    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise ConfigError(f"{path}: not a configuration file", expected="less than 1 MB", got="more")
        return tomllib.loads(data.decode())
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}", do="Check --config.") from None
    except (ValueError, RecursionError) as error:  # ValueError: no TOML, no UTF-8, a number of 4300 digits
        raise ConfigError(f"{path}: not TOML: {str(error).split(';')[0]}") from None


def _without_own(found: dict[str, Any], values: Mapping[str, Any], path: Path, own: Path) -> dict[str, Any]:
    """``found`` as it is, where nothing in it that is ``own`` differs from ``values``. Raises ConfigError."""
    for row in OPTIONS:
        if row.key in found and found[row.key] != values[row.key] and row.own(found[row.key]):
            flag = f"give {row.flags[0]}, " if row.flags else ""
            raise ConfigError(
                f"{path.absolute()} sets {row.key}, which a file in the working folder may not",
                do=f"If you mean it, {flag}write it into {own}, or trust the file: --config {path}",
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
    import platformdirs

    return [Path(), platformdirs.user_config_path("rtswap")]


def _nearest_key(name: str, section: str | None = None) -> str:
    """A suggestion: the nearest key here, else a key of that name elsewhere."""
    here = [row.word for row in OPTIONS if row.section == section] if section else list(SECTIONS)
    near = nearest(name, here)
    if near:
        return f"Did you mean {f'{section}.{near}' if section else f'[{near}]'}?"
    keys = {row.word: row.key for row in OPTIONS}
    elsewhere = nearest(name, keys)
    return f"Did you mean {keys[elsewhere]}?" if elsewhere else ""


def _one_line(comment: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in comment)
