"""Shows the people in the box."""

from __future__ import annotations

from rtswap.commands.command import Command, Flags
from rtswap.commands.flags import Parser


def _parser() -> Parser:
    made = Parser(
        "rtswap personas",
        "Shows the people who come with rtswap and do not exist: for those who want to be nobody in particular.",
        "examples:\n  rtswap personas --sheet people.png\n  rtswap --source persona:vera --cam 0\n"
        "  rtswap --source persona:random --cam 0",
    )
    group = made.add_argument_group("What is shown")
    group.add_argument("--sheet", metavar="FILE", help="also draw everybody into this picture")
    group.add_argument("-y", "--overwrite", action="store_true", help="replace the file if it exists")
    return made.with_table(["console"], config=False)


def _run(flags: Flags) -> int:
    from rtswap.commands.personas.sheet import personas

    print(
        personas(
            sheet=flags.get("sheet"),
            overwrite=bool(flags.get("overwrite")),
            as_json=bool(flags.get("console.json")),
        )
    )
    return 0


COMMAND = Command("personas", "show the people who come with rtswap and do not exist", _parser, _run)
