"""``rtswap config``: print the effective configuration."""

from __future__ import annotations

from dataclasses import asdict

from rtswap.commands.command import Command, Flags, console_of, effective
from rtswap.commands.flags import Parser


def _parser() -> Parser:
    return Parser("rtswap config", "Prints the effective configuration and the origin of each value.").with_table()


def _run(flags: Flags) -> int:
    from rtswap.app.config_file import to_toml

    found = effective(flags)
    result = {"config": asdict(found.config), "origins": dict(found.origins)}
    console_of(found.config).answer(result, *to_toml(found).splitlines())
    return 0


COMMAND = Command("config", "print the effective configuration and its origins", _parser, _run)
