"""Checks the machine."""

from __future__ import annotations

from rtswap.commands.command import Command, Flags
from rtswap.commands.flags import Parser


def _parser() -> Parser:
    return Parser(
        "rtswap doctor", "Checks this machine, and prints for each thing that is missing what mends it."
    ).with_table(["console"], config=False)


def _run(flags: Flags) -> int:
    from rtswap.commands.doctor.report import examine

    return examine(as_json=bool(flags.get("console.json")), quiet=bool(flags.get("console.quiet")))


COMMAND = Command("doctor", "check this machine, and say how to mend what is missing", _parser, _run)
