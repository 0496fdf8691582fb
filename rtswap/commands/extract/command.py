"""``rtswap extract``: flags and entry point."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rtswap.app.config import OPTIONS
from rtswap.app.options import choice, duration, integer, number, text
from rtswap.commands.command import Command, Flags, console_of, effective
from rtswap.commands.flags import Parser, Reader
from rtswap.core.errors import UsageError
from rtswap.core.text import plural
from rtswap.core.urls import expanded

if TYPE_CHECKING:
    from rtswap.commands.extract.limits import QualityLimits

TEMPLATES = ("ffhq", "arcface", "full", "whole", "head")
MOST_SMOOTH_S = 0.5
"""Longer, and the frames take too much memory."""
FIELDS = {
    **{word: word for word in ("template", "size", "format", "similar", "licence", "provenance", "person")},
    "every": "every_s",
    "smooth": "smooth_s",
}
"""Flag -> field of ``ExtractOptions``."""
EXAMPLES = """\
examples:
  rtswap extract holiday/ --out faces             every good face of a folder
  rtswap extract talk.mp4 --out talk --every 1s   a video, one frame per second
  rtswap extract a.mp4 --out a --for-training --person ada.jpg
  rtswap extract a.jpg b.jpg --out f --template arcface --size 128 --keep-all
  rtswap extract --from-dfl aligned/ --out faces  an aligned set of DeepFaceLab

