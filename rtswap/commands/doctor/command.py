"""``rtswap doctor``: flags and entry point."""

from __future__ import annotations

from rtswap.commands.command import Command, Flags, console_of_flags
from rtswap.commands.flags import Parser


def _parser() -> Parser:
    return Parser("rtswap doctor", "Checks this machine and prints how to fix each missing item.").with_table(
        ["console"], without=["console.stats"], config=False
    )


def _run(flags: Flags) -> int:
    from rtswap.commands.doctor.report import examine

    return examine(console_of_flags(flags))


COMMAND = Command("doctor", "check this machine and print how to fix what is missing", _parser, _run)
