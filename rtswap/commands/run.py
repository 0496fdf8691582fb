"""``rtswap`` without a sub-command: run the swap loop."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from rtswap.app.config import OPTIONS, Config
from rtswap.commands.command import Command, Flags, console_of, effective
from rtswap.commands.flags import Parser
from rtswap.commands.other_programs import ADVICE
from rtswap.core.errors import InputError, OutputError, OutputExists, UsageError
from rtswap.core.plugins import plugin_names
from rtswap.core.text import nearest, plural
from rtswap.core.urls import hide_secrets
from rtswap.media.output_names import is_folder
from rtswap.swappers import swapper_spec
from rtswap.vision.picture_kinds import is_picture

EXAMPLES = """\
examples:
  rtswap clip.mp4 out.mp4 -s me.jpg                  a file, with its sound
  rtswap -s me.jpg --cam 0                           webcam to virtual camera
  rtswap -s me.jpg -o vcam -o call.mp4               a call, recorded as well
  rtswap -s me.jpg clips/ swapped/                   all files of a folder
  rtswap -s me.jpg clips/*.mp4 swapped/              several files
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
        listed += f"  {'help COMMAND':<18}show the help of a command\n{_list_installed_parts()}"
        made = Parser(
            "rtswap",
            "Puts the face in a photo on the person in a webcam, file or stream, live.",
            f"commands (rtswap COMMAND --help shows more):\n{listed}\n{EXAMPLES}",
            advice=ADVICE,
        )
        made.takes("words", "[INPUT [OUTPUT ...]] --source PHOTO", many=True)
        return made.with_table(version=True)

    return Command("", "", parser, lambda flags: _run(flags, [one.name for one in others()]))


def _list_installed_parts() -> str:
    """Return the help lines for parts from other installed packages, by flag; empty if there are none."""
    rows = (("--swapper", "swappers"), ("--finish", "finishes"), ("--input", "inputs"), ("--output", "outputs"))
    found = [(flag, names) for flag, group in rows if (names := plugin_names(f"rtswap.{group}"))]
    lines = "".join(f"  {flag:<18}{', '.join(names)}\n" for flag, names in found)
    return f"\nparts of installed packages:\n{lines}" if lines else ""


def _run(flags: Flags, commands: Collection[str]) -> int:
    files = _take_words(flags, flags.pop("words", []), commands)
    whole = effective(flags)
    found = whole.config
    if not found.source.photos and not found.source.swap and swapper_spec(found.swap.swapper).needs_source:
        raise UsageError("no source given", do="Give a photo of the face to put on: rtswap --source me.jpg")
    from rtswap.app.batch import batch_of, passed_over
    from rtswap.app.unused import unused_flags

    for line in unused_flags(whole):
        console_of(found).event(line)
    configs = batch_of(found, files)
    if configs and not files and (left := passed_over(found)):
        console_of(found).event(left)
    if configs[1:]:
        return _swap_batch(configs)
    return 0 if _all_written(_swap(configs[0] if configs else found)) else 1


def _swap(config: Config, **options: Any) -> dict[str, Any]:
    """Swap one input and return what ``app.run.run`` returns. ``options``: its further arguments."""
    from rtswap.app.run import run as run_session
    from rtswap.commands.reports.run_summary import run_summary

    with console_of(config) as console:
        result = run_session(config, console=console, **options)
        console.summary(result, *run_summary(result, stats=console.stats))
    return result


def _all_written(result: Mapping[str, Any]) -> bool:
    return not any(result.get(key) for key in ("not_written", "unreadable", "skipped"))


def _swap_batch(configs: Sequence[Config]) -> int:
    """Swap several files and return the exit code. A file that fails is reported, one whose output exists is skipped,
    and the others are swapped, so that the same command goes on with a batch that Ctrl-C has ended."""
    from rtswap.app.console import print_error
    from rtswap.app.run import share_program

    console, make_program = console_of(configs[0]), share_program()
    failed: list[str] = []
    skipped: list[str] = []
    for number, config in enumerate(configs):
        console.event(config.input.address)
        try:
            result = _swap(config, began_at=time.perf_counter(), make_program=make_program)
        except (InputError, OutputError) as error:
            print_error(hide_secrets(f"rtswap: {error}", sys.argv[1:]))
            if console.json:
                console.answer({"input": config.input.address, "error": str(error)})
            (skipped if isinstance(error, OutputExists) else failed).append(config.input.address)
            continue
        if not _all_written(result):
            failed.append(config.input.address)
        if not result["completed"]:
            console.event(f"interrupted: {plural(len(configs) - number - 1, 'file')} not swapped")
            break
    if skipped:
        console.event(f"{len(skipped)} of {plural(len(configs), 'file')} skipped, since their outputs exist")
    if failed:
        console.event(f"{len(failed)} of {plural(len(configs), 'file')} failed: {', '.join(failed)}")
    return 1 if failed or skipped else 0


def _take_words(flags: Flags, words: list[str], commands: Collection[str]) -> list[str]:
    """Take words without a flag as the input and the outputs: ``rtswap in.mp4 out.mp4``. Returns the input files if
    they are several, as in ``rtswap *.mp4 out/``. Raises UsageError."""
    if not words:
        return []
    if not all(word.strip() for word in words):
        raise UsageError("an empty file name", do="Check the variables of your script.")
    kinds = {row.key: row.kind for row in OPTIONS}
    _refuse_loose_values(flags, words)
    first = words[0]
    if "input.address" in flags and not words[1:] and not os.path.isfile(first):
        flags["output.to"] = [kinds["output.to"].parse(first), *flags.get("output.to", ())]
        return []
    if first.isalpha() and not os.path.exists(first):
        near = nearest(first, commands)
        do = f"The command comes first: rtswap {first}" if first in commands else ""
        do = do or ADVICE.get(f"--{first}", "") or (f"Did you mean {near}?" if near else "See rtswap --help.")
        raise UsageError(f"no such command or file: {first!r}", do=do)
    if "input.address" in flags:
        raise UsageError(
            "two inputs given",
            got=f"{first} and {flags['input.address']}",
            do="The photo of the face goes with --source, an output with --output.",
        )
    inputs = [first]
    if words[2:]:
        missing = next((word for word in words[:-1] if not os.path.isfile(word)), "")
        if missing not in ("", first) and (words[-1].endswith(("/", os.sep)) or os.path.isdir(words[-1])):
            do = "Check the path. For several outputs give each with -o."
            raise UsageError(f"no such file: {missing!r}", do=do)
        if not missing and is_folder(words[-1]):
            inputs = words[:-1]
        elif there := next(filter(os.path.isfile, words[1:]), ""):
            do = "For several inputs name a folder at the end. For several outputs give each with -o."
            if is_picture(Path(first)) and Path(there).suffix.lower() == Path(first).suffix.lower():
                do = "For a film of pictures quote their pattern, or give their folder."
            if not flags.keys() & {"source.photos", "source.swap"}:
                do = f"The photo of the face goes with --source. {do}"
            raise UsageError(f"several files given, and the output {there} exists", do=do)
    flags["input.address"] = kinds["input.address"].parse(first)
    if outputs := words[len(inputs) :]:
        flags["output.to"] = [*map(kinds["output.to"].parse, outputs), *flags.get("output.to", ())]
    return inputs if inputs[1:] else []


def _refuse_loose_values(flags: Flags, words: Sequence[str]) -> None:
    """Raise UsageError for words that belong to a flag that takes a list: of ``--mask hull skin`` the second would be
    taken for a file."""
    for row in OPTIONS:
        value = flags.get(row.key)
        loose = [word for word in words if word in row.kind.choices and not os.path.exists(word)]
        if loose and isinstance(value, tuple):
            do = f"Write {row.flags[0]} {','.join([*value, *loose])}, without blanks."
            raise UsageError(f"{row.flags[0]} takes a list with commas", got=" ".join([*value, *loose]), do=do)
