"""``rtswap eval``: flags and entry point."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from rtswap.app.options import integer
from rtswap.commands.command import Command, Flags, console_of, effective
from rtswap.commands.flags import Parser, Reader
from rtswap.core.urls import expanded

EXAMPLES = """\
examples:
  rtswap eval                                                   the built-in personas
  rtswap eval --sources faces --pairs 100                       sources and targets from one folder
  rtswap eval --sources faces --swapped theirs --against mesh   another program's results next to ours
"""


def _parser() -> Parser:
    made = Parser(
        "rtswap eval",
        "Measures the quality of a swapper: figures, a table, and a contact sheet with the failures first.",
        EXAMPLES,
    )
    group = made.add_argument_group("Evaluation")
    for name, metavar, text in (
        ("--sources", "FOLDER", "source photos; without any folder: the built-in personas, and a clip of one"),
        ("--targets", "FOLDER", "target photos [the source photos]"),
        ("--clips", "PATH", "target clips for the first source: a folder or a file"),
        ("--swapped", "FOLDER", "evaluate another program's results, SOURCE__TARGET.png, instead of --swapper"),
        ("--against", "NAME", "swapper to compare with"),
        ("--judge", "FILE", "MediaPipe's face mesh as ONNX, to judge instead of rtswap's own landmark network"),
    ):
        group.add_argument(name, metavar=metavar, help=text)
    count = Reader(integer("N", 1, 1_000_000))
    group.add_argument("--pairs", type=count, default=200, metavar="N", help="maximum number of pairs [200]")
    group.add_argument("--seed", type=count, default=7, metavar="N", help="random seed for drawing pairs [7]")
    group.add_argument("--out", "-o", metavar="FOLDER", help="folder for sheet.png and eval.json [rtswap_eval]")
    group.add_argument("-y", "--overwrite", action="store_true", help="replace files that exist")
    group.add_argument(
        "--i-have-consent",
        dest="source.i_have_consent",
        action="store_true",
        help="confirm that the people shown have agreed; skips the question, for scripts",
    )
    return made.with_table(["tracking", "swap", "mask", "badge", "engine", "console"], without=["console.stats"])


def _run(flags: Flags) -> int:
    found = effective(flags).config
    from rtswap.commands.evaluate.options import EvaluateOptions
    from rtswap.commands.evaluate.run import evaluate

    def path(name: str) -> Path | None:
        return expanded(flags[name]) if name in flags else None

    wanted = EvaluateOptions(
        sources=path("sources"),
        targets=path("targets"),
        clips=path("clips"),
        swapped=path("swapped"),
        against=flags.get("against"),
        judge=path("judge"),
        pairs=flags["pairs"],
        seed=flags["seed"],
        out=path("out") or EvaluateOptions.out,
        overwrite=bool(flags.get("overwrite")),
    )
    command = shlex.join(["rtswap", *sys.argv[1:]])
    with console_of(found) as console:
        report, shown = evaluate(found, wanted, console=console, command=command)
        console.answer(report, *shown, f"Wrote {wanted.out / 'sheet.png'} and {wanted.out / 'eval.json'}.")
    return 0


COMMAND = Command("eval", "measure the quality of swaps on photos and clips", _parser, _run)
