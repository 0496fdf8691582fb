"""``rtswap config``: print the effective configuration, or write it to a file."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from rtswap.commands.command import Command, Flags, console_of, effective
from rtswap.commands.flags import Parser
from rtswap.core.urls import expanded


def _parser() -> Parser:
    parser = Parser("rtswap config", "Prints the effective configuration and the origin of each value.")
    parser.add_argument("--write", metavar="FILE", help="write it to FILE; --overwrite replaces an existing file")
    return parser.with_table()


def _run(flags: Flags) -> int:
    from rtswap.app.config_file import to_toml

    file: str | None = flags.pop("write", None)
    overwrite = bool(flags.pop("output.overwrite", False)) if file else False  # for this file, not a setting in it
    found = effective(flags)
    result = {"config": asdict(found.config), "origins": dict(found.origins)}
    console = console_of(found.config)
    if file is None:
        console.answer(result, *to_toml(found).splitlines())
    else:
        _write(expanded(file), to_toml(found), overwrite)
        console.answer(result, f"Wrote {file}.")
    return 0


def _write(path: Path, text: str, overwrite: bool) -> None:
    """Write all settings at once, after everything was read. Raises OutputError."""
    from rtswap.app.config_file import written
    from rtswap.core.errors import OutputError, reason
    from rtswap.core.files import refuse_existing, write_atomic

    refuse_existing(path, overwrite)
    try:
        write_atomic(path.resolve(), written(text), private=True)  # addresses may hold keys
    except (OSError, ValueError, RuntimeError) as error:
        raise OutputError(f"cannot write {path}", got=reason(error)) from None


COMMAND = Command("config", "print the effective configuration and its origins", _parser, _run)
