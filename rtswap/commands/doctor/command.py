"""Checks the machine."""

from __future__ import annotations

from rtswap.commands.command import Command, Flags, console_of_flags
from rtswap.commands.flags import Parser


def _parser() -> Parser:
    return Parser(
        "rtswap doctor", "Checks this machine, and prints for each thing that is missing how to fix it."
    ).with_table(["console"], config=False)


def _run(flags: Flags) -> int:
    from rtswap.commands.doctor.report import examine

    return examine(console_of_flags(flags))


COMMAND = Command("doctor", "check this machine, and say how to fix what is missing", _parser, _run)
