"""``rtswap verify``: flags and entry point."""

from __future__ import annotations

from rtswap.app.options import number
from rtswap.commands.command import Command, Flags, console_of_flags
from rtswap.commands.flags import Parser, Reader
from rtswap.core.errors import UsageError


def _parser() -> Parser:
    made = Parser(
        "rtswap verify",
        "Checks whether rtswap made a file: looks for the invisible mark and the manifest.",
        "exit codes:\n  0 marked, 3 no mark found (which proves nothing), 1 cannot be read,\n  2 invalid flags\n\n"
        "examples:\n  rtswap verify clip.mp4\n  rtswap verify screen.png --json",
    )
    made.takes("file", "FILE|URL")
    group = made.add_argument_group("Search")
    seconds = Reader(number("N", 0.1, 60))
    group.add_argument("--window", type=seconds, metavar="N", help="seconds of video to average, 0.1 to 60 [2]")
    return made.with_table(["console"], without=["console.stats"], config=False)


def _run(flags: Flags) -> int:
    if "file" not in flags:
        raise UsageError("no file given", do="Give a video, a picture or an address: rtswap verify clip.mp4")
    from rtswap.commands.verify.report import as_json, exit_code, format_verdict
    from rtswap.commands.verify.run import verify as look

    with console_of_flags(flags) as console:
        verdict = look(
            flags["file"],
            window_s=flags.get("window", 2.0),
            on_progress=console.progress,
            on_event=console.event,
        )
        console.answer(as_json(verdict), *format_verdict(verdict))
    return exit_code(verdict)


COMMAND = Command("verify FILE", "check a video, a picture or a URL for rtswap's marks", _parser, _run)
