"""``rtswap`` without a sub-command: run the swap loop."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection

from rtswap.app.config import OPTIONS, Config
from rtswap.commands.command import Command, Flags, console_of, effective
from rtswap.commands.flags import Parser
from rtswap.commands.other_programs import ADVICE
from rtswap.core.errors import InputError, OutputError, UsageError
from rtswap.core.plugins import plugin_names
from rtswap.core.text import nearest
from rtswap.swappers import swapper_spec

EXAMPLES = """\
examples:
  rtswap clip.mp4 out.mp4 -s me.jpg                  a file, with its sound
  rtswap -s me.jpg --cam 0                           webcam to virtual camera
  rtswap -s me.jpg -o vcam -o call.mp4               a call, recorded as well
  rtswap -s me.jpg clips/ swapped/                   every video of a folder, or of a pattern "*.mp4"
  rtswap -s me.jpg group.jpg out.png --faces all     one picture, everybody in it
  rtswap -s me.jpg -i rtsp://host/cam -o window      a stream, in a window

Settings can also go into rtswap.toml (see `rtswap config`); flags override it.
Ctrl-C ends a run cleanly: files are finished, exit code 0.
In the window: ? shows the keys, q quits.
"""


def run_command(others: Callable[[], Collection[Command]]) -> Command:
    """Return the command. Its help lists ``others``."""

    def parser() -> Parser:
        listed = "".join(f"  {one.words:<18}{one.summary}\n" for one in others())
        listed += f"  {'help COMMAND':<18}show the help of a command\n{_installed_parts()}"
        made = Parser(
            "rtswap",
            "Puts the face in a photo on the person in a webcam, file or stream, live.",
            f"commands (rtswap COMMAND --help shows more):\n{listed}\n{EXAMPLES}",
            advice=ADVICE,
        )
        made.takes("words", "[INPUT [OUTPUT ...]] --source PHOTO", many=True)
        return made.with_table(version=True)

    return Command("", "", parser, lambda flags: _run(flags, [one.name for one in others()]))


def _installed_parts() -> str:
    """Return the help lines for parts from other installed packages, by flag; empty if there are none."""
    rows = (("--swapper", "swappers"), ("--finish", "finishes"), ("--input", "inputs"), ("--output", "outputs"))
    found = [(flag, names) for flag, group in rows if (names := plugin_names(f"rtswap.{group}"))]
    lines = "".join(f"  {flag:<18}{', '.join(names)}\n" for flag, names in found)
    return f"\nparts of installed packages:\n{lines}" if lines else ""


def _run(flags: Flags, commands: Collection[str]) -> int:
    _take_words(flags, flags.pop("words", []), commands)
    found = effective(flags).config
    if not found.source.photos and not found.source.swap and swapper_spec(found.swap.swapper).needs_source:
        raise UsageError("no source given", do="Give a photo of the face to put on: rtswap --source me.jpg")
    from rtswap.app.batch import batch_of

    configs = batch_of(found)
    done = [_swap_one_of(config) for config in configs] if configs else [_swap(found)]
    return 0 if all(done) else 1


def _swap(config: Config) -> bool:
    """Returns whether everything was written."""
    from rtswap.app.run import run as run_session
    from rtswap.commands.reports.run_summary import run_summary

    with console_of(config) as console:
        result = run_session(config, console=console)
        console.summary(result, *run_summary(result, stats=console.stats))
    return not result.get("not_written") and not result.get("unreadable")


def _swap_one_of(config: Config) -> bool:
    """Swap one file of several; a failure is reported and does not keep the others from being swapped."""
    from rtswap.app.console import print_error

    console_of(config).event(config.input.address)
    try:
        return _swap(config)
    except (InputError, OutputError) as error:
        print_error(f"rtswap: {error}")
        return False


def _take_words(flags: Flags, words: list[str], commands: Collection[str]) -> None:
    """Take words without a flag as the input and the outputs: ``rtswap in.mp4 out.mp4``. Raises UsageError."""
    if not words:
        return
    first = words[0]
    if first.isalpha() and not os.path.exists(first):
        near = nearest(first, commands)
        do = f"The command comes first: rtswap {first}" if first in commands else ""
        do = do or (f"Did you mean {near}?" if near else "See rtswap --help.")
        raise UsageError(f"no such command or file: {first!r}", do=do)
    if "input.address" in flags:
        raise UsageError(
            "two inputs given",
            got=f"{first} and {flags['input.address']}",
            do="The photo of the face goes with --source, an output with --output.",
        )
    kinds = {row.key: row.kind for row in OPTIONS}
    flags["input.address"] = kinds["input.address"].parse(first)
    if words[1:]:
        flags["output.to"] = [*map(kinds["output.to"].parse, words[1:]), *flags.get("output.to", ())]
