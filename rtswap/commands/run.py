"""``rtswap`` without a sub-command: run the swap loop."""

from __future__ import annotations

from collections.abc import Callable, Collection

from rtswap.app.config import Config
from rtswap.commands.command import Command, Flags, console_of, effective
from rtswap.commands.flags import Parser
from rtswap.core.errors import InputError, OutputError, UsageError
from rtswap.core.plugins import plugin_names
from rtswap.swappers import swapper_spec

EXAMPLES = """\
examples:
  rtswap --source me.jpg --cam 0                              webcam to virtual camera, or to a window
  rtswap -s me.jpg -o vcam -o call.mp4                        a call, recorded as well
  rtswap -s photos/ -i clip.mp4 -o swapped.mp4 --faces all    a file, with its sound
  rtswap -s me.jpg -i clips/ -o swapped/                      every video of a folder, or of a pattern "*.mp4"
  rtswap -s me.jpg -i rtsp://host/cam -o udp://host:5000      a stream

Settings can also go into rtswap.toml (see `rtswap config`); flags override it.
Ctrl-C ends a run cleanly: files are finished, exit code 0. In the window: q quit, s swap on/off,
o overlay, r record, n follow the person in view now, 1-9 switch the source.
"""


def run_command(others: Callable[[], Collection[Command]]) -> Command:
    """Return the command. Its help lists ``others``."""

    def parser() -> Parser:
        listed = "".join(f"  rtswap {one.words:<22}{one.summary}\n" for one in others())
        listed += _installed_parts()
        made = Parser(
            "rtswap",
            "Swaps the face in a webcam, file or stream for the face in a photo, live.",
            f"commands:\n{listed}\n{EXAMPLES}",
            commands=[one.words.split()[0] for one in others()],
        )
        return made.with_table(version=True)

    return Command("", "", parser, _run)


def _installed_parts() -> str:
    """Return the help lines for parts from other installed packages, by flag; empty if there are none."""
    rows = (("--swapper", "swappers"), ("--finish", "finishes"), ("--input", "inputs"), ("--output", "outputs"))
    found = [(flag, names) for flag, group in rows if (names := plugin_names(f"rtswap.{group}"))]
    lines = "".join(f"  {flag:<29}{', '.join(names)}\n" for flag, names in found)
    return f"\nparts of installed packages:\n{lines}" if lines else ""


def _run(flags: Flags) -> int:
    found = effective(flags).config
    if not found.source.photos and not found.source.swap and swapper_spec(found.swap.swapper).needs_source:
        raise UsageError("no source given", do="Give a photo of the face to put on: rtswap --source me.jpg")
    from rtswap.app.batch import batch_of

    configs = batch_of(found)
    if not configs:
        _swap(found)
        return 0
    return 1 if [_swap_one_of(config) for config in configs].count(False) else 0


def _swap(config: Config) -> None:
    from rtswap.app.run import run as run_session
    from rtswap.commands.reports.run_summary import run_summary

    with console_of(config) as console:
        result = run_session(config, console=console)
        console.summary(result, *run_summary(result, stats=console.stats))


def _swap_one_of(config: Config) -> bool:
    """Swap one file of several; one that fails is told, and does not keep the others from being swapped."""
    from rtswap.app.console import print_error

    console_of(config).event(config.input.address)
    try:
        _swap(config)
    except (InputError, OutputError) as error:
        print_error(f"rtswap: {error}")
        return False
    return True
