"""Generate blocks of docs/: the flags (usage.md), the licences (dependencies.md), the models of others (models.md)
and the robustness of the watermark (responsible-use.md, from the results of benchmarks/marks.py); and the picture of
the personas.

Run it with ``make docs`` after changing an option, a pinned version or a persona; a test fails until the docs are up
to date.
"""

from __future__ import annotations

import json
import math
import re
from importlib.metadata import PackageMetadata, metadata
from pathlib import Path
from typing import Any

import cv2

from rtswap.app.config import OPTIONS, SECTIONS
from rtswap.app.option_kinds import runs_foreign_part
from rtswap.app.options import Option
from rtswap.app.trust import always, leads_away, never, photo_leads_away
from rtswap.commands.flags import title_of
from rtswap.commands.personas.sheet import draw_people
from rtswap.core.text import size
from rtswap.networks.model_catalog import Family, model_catalog
from rtswap.source.personas import list_personas
from rtswap.vision.templates import TEMPLATES

ROOT = Path(__file__).resolve().parent.parent
USAGE = ROOT / "docs" / "usage.md"
DEPENDENCIES = ROOT / "docs" / "dependencies.md"
RESPONSIBLE_USE = ROOT / "docs" / "responsible-use.md"
MODELS = ROOT / "docs" / "models.md"
PERSONAS = ROOT / "docs" / "personas.jpg"
MARKS = ROOT / "benchmarks" / "results" / "marks.json"
WAYS = {
    "nothing": ["nothing"],
    "one frame, as PNG": ["one frame, as PNG"],
    "a screenshot of one frame: 0.8 of its size, a rim, JPEG 85": ["screenshot: one frame at 0.8, JPEG 85"],
    "scaled to 0.5, 0.75, 1.5, 2": ["scaled to 0.5", "scaled to 0.75", "scaled to 1.5", "scaled to 2"],
    "cropped to 80 % of width and height": ["cropped: 80 % of width and height kept"],
    "brightness -20 %, +20 %; gamma 0.7, 1.4": ["brightness -20 %", "brightness +20 %", "gamma 0.7", "gamma 1.4"],
    "H.264, CRF 28": ["H.264, CRF 28"],
    "H.264, CRF 28, then scaled to 0.5": ["H.264, CRF 28, scaled to 0.5"],
    "H.264, 1 Mbit/s": ["H.264, 1 Mbit/s"],
    "H.264, 1 Mbit/s, then cropped to 80 %": ["H.264, 1 Mbit/s, cropped to 80 %"],
    "H.264, 1 Mbit/s, then a screenshot": ["H.264, 1 Mbit/s, screenshot"],
    "video call: VP8, VP9, 1 Mbit/s": ["VP8 call, 1 Mbit/s", "VP9 call, 1 Mbit/s"],
    "the same, cropped to 80 %": ["VP8 call, 1 Mbit/s, cropped to 80 %", "VP9 call, 1 Mbit/s, cropped to 80 %"],
    "video call at 640x360: VP8, VP9, 600 kbit/s": [
        "VP8 call, 640x360, 600 kbit/s",
        "VP9 call, 640x360, 600 kbit/s",
    ],
    "the same, cropped to 80 %, or scaled to 2": [
        "VP8 call, 640x360, 600 kbit/s, cropped to 80 %",
        "VP9 call, 640x360, 600 kbit/s, cropped to 80 %",
        "VP8 call, 640x360, 600 kbit/s, scaled to 2",
    ],
}
"""Row in responsible-use.md -> the ways of benchmarks/marks_steps.py that it summarises."""
IN_WORKING_FOLDER = {
    never: "yes",
    always: "no",
    leads_away: "paths inside it",
    photo_leads_away: "personas, and paths inside it",
    runs_foreign_part: "what comes with rtswap",
}
JPEG_QUALITY = 66
BLOCK = re.compile(r"(<!-- (\w+) -->\n).*?(<!-- /\2 -->)", re.DOTALL)


def usage(text: str) -> str:
    """Return ``text`` with its ``flags`` and ``toml`` blocks regenerated."""
    return fill(text, {"flags": flags_block(), "toml": toml_block()})