Pictures of people are personal data, and so are embeddings, which identify
people: extract faces only of people who have agreed to it, and delete them when
you no longer need them.
"""


FOR_TRAINING = {
    "template": "whole", "size": 256, "every": 0.1, "smooth": 0.1, "keep_all": True, "max_yaw": 90.0,
    "max_pitch": 75.0,
}  # fmt: skip
"""What ``--for-training`` stands for: an expression or an angle that comes once is worth as much as a common one."""


def _parser() -> Parser:
    made = Parser(
        "rtswap extract",
        "Cuts aligned faces out of photos, folders of photos and videos, without bad faces and near duplicates.",
        EXAMPLES,
    )
    made.takes("inputs", "INPUT...", many=True)
    group = made.add_argument_group("Output")
    group.add_argument(
        "--out", "-o", metavar="DIR", help="folder for the faceset: pictures, masks, faces.jsonl and sheet.png"
    )
    for flag, kind, words in (
        ("--template", choice(*TEMPLATES), "alignment of the face in its picture [ffhq]"),
        ("--size", integer("PX", 112, 1024), "width and height of a picture [512]"),
        ("--format", choice("png", "jpg"), "image format [png]"),
    ):
        group.add_argument(flag, type=Reader(kind), metavar=kind.metavar, help=words)
    for flag, words in (
        ("--from-dfl", "take the faces of DeepFaceLab's aligned set in this folder instead of inputs"),
        ("--to-dfl", "also write the faceset as DeepFaceLab's aligned set; without inputs, what is in --out"),
    ):
        group.add_argument(flag, metavar="DIR", help=words)
    group.add_argument(
        "--embeddings",
        action="store_true",
        help="also write identity vectors of the faces into faces.jsonl. These are biometric personal data",
    )
    for flag, kind, words in (
        ("--licence", text("TEXT", "a text"), "licence of the pictures, written beside each face"),
        (
            "--provenance",
            text("TEXT", "a text"),
            "where the pictures come from and who agreed, written beside each face",
        ),
        (
            "--person",
            text("WHO", "a number or a photo"),
            "keep only one person: number on sheet.png, several as 0,3, or a photo",
        ),
    ):
        group.add_argument(flag, type=Reader(kind), metavar=kind.metavar, help=words)
    group.add_argument("-y", "--overwrite", action="store_true", help="extract faces again that exist already")
    _add_limits(made)
    others = [row.key for row in OPTIONS if row.section == "models" and row.key != "models.detector"]
    return made.with_table(["models", "engine", "console"], without=["console.stats", *others])


def _add_limits(made: Parser) -> None:
    group = made.add_argument_group("Limits")
    for flag, kind, words in (
        ("--min-face", number("PX", 16, 10_000), "minimum height from forehead to chin in the photo [96]"),
        ("--min-sharpness", number("N", 0, 1), "minimum sharpness: 0.001 is blurred, 0.03 crisp [0.002]"),
        ("--max-yaw", number("DEG", 0, 180), "maximum turn to either side [60]"),
        ("--max-pitch", number("DEG", 0, 90), "maximum turn up or down [45]"),
        ("--min-light", number("N", 0, 255), "minimum mean grey level of the face [30]"),
        ("--max-light", number("N", 0, 255), "maximum mean grey level of the face [235]"),
        (
            "--similar",
            number("0..1", 0, 1),
            "leave out faces at least this similar to a stored one [0.95; 0.985 without the extra identity]",
        ),
        ("--every", duration(3600), "minimum time between two frames of a video [500ms]"),
        ("--smooth", duration(MOST_SMOOTH_S), "smooth landmarks over this time before and after each frame [0s]"),
    ):
        group.add_argument(flag, type=Reader(kind), metavar=kind.metavar, help=words)
    group.add_argument("--keep-all", action="store_true", help="also keep faces that are similar to others")
    group.add_argument(
        "--for-training",
        action="store_true",
        help="what rtswap train needs: --template whole --size 256 --every 100ms --smooth 100ms --keep-all "
        "--max-yaw 90 --max-pitch 75 where not given otherwise",
    )


def _run(flags: Flags) -> int:
    if "for_training" in flags:
        flags = {**FOR_TRAINING, **flags}
    if "from_dfl" in flags:
        if flags.get("inputs"):
            raise UsageError("--from-dfl takes the place of inputs", do="Leave out one of them.")
        flags = flags | {"inputs": [flags["from_dfl"]]}
    if not flags.get("inputs") and "to_dfl" in flags and "out" in flags:
        return _export(flags)
    if not flags.get("inputs"):
        raise UsageError("no input given", do="Name photos, folders or videos: rtswap extract INPUT... --out DIR")
    if "out" not in flags:
        raise UsageError("no output folder given", do="Add --out DIR.")
    found = effective(flags).config
    from dataclasses import replace

    from rtswap.app.networks import open_models
    from rtswap.commands.extract.options import ExtractOptions
    from rtswap.commands.extract.run import extract
    from rtswap.commands.extract.tally import format_tally

    console = console_of(found)
    given = {field: flags[word] for word, field in FIELDS.items() if word in flags}
    wanted = ExtractOptions(
        inputs=tuple(flags["inputs"]),
        out=Path(flags["out"]),
        limits=_limits(flags),
        keep_all=bool(flags.get("keep_all")),
        embeddings=bool(flags.get("embeddings")),
        overwrite=bool(flags.get("overwrite")),
        detector=found.models.detector,
        from_dfl="from_dfl" in flags,
        to_dfl=expanded(flags["to_dfl"]) if "to_dfl" in flags else None,
        **given,
    )
    seeing = replace(  # loads our own recogniser and what finds things in front of a face
        found, tracking=replace(found.tracking, follow="person"), mask=replace(found.mask, masks=("occlusion",))
    )
    with console:
        result, code = extract(wanted, lambda: open_models(seeing, on_event=console.event), console=console)
        console.answer(result, *format_tally(result))
    return code


def _export(flags: Flags) -> int:
    """Write a faceset that is there as an aligned set."""
    from rtswap.commands.extract.aligned_sets import export

    console = console_of(effective(flags).config)
    source, target = expanded(flags["out"]), expanded(flags["to_dfl"])
    with console:
        count = export(source, target, overwrite=bool(flags.get("overwrite")), console=console)
        console.answer({"folder": str(target), "faces": count}, f"Wrote {target}: {plural(count, 'face')}.")
    return 0


def _limits(flags: Flags) -> QualityLimits:
    from rtswap.commands.extract.limits import QualityLimits

    usual = QualityLimits().light
    fields = {"min_face": "min_face_px", **dict.fromkeys(("min_sharpness", "max_yaw", "max_pitch"))}
    given = {field or flag: flags[flag] for flag, field in fields.items() if flag in flags}
    return QualityLimits(light=(flags.get("min_light", usual[0]), flags.get("max_light", usual[1])), **given)


COMMAND = Command("extract INPUT", "cut aligned faces out of photos and videos", _parser, _run)
