"""Prints the configuration."""

from __future__ import annotations

import json
from dataclasses import asdict

from rtswap.commands.command import Command, Flags, effective
from rtswap.commands.flags import Parser


def _parser() -> Parser:
    return Parser(
        "rtswap config", "Prints the configuration that counts, and where each value comes from."
    ).with_table()


def _run(flags: Flags) -> int:
    from rtswap.app.config_file import to_toml

    found = effective(flags)
    if found.config.console.json:
        print(json.dumps({"config": asdict(found.config), "origins": dict(found.origins)}, ensure_ascii=False))
    else:
        print(to_toml(found), end="")
    return 0


COMMAND = Command("config", "print the configuration that counts, and where each value comes from", _parser, _run)