def dependencies(text: str) -> str:
    """Return ``text`` with its ``default`` and ``dev`` blocks regenerated."""
    return fill(
        text,
        {"default": licences(ROOT / "requirements.txt"), "dev": licences(ROOT / "requirements-dev.txt")},
    )


def responsible_use(text: str) -> str:
    """Return ``text`` with its ``withstands`` and ``figures`` blocks regenerated from the measured results."""
    found = json.loads(MARKS.read_text())
    return fill(text, {"withstands": withstands(found["ways"]), "figures": marks_figures(found)})


def models(text: str) -> str:
    """Return ``text`` with its tables of models, packs, families and placements regenerated from the catalogue."""
    return fill(
        text,
        {"models": models_table(), "packs": packs_table(), "families": families_table(), "placements": placements()},
    )


def models_table() -> str:
    catalog = model_catalog()
    lines = [
        "| model | kind | family | size | licence | commercial | hash | get it |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, model in catalog.models.items():
        family = catalog.families[model.family]
        get = f"`rtswap models pull {model.pack or name}`"
        told = [family.kind, model.family, size(model.bytes) if model.bytes else ""]
        told += [f"[{model.licence}]({model.terms})", yes(model.commercial), yes(bool(model.sha256)), get]
        lines.append(f"| `{name}` | {' | '.join(told)} |")
    return "\n".join(lines) + "\n"


def packs_table() -> str:
    lines = ["| pack | what | size | licence |", "|---|---|---|---|"]
    for name, pack in model_catalog().packs.items():
        lines.append(f"| `{name}` | {pack.title} | {size(pack.bytes)} | [{pack.licence}]({pack.terms}) |")
    return "\n".join(lines) + "\n"


def families_table() -> str:
    lines = ["| family | inputs | pictures | colour in | picture out | placed by |", "|---|---|---|---|---|---|"]
    for name, family in model_catalog().families.items():
        if family.kind == "converter" or not family.inputs:  # one-shot: its files tell
            continue
        inputs = "; ".join(f"`{key}` {'x'.join(map(str, shape))}" for key, shape in family.inputs.items())
        out = family.range if family.kind in ("swapper", "enhancer") else ""
        told = [inputs, family.layout, colour_in(family), out, family.template]
        lines.append(f"| {name} | {' | '.join(told)} |")
        for model in model_catalog().models.values():
            if model.family == name and (model.template or model.mean or model.std):
                own = model_catalog().family_of(name, model.name)
                lines.append(f"| {model.name} | the same | | {colour_in(own)} | {out} | {own.template} |")
    return "\n".join(lines) + "\n"


def colour_in(family: Family) -> str:
    means, stds = (tuple(f"{value:.4g}" for value in values) for values in (family.mean, family.std))
    if min(family.std) > 0.01:
        mean, std = (values[0] if len(set(values)) == 1 else f"({', '.join(values)})" for values in (means, stds))
        return "c" if (mean, std) == ("0", "1") else f"(c - {mean}) / {std}"
    levels = tuple(f"{255 * value:.0f}" for value in family.mean)
    return "255 c" if set(levels) == {"0"} else f"255 c - ({', '.join(levels)})"


def placements() -> str:
    lines = ["| name | left eye | right eye | mouth, left | mouth, right |", "|---|---|---|---|---|"]
    for name, points in TEMPLATES.items():
        told = " | ".join(f"{x:.4f}, {y:.4f}" for x, y in points[[0, 1, 3, 4]])
        lines.append(f"| {name} | {told} |")
    return "\n".join(lines) + "\n"


def yes(value: bool) -> str:
    return "yes" if value else "no"


def withstands(ways: dict[str, Any]) -> str:
    lines = ["| after | windows of 2 s | mark found | score: lowest | median |", "|---|---|---|---|---|"]
    for words, names in WAYS.items():
        rows = [ways[name] for name in names]
        windows = sum(row["windows"] for row in rows)
        found = sum(row["windows"] * row["found"] for row in rows) / windows
        median = sum(row["score_median"] for row in rows) / len(rows)
        least = min(row["score_min"] for row in rows)
        share = f"{math.floor(1000 * found + 0.01) / 10:g} %"
        lines.append(f"| {words} | {windows} | {share} | {least:.1f} | {median:.1f} |")
    return "\n".join(lines)


def marks_figures(found: dict[str, Any]) -> str:
    chance, quality, frame = found["chance"], found["quality"], found["cost"]["1280x720"]
    tail, cautious = chance["false_positives_per_window"], chance["false_positives_per_window_cautious"]
    ssim = math.floor(1e4 * quality["ssim_min"]) / 1e4
    lines = [
        f"- Of {chance['windows']:,} unmarked windows (photographs, film, text, noise, gratings; some were encoded)",
        f"  {chance['found'] or 'none'} reached the threshold of {chance['threshold']:.2f}; the highest score was "
        f"{chance['score_max']:.2f}. Their tail, continued to the",
        f"  threshold, gives {power(tail)} false positives per window. Falling more slowly than theory says, as an",
        f"  exponential, it would give {power(cautious)}.",
        f"- Against the unmarked picture PSNR is {quality['psnr_db_min']:.1f} dB or more (median "
        f"{quality['psnr_db_median']:.1f}), SSIM {ssim:.4f} or more, on {quality['scenes']} clips.",
        f"- Marking a frame of 720p takes {frame['min_ms']:.2f} ms on one core: the best of many, on a busy machine.",
    ]
    return "\n".join(lines)


def power(value: float) -> str:
    """Return ``4 * 10^-9``, rounded up."""
    exponent = math.floor(math.log10(value))
    return f"{math.ceil(value / 10.0**exponent)} * 10^{exponent}"


def fill(text: str, blocks: dict[str, str]) -> str:
    """Replace the text between ``<!-- name -->`` and ``<!-- /name -->``."""
    return BLOCK.sub(lambda found: f"{found[1]}\n{blocks[found[2]]}\n{found[3]}", text)


def flags_block() -> str:
    lines: list[str] = []
    for section in SECTIONS:
        lines += [f"### {title_of(section)}", "", "| flag | what it does | default |", "|---|---|---|"]
        for row in OPTIONS:
            if row.section == section and row.flags:
                lines.append(f"| {names(row.flags, row.kind.metavar)} | {row.help} | {default(row)} |")
                lines += [f"| {names((flag,), kind.metavar)} | {text} | |" for flag, kind, text in row.also]
        lines.append("")
    return "\n".join(lines)


def toml_block() -> str:
    lines = ["| key | flag | value | in the working folder |", "|---|---|---|---|"]
    for row in OPTIONS:
        takes = f"a list, each {row.kind.expected}" if row.kind.many else row.kind.expected
        flag = f"`{row.flags[0]}`" if row.flags else ""
        lines.append(f"| `{row.key}` | {flag} | {takes} | {IN_WORKING_FOLDER[row.own]} |")
    return "\n".join(lines) + "\n"


def names(flags: tuple[str, ...], metavar: str) -> str:
    shown = ", ".join(f"`{flag}`" for flag in flags)
    return f"{shown} `{metavar}`".replace("|", "\\|") if metavar else shown


def default(row: Option) -> str:
    return "" if row.kind.switch or row.default in (None, ()) else f"`{row.kind.to_toml(row.default).strip(chr(34))}`"


def licences(pins: Path) -> str:
    lines = ["| package | version | licence |", "|---|---|---|"]
    for line in pins.read_text().splitlines():
        if line and not line.startswith("#"):
            name, version = line.split("==")
            lines.append(f"| {name} | {version} | {licence(metadata(name))} |")
    return "\n".join(lines) + "\n"


def licence(package: PackageMetadata) -> str:
    """Return the package's licence: its SPDX expression, else classifier, else the start of its licence field."""
    if expression := package.get("License-Expression"):
        return expression
    classifiers = [line for line in package.get_all("Classifier") or [] if line.startswith("License ::")]
    if classifiers:
        return " and ".join(line.rsplit(" :: ", 1)[1] for line in classifiers)
    return (package.get("License") or "not stated").splitlines()[0][:60]


def main() -> None:
    pages = {USAGE: usage, DEPENDENCIES: dependencies, RESPONSIBLE_USE: responsible_use, MODELS: models}
    for path, write in pages.items():
        path.write_text(write(path.read_text()))
        print(f"wrote {path.relative_to(ROOT)}")
    cv2.imwrite(str(PERSONAS), draw_people(list_personas()), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    print(f"wrote {PERSONAS.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
