"""Shows the people in the box."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from rtswap.commands.command import Command, Flags, console_of_flags
from rtswap.commands.flags import Parser

if TYPE_CHECKING:
    from rtswap.app.console import Shown


def _parser() -> Parser:
    made = Parser(
        "rtswap personas",
        "Shows the people who come with rtswap and do not exist: sources for which nobody has to be asked.",
        "examples:\n  rtswap personas --sheet people.png\n  rtswap --source persona:vera --cam 0\n"
        "  rtswap --source persona:random --cam 0",
    )
    group = made.add_argument_group("What is shown")
    group.add_argument("--sheet", metavar="FILE", help="also draw everybody into this picture")
    group.add_argument("-y", "--overwrite", action="store_true", help="replace the file if it exists")
    return made.with_table(["console"], config=False)


def _run(flags: Flags) -> int:
    from rtswap.commands.personas.sheet import save_people
    from rtswap.commands.reports.table import table
    from rtswap.source.personas import list_personas

    everyone = list_personas()
    sheet = flags.get("sheet")
    if sheet is not None:
        save_people(Path(sheet).expanduser(), everyone, overwrite=bool(flags.get("overwrite")))
    rows = [asdict(persona) | {"source": persona.source} for persona in everyone]
    shown: list[Shown] = [
        table(("!source", "who"), [(persona.source, persona.description) for persona in everyone]),
        "None of them exists, so nobody has to be asked. Use one: rtswap --source persona:random",
        *([f"Wrote {sheet}."] if sheet is not None else []),
    ]
    console_of_flags(flags).answer({"personas": rows, "sheet": sheet}, *shown)
    return 0


COMMAND = Command("personas", "show the people who come with rtswap and do not exist", _parser, _run)
