"""``rtswap inspect``: flags and entry point."""

from __future__ import annotations

from rtswap.app.config import Config
from rtswap.commands.command import Command, Flags, console_of, effective
from rtswap.commands.flags import Parser
from rtswap.core.errors import UsageError


def _parser() -> Parser:
    made = Parser(
        "rtswap inspect",
        "Shows what the tracker and the masks see in a clip: a contact sheet, an annotated clip, plots, figures. "
        "Without a clip: one picture of the parts of the source's photo that are used and those that are filled in.",
        "examples:\n  rtswap inspect clip.mp4\n  rtswap inspect clip.mp4 -s me.jpg -o report --faces all\n"
        "  rtswap inspect --source me.jpg",
    )
    made.takes("clip", "CLIP")
    group = made.add_argument_group("Output")
    group.add_argument(
        "-o",
        "--output",
        "--out",
        dest="folder",
        metavar="PATH",
        help="output folder [CLIP_inspect]; without a clip, the picture [PHOTO_inspect.png]",
    )
    group.add_argument("-y", "--overwrite", action="store_true", help="replace files that exist")
    sections = ["source", "tracking", "swap", "mask", "safety", "badge", "engine", "console"]
    return made.with_table(sections, without=["source.swap"])


def _run(flags: Flags) -> int:
    found = effective(flags).config
    if "clip" not in flags:
        return _run_photo(flags, found)
    from rtswap.commands.inspect.report import format_summary
    from rtswap.commands.inspect.run import inspect as look

    with console_of(found) as console:
        result = look(
            flags["clip"], found, console=console, folder=flags.get("folder"), overwrite=bool(flags.get("overwrite"))
        )
        console.answer(result, *format_summary(result))
    return 0 if result["frames_with_a_face"] else 1


def _run_photo(flags: Flags, config: Config) -> int:
    if not config.source.photos:
        do = "Give a file: rtswap inspect clip.mp4, or a photo: rtswap inspect --source me.jpg"
        raise UsageError("no clip given", do=do)
    from rtswap.commands.inspect.photo import inspect_photo

    with console_of(config) as console:
        result = inspect_photo(
            config, console=console, path=flags.get("folder"), overwrite=bool(flags.get("overwrite"))
        )
        console.answer(result, f"{result['line']} Wrote {result['picture']}.")
    return 0


COMMAND = Command("inspect CLIP", "show what the tracker and the masks detect in a clip", _parser, _run)
