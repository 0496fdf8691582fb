"""The loop itself: ``rtswap`` without a sub-command."""

from __future__ import annotations

from collections.abc import Callable, Collection

from rtswap.commands.command import Command, Flags, console_of, effective
from rtswap.commands.flags import Parser, add_common, add_table
from rtswap.core.errors import UsageError

EXAMPLES = """\
examples:
  rtswap --source me.jpg --cam 0                              webcam to virtual camera, or to a window
  rtswap -s me.jpg -o vcam -o call.mp4                        a call, recorded as well
  rtswap -s photos/ -i clip.mp4 -o swapped.mp4 --faces all    a file, with its sound
  rtswap -s me.jpg -i rtsp://host/cam -o udp://host:5000      a stream

Settings may also stand in rtswap.toml (see `rtswap config`); flags win over it.
Ctrl-C ends a run cleanly: files are finished, exit code 0. In the window: q quit, s swap on/off,
o overlay, r record, n follow whoever is there now, 1-9 switch the source.
"""


def run_command(others: Callable[[], Collection[Command]]) -> Command:
    """``others``: the commands that its help lists."""

    def parser() -> Parser:
        listed = "".join(f"  rtswap {one.words:<22}{one.summary}\n" for one in others())
        made = Parser(
            "rtswap",
            "Puts the face of one photo on the face in a webcam, a file or a stream, live.",
            f"commands:\n{listed}\n{EXAMPLES}",
            commands=[one.words.split()[0] for one in others()],
        )
        add_table(made)
        add_common(made, version=True)
        return made

    return Command("", "", parser, _run)


def _run(flags: Flags) -> int:
    found = effective(flags).config
    if not found.source.photos and not found.source.swap:
        raise UsageError("no source given", do="Name a photo of the face to put on: rtswap --source me.jpg")
    from rtswap.app.program import run as run_session

    console = console_of(found)
    console.summary(run_session(found, console=console))
    return 0
