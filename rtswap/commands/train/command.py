"""``rtswap train``: flags and entry point."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rtswap.app.options import choice, integer, number
from rtswap.commands.command import Command, Flags, console_of_flags
from rtswap.commands.flags import Parser, Reader
from rtswap.commands.other_programs import ADVICE_OF_TRAIN
from rtswap.core.errors import UsageError
from rtswap.core.text import suggestion
from rtswap.core.urls import expanded
from rtswap.training.recipes import RECIPES
from rtswap.training.spec import RecipeSpec, TrainOption

_OF_TWO = """\
examples for two people:
  rtswap extract me_1.mp4 me_2.mp4 --for-training --out faces/me
  rtswap extract scene.mp4 --for-training --out faces/scene
  rtswap train df --data faces/me --data faces/scene --minutes 120 --out runs/me
  rtswap scene.mp4 out.mp4 --swapper runs/me/me.dfm
"""
_OF_ANY = """\
examples for any face:
  rtswap extract photos/ --for-training --embeddings --out faces/many
  rtswap train faceshifter --data faces/many --minutes 600 --out runs/any
  rtswap scene.mp4 out.mp4 --source me.jpg --swapper runs/any/any.rtswap
"""
_LAST = """\
Ctrl-C ends a training and keeps what it has learnt; the same command goes on.
Sheets and curves to look at lie in the --out folder from the first minutes on.
Train only on people who have agreed to it. docs/recipes.md: what to expect.
"""


class _TrainParser(Parser):
    """Shows the help of a recipe that is named."""

    def read(self, args: Sequence[str]) -> dict[str, Any]:
        named = [spec for spec in RECIPES if spec.name in args]
        if len(named) == 1 and not {"-h", "--help"}.isdisjoint(args):
            _filled(_parser_of(named[0]), named).print_help()
            raise SystemExit(0)
        return super().read(args)


def _parser() -> Parser:
    listed = "".join(f"  {spec.name:<14}{spec.summary}\n" for spec in RECIPES)
    made = _TrainParser(
        "rtswap train",
        "Trains a swapper from facesets, which rtswap extract makes: for two people, as a DFM file, or for any "
        "source, as a file that is bound to a photo. rtswap train RECIPE --help: one recipe alone.",
        f"recipes:\n{listed}\n{_OF_TWO}\n{_OF_ANY}\n{_LAST}",
        advice=ADVICE_OF_TRAIN,
    )
    made.takes("words", "RECIPE", many=True, first=[spec.name for spec in RECIPES])
    return _filled(made, RECIPES)


def _parser_of(spec: RecipeSpec) -> Parser:
    pair = spec.kind == "pair"
    what = "for two people, as a DFM file" if pair else "for any source, as a file that is bound to a photo"
    examples = (_OF_TWO if pair else _OF_ANY).replace(" train df ", f" train {spec.name} ")
    return Parser(
        f"rtswap train {spec.name}",
        f"{spec.summary}. Trains a swapper from facesets, which rtswap extract makes: {what}.",
        f"{examples.replace(' train faceshifter ', f' train {spec.name} ')}\n{_LAST}",
    )


def _filled(made: Parser, recipes: Sequence[RecipeSpec]) -> Parser:
    """With the flags of these recipes."""
    group = made.add_argument_group("Training")
    add = group.add_argument
    add(
        "--data",
        metavar="DIR[:PERSON]",
        action="append",
        help="a faceset: of two people first the source's, then the target's; of many people one or more",
    )
    add("--out", "-o", metavar="DIR", help="folder for the checkpoint, sheets, curves and the trained file")
    for flag, kind, text in (
        ("--minutes", number("MIN", 0, 1e6), "training time, earlier runs included; 0: only write the file"),
        ("--size", choice("small", "full"), "small: for CPUs and small GPUs; full: the original's [small]"),
        ("--device", choice("auto", "cpu", "cuda"), "where to train [auto]"),
        ("--batch", integer("N", 1, 512), "batch size: faces of each person per step"),
        ("--rate", number("RATE", 1e-8, 1), "learning rate"),
        ("--threads", integer("N", 1, 256), "threads on a CPU [all cores]"),
        ("--workers", integer("N", 0, 64), "processes that prepare faces [1]"),
        ("--seed", integer("N", 0, 2**31 - 1), "random seed [0]"),
        (
            "--direction",
            choice("forth", "back"),
            "of two people; back: the target's face on the source [forth]",
        ),
    ):
        add(flag, type=Reader(kind), metavar=kind.metavar, help=text)
    add("--preview", action="store_true", help="show every new sheet in a window")
    add("--half", action="store_true", help="compute in bfloat16 [where it is faster]")
    add("--no-half", dest="half", action="store_false", help="compute in float32")
    groups: dict[str, argparse._ArgumentGroup] = {}
    for row, names in _options_of(recipes).items():
        title = f"Options of {' and '.join([', '.join(names[:-1]), names[-1]] if names[1:] else names)}"
        group = groups.get(title) or groups.setdefault(title, made.add_argument_group(title))
        if row.kind.switch:
            group.add_argument(row.flag, action="store_true", help=row.help)
        else:
            default = "" if row.default is None else f" [{row.default}]"
            group.add_argument(row.flag, type=Reader(row.kind), metavar=row.kind.metavar, help=row.help + default)
    return made.with_table(["console"], without=["console.stats"], config=False)


def _options_of(recipes: Sequence[RecipeSpec]) -> dict[TrainOption, list[str]]:
    """Each option, and the recipes that have it. Two recipes that share a flag share the option."""
    found: dict[TrainOption, list[str]] = {}
    for spec in recipes:
        for row in spec.options:
            found.setdefault(row, []).append(spec.name)
    return found


def _run(flags: Flags) -> int:
    spec = _spec(flags)
    data, people = _data(flags, spec)
    if "out" not in flags:
        raise UsageError("no output folder given", do="Add --out DIR.")
    if "minutes" not in flags:
        raise UsageError("no training time given", do="Add --minutes N, say 120; Ctrl-C ends it earlier.")
    options = _options(flags, spec)
    from rtswap.commands.train.run import run

    out = expanded(flags["out"])
    with console_of_flags(flags) as console:
        result, shown = run(
            spec,
            data,
            people,
            out,
            minutes=flags["minutes"],
            device=flags.get("device", "auto"),
            options=options,
            preview=bool(flags.get("preview")),
            console=console,
        )
        console.answer(result, *shown)
    return 0


def _spec(flags: Flags) -> RecipeSpec:
    words = flags.get("words") or []
    names = [spec.name for spec in RECIPES]
    if folders := [word for word in words if word not in names and (os.sep in word or os.path.exists(word))]:
        raise UsageError(f"unexpected {folders[0]!r}", expected="--data before each faceset")
    if len(words) != 1:
        what = "no recipe given" if not words else "more than one recipe given"
        raise UsageError(what, expected=f"one of {', '.join(names)}", do="See rtswap train --help.")
    found = next((spec for spec in RECIPES if spec.name == words[0]), None)
    if found is None:
        do = suggestion(words[0].lower(), names, "See rtswap train --help.")
        raise UsageError(f"unknown recipe {words[0]!r}", expected=f"one of {', '.join(names)}", do=do)
    return found


def _data(flags: Flags, spec: RecipeSpec) -> tuple[list[Path], list[int | None]]:
    """Folders and people. One faceset with two people in it is given twice, with different people."""
    given = flags.get("data") or []
    if spec.kind == "one-shot":
        return _data_of_many(given, spec)
    if len(given) != 2:
        raise UsageError(
            f"{spec.name} needs two people",
            expected="two facesets: --data SOURCE --data TARGET",
            got="none" if not given else str(len(given)),
            do="Name a folder twice if it holds both: --data DIR:0 --data DIR:1",
        )
    folders, people = [], []
    for word in given:
        folder, colon, number = word.rpartition(":")
        numbered = colon and number.isdecimal() and len(number) < 10 and not os.path.isdir(word)
        person = int(number) if numbered else None
        folders.append(expanded(word if person is None else folder))
        people.append(person)
    if folders[0] == folders[1] and people[0] == people[1]:
        raise UsageError("source and target are the same faces", do="Give two facesets, or DIR:0 and DIR:1.")
    return folders, people


def _data_of_many(given: Sequence[str], spec: RecipeSpec) -> tuple[list[Path], list[int | None]]:
    if not given:
        raise UsageError(
            f"{spec.name} needs many people",
            expected="a faceset: --data DIR",
            got="none",
            do="Make one: rtswap extract PHOTOS/ --for-training --embeddings --out DIR",
        )
    return [expanded(word) for word in given], [None] * len(given)


def _options(flags: Flags, spec: RecipeSpec) -> Mapping[str, Any]:
    """The recipe's arguments by name: flags, then the size's, then defaults. Raises UsageError."""
    known = {row.name for row in spec.options}
    for other in RECIPES:
        for row in other.options:
            if row.name in flags and row.name not in known:
                raise UsageError(f"{spec.name} has no {row.flag}", do=f"It is an option of {other.name}.")
    sizes = spec.sizes[flags.get("size", next(iter(spec.sizes)))]
    found = {row.name: flags.get(row.name, sizes.get(row.name, row.default)) for row in spec.options}
    common = {
        "batch": None,
        "rate": None,
        "threads": None,
        "half": None,
        "workers": 1,
        "seed": 0,
        "direction": "forth",
    }
    return {**found, **{name: flags.get(name, default) for name, default in common.items()}}


COMMAND = Command("train RECIPE", "train a swapper from facesets", _parser, _run)
