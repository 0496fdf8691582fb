"""``rtswap personas``: flags and entry point."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from rtswap.commands.command import Command, Flags, console_of_flags
from rtswap.commands.flags import Parser
from rtswap.core.urls import expanded

if TYPE_CHECKING:
    from rtswap.app.console import Shown


def _parser() -> Parser:
    made = Parser(
        "rtswap personas",
        "Lists the built-in personas: faces of people who do not exist, so that no consent is needed.",
        "examples:\n  rtswap personas --sheet people.png\n  rtswap --source persona:vera --cam 0\n"
        "  rtswap --source persona:random --cam 0",
    )
    group = made.add_argument_group("Contact sheet")
    group.add_argument("--sheet", metavar="FILE", help="also draw all personas into this image")
    group.add_argument("-y", "--overwrite", action="store_true", help="replace the file if it exists")
    return made.with_table(["console"], without=["console.stats"], config=False)


def _run(flags: Flags) -> int:
    from rtswap.commands.personas.sheet import save_people
    from rtswap.commands.reports.table import table
    from rtswap.source.personas import list_personas

    everyone = list_personas()
    sheet = flags.get("sheet")
    if sheet is not None:
        save_people(expanded(sheet), everyone, overwrite=bool(flags.get("overwrite")))
    rows = [asdict(persona) | {"source": persona.source} for persona in everyone]
    shown: list[Shown] = [
        table(("!source", "description"), [(persona.source, persona.description) for persona in everyone]),
        "None of these people exists, so no consent is needed. Use one: rtswap --source persona:random",
        *([f"Wrote {sheet}."] if sheet is not None else []),
    ]
    console_of_flags(flags).answer({"personas": rows, "sheet": sheet}, *shown)
    return 0


COMMAND = Command("personas", "list the built-in personas, who do not exist", _parser, _run)
