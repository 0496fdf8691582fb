"""Checks the machine."""

from __future__ import annotations

from rtswap.commands.command import Command, Flags, console_of_flags
from rtswap.commands.flags import Parser, add_common, add_table


def _parser() -> Parser:
    made = Parser("rtswap doctor", "Checks this machine, and prints for each thing that is missing how to fix it.")
    add_table(made, ["console"])
    add_common(made, config=False)
    return made


def _run(flags: Flags) -> int:
    from rtswap.commands.doctor.report import examine

    return examine(console_of_flags(flags))


COMMAND = Command("doctor", "check this machine, and say how to fix what is missing", _parser, _run)
