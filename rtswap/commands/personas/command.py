"""Shows the people in the box."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

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
    from rtswap.commands.personas.sheet import save_people
    from rtswap.source.personas import list_personas

    everyone = list_personas()
    sheet = flags.get("sheet")
    if sheet is not None:
        save_people(Path(sheet).expanduser(), everyone, overwrite=bool(flags.get("overwrite")))
    if flags.get("console.json"):
        rows = [asdict(persona) | {"source": persona.source} for persona in everyone]
        print(json.dumps({"personas": rows, "sheet": sheet}, ensure_ascii=False))
        return 0
    width = max(len(persona.source) for persona in everyone)
    lines = [f"{persona.source:{width}}  {persona.description}" for persona in everyone]
    lines.append("\nThey do not exist: nobody has to be asked. Use one: rtswap --source persona:random")
    print("\n".join(lines + ([f"Pictures: {sheet}"] if sheet is not None else [])))
    return 0


COMMAND = Command("personas", "show the people who come with rtswap and do not exist", _parser, _run)
