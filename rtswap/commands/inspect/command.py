"""Looks at a clip."""

from __future__ import annotations

from rtswap.commands.command import Command, Flags, console_of, effective
from rtswap.commands.flags import Parser
from rtswap.core.errors import UsageError


def _parser() -> Parser:
    made = Parser(
        "rtswap inspect",
        "Shows what the tracker and the masks see in a clip: a contact sheet, an annotated clip, plots, figures.",
        "examples:\n  rtswap inspect clip.mp4\n  rtswap inspect clip.mp4 -s me.jpg -o looked_at --faces all",
    )
    made.takes("clip", "CLIP")
    group = made.add_argument_group("What is looked at")
    group.add_argument("-o", "--output", dest="folder", metavar="FOLDER", help="where to write [CLIP_inspect]")
    group.add_argument("-y", "--overwrite", action="store_true", help="replace files that exist")
    sections = ["source", "tracking", "swap", "mask", "safety", "badge", "engine", "console"]
    return made.with_table(sections, without=["source.swap"])


def _run(flags: Flags) -> int:
    if "clip" not in flags:
        raise UsageError("no clip given", do="Name a file: rtswap inspect clip.mp4")
    found = effective(flags).config
    from rtswap.commands.inspect.report import shown
    from rtswap.commands.inspect.run import inspect as look

    with console_of(found) as console:
        result = look(
            flags["clip"], found, console=console, folder=flags.get("folder"), overwrite=bool(flags.get("overwrite"))
        )
        console.answer(result, *shown(result))
    return 0 if result["frames_with_a_face"] else 1


COMMAND = Command("inspect CLIP", "look at what the tracker and the masks see in a file", _parser, _run)
