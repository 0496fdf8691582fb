"""Compare swappers on the same held-out photos and clips: one table and one sheet.

    python benchmarks/recipes.py --sources PHOTO... --targets PHOTO... --swapper mesh --swapper runs/any/any.rtswap
        [--swapper me.dfm ...] [--pairs N] [--clips FOLDER] [--samples any=120000 ...] [--blind] [--judge FILE]
        --out FILE

``--sources``, ``--targets``: photos of people whom no training has seen. Nobody is put on another photo of
themselves: whose it is stands before the last ``_`` of its name. Photos and clips are measured as by ``rtswap eval``:
identity by the cosine of dlib's network, which no recipe has seen in training, to source and target; ``retrieval`` of
the source among all sources; pose, expression, chroma, light, step, sharpness. Clips, each with the first source:
jitter, and correlation and gain of mouth, lids and brows. ``time per face``: all of the loop's work for one face, in
turn with the others'. ``parameters`` and ``GMAC``: of each graph, once per run. ``worst tenth``: its mean.

FILE is JSON; beside it are FILE.md, the table, and FILE.png, the sheet. ``--blind``: also FILE_blind.png, on which
the first two swappers are A or B, drawn anew for each row, and FILE_blind.json, which tells who is who.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from results_file import tell

from rtswap.app.config import Config
from rtswap.app.marking import make_disclosure
from rtswap.app.networks import open_models
from rtswap.app.sections import SourceConfig
from rtswap.app.swapper_file import with_installed_swapper
from rtswap.commands.bench.costs import multiply_adds
from rtswap.commands.bench.machine import machine
from rtswap.commands.evaluate.candidates import ProgramSwapper
from rtswap.commands.evaluate.clip_metrics import film_figures
from rtswap.commands.evaluate.clips import read_clip
from rtswap.commands.evaluate.faces import Face, FaceFinder
from rtswap.commands.evaluate.figures import CLIPS, PAIRS, SETS, round_row, worst_tenth
from rtswap.commands.evaluate.identity import identity_judges
from rtswap.commands.evaluate.landmark_judge import open_judge
from rtswap.commands.evaluate.pairs import Pair, pairs
from rtswap.commands.evaluate.sheet import thumbnail
from rtswap.commands.evaluate.speed import time_in_turn
from rtswap.commands.evaluate.study import Study
from rtswap.commands.evaluate.table import table_lines
from rtswap.commands.reports.marked_sheet import mark_sheet, save_sheet
from rtswap.core.errors import InputError
from rtswap.core.types import Image
from rtswap.drawing.sheet import Section, Tile, draw_sheet
from rtswap.networks.system_file import is_system_file, read_system

ASSETS = Path(__file__).parents[1] / "rtswap" / "assets"
PAPERS = {
    "inswapper": (0.969, 0.73, 2.84),
    "HifiFace": (0.934, 0.62, 3.59),
    "SimSwap": (0.900, 0.61, 2.14),
    "MegaFS": (0.737, 0.50, 5.09),
    "FaceDancer": (0.728, 0.49, 3.42),
    "FaceShifter (unofficial)": (0.664, 0.44, 5.26),
    "FSGAN": (0.651, 0.50, 3.34),
    "FSLSD": (0.155, 0.25, 5.63),
}
"""Published by one evaluator, on other data at 256 px and more, by other judges: retrieval, cosine to the source,
pose error. Comparable with ours in their order at most."""
TAILS = ("chroma", "light", "step")
"""Figures whose worst tenth is told too."""


def configuration(word: str) -> Config:
    """Of one swapper, by its name or its file, which is installed."""
    config = Config(source=SourceConfig(i_have_consent=True))
    return with_installed_swapper(replace(config, swap=replace(config.swap, swapper=word)), print)


def graphs_of(word: str) -> dict[str, onnx.ModelProto]:
    """The graphs of a swapper's file, or of one that ships; none for those without a network."""
    path = Path(word)
    if is_system_file(path):
        with tempfile.TemporaryDirectory() as folder:
            parts = read_system(path, Path(folder)).graphs
            return {part: onnx.load(Path(folder) / f"{part}.onnx") for part in parts}
    found = [path] if path.suffix else sorted(ASSETS.glob(f"{word}*.onnx"))
    return {one.stem: onnx.load(one) for one in found}


def cost(model: onnx.ModelProto) -> dict[str, float]:
    """Millions of parameters, and GMAC of one run of a batch of one."""
    weights = sum(int(np.prod(tensor.dims)) for tensor in model.graph.initializer)
    shapes = {
        value.name: np.empty([max(length.dim_value, 1) for length in value.type.tensor_type.shape.dim], np.uint8)
        for value in model.graph.input
    }
    return {"parameters_m": round(weights / 1e6, 3), "gmac": round(multiply_adds(model, shapes) / 1e9, 4)}


def draw_pairs(sources: Sequence[Path], targets: Sequence[Path], seed: int) -> list[Pair]:
    """All pairs of two people, shuffled."""

    def person(path: Path) -> str:
        return path.stem.rpartition("_")[0] or path.stem

    return [pair for pair in pairs(sources, targets, seed) if person(pair[0]) != person(pair[1])]


class Comparison:
    """Measures all swappers on photos and clips."""

    def __init__(self, words: Sequence[str], judge: Path | None) -> None:
        configs = {Path(word).stem: configuration(word) for word in words}
        self.models = open_models(Config(), on_event=print)  # after the files are installed
        self.finder = FaceFinder(self.models.photo_detector, self.models.landmarks)
        self.identity = identity_judges(self.models, self.models.embedder())
        if self.identity[0].weak:
            print(f"identity by {self.identity[0].name}, which trainings use: pip install 'rtswap[identity]'")
        self.judge = open_judge(judge, self.models)
        self.candidates = [ProgramSwapper(config, self.models, name=name) for name, config in configs.items()]
        self.names = list(configs)
        self.study = Study(
            self.candidates,
            judge=self.judge,
            identity=self.identity,
            features=(),
            thumbnail=thumbnail,
            on_event=print,
        )
        self.first: tuple[Face, Face] | None = None

    def photos(self, candidates: Sequence[Pair], count: int) -> None:
        """Measure ``count`` pairs. Raises InputError if there is none."""
        for paths in candidates:
            if len(self.study.pairs) == count:
                break
            try:
                source, target = map(self.finder.find, paths)
            except InputError as error:
                print(f"left out: {error}")
                continue
            if self.study.add(source, target) and self.first is None:
                self.first = source, target
        if self.first is None:
            raise InputError("no pair to compare on", do="Give photos that show one face each, of several people.")

    def times(self) -> dict[str, float]:
        """Milliseconds for the first pair's face."""
        assert self.first is not None
        source, target = self.first
        bound = {one.name: one.bind(source) for one in self.candidates}
        clock = iter(range(10**9))
        works = {name: lambda one=one: one.work(target, next(clock) / 30) for name, one in bound.items()}
        return {name: spent["median_ms"] for name, spent in time_in_turn(works).items()}

    def clips(self, paths: Sequence[Path], source: Face) -> list[list[dict[str, float]]]:
        """Per swapper, a row of figures for each clip."""
        rows: list[list[dict[str, float]]] = [[] for _ in self.candidates]
        bound = [one.bind(source) for one in self.candidates]
        for path in paths:
            clip = read_clip(path, 4e8)
            swaps = [swap for one in bound if (swap := one.film(clip)) is not None]
            for row, found in zip(rows, film_figures(clip, swaps, self.judge, self.models), strict=True):
                row.append(found)
        return rows


def figures(
    compared: Comparison, clip_rows: Sequence[Sequence[Mapping[str, float]]]
) -> list[tuple[str, list[float]]]:
    """The lines of the table: a label, and a value for each swapper."""
    study = compared.study
    spent = compared.times()
    sets = [study.of_sets(number, 0) | {"ms_per_face": spent[name]} for number, name in enumerate(compared.names)]
    rows = [record.rows for record in study.records]
    lines = [(figure.label, values) for figure, values, _ in table_lines(PAIRS, rows)]
    for figure in (one for one in PAIRS if one.key in TAILS):
        lines.append((f"{figure.key}, worst tenth", [worst_tenth(figure, of_one) for of_one in rows]))
    lines += [(figure.label, values) for figure, values, _ in table_lines(SETS, [[one] for one in sets])]
    return lines + [(figure.label, values) for figure, values, _ in table_lines(CLIPS, clip_rows)]


def markdown(names: Sequence[str], lines: Sequence[tuple[str, Sequence[Any]]]) -> str:
    """The table, with the papers' figures below."""

    def row(cells: Sequence[Any]) -> str:
        return "| " + " | ".join(f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in cells) + " |"

    def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
        return "\n".join([row(head), "|" + "---|" * len(head), *map(row, rows)])

    papers = [(name, *values) for name, values in PAPERS.items()]
    return (
        table(["", *names], [(label, *values) for label, values in lines])
        + "\n\nPublished, by one evaluator with other judges and other data, at 256 px and more:\n\n"
        + table(["", "retrieval", "cosine to the source", "pose error, degrees"], papers)
        + "\n"
    )


def strip(pictures: Sequence[Image]) -> Image:
    return np.hstack(pictures)


def named_sheet(study: Study, names: Sequence[str], notes: Sequence[str]) -> Image:
    """Source, target and every swapper, pair after pair."""
    tiles = [
        Tile(strip([*study.thumbnails[n], *(record.thumbnails[n] for record in study.records)]), " on ".join(pair))
        for n, pair in enumerate(study.pairs)
    ]
    return draw_sheet(f"source, target, {', '.join(names)}", notes, [Section("", tiles)], columns=1)


def blind_sheet(study: Study, rng: np.random.Generator) -> tuple[Image, list[str]]:
    """Source, target, A and B, and for each row which of the first two swappers A is."""
    firsts = rng.integers(0, 2, len(study.pairs)).tolist()
    tiles = [
        Tile(
            strip([*study.thumbnails[n], *(study.records[k].thumbnails[n] for k in (first, 1 - first))]),
            f"row {n + 1}",
        )
        for n, first in enumerate(firsts)
    ]
    sheet = draw_sheet("source, target, A, B", ["Which is the better swap?"], [Section("", tiles)], columns=1)
    return sheet, [study.records[first].name for first in firsts]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    add = parser.add_argument
    add("--sources", type=Path, nargs="+", required=True)
    add("--targets", type=Path, nargs="+", required=True)
    add("--swapper", action="append", required=True, help="name or file; several times")
    add("--pairs", type=int, default=24)
    add("--clips", type=Path, help="folder")
    add("--samples", action="append", default=[], metavar="NAME=COUNT", help="samples that a swapper was trained on")
    add("--blind", action="store_true", help="also a sheet of the first two on which they have no names")
    add("--judge", type=Path, help="landmark network, such as MediaPipe's; default: rtswap's own")
    add("--seed", type=int, default=0, help="of the pairs")
    add("--out", type=Path, required=True)
    given = parser.parse_args()
    if given.blind and len(given.swapper) < 2:
        parser.error("--blind needs two swappers")
    if len({Path(word).stem for word in given.swapper}) < len(given.swapper):
        parser.error("two swappers have the same name: rename a file")
    compared = Comparison(given.swapper, given.judge)
    compared.photos(draw_pairs(given.sources, given.targets, given.seed), given.pairs)
    films = sorted(one for one in given.clips.iterdir() if one.suffix != ".c2pa") if given.clips else []
    clip_rows = (
        compared.clips(films, compared.finder.find(given.sources[0])) if films else [[] for _ in given.swapper]
    )
    lines: list[tuple[str, list[Any]]] = [*figures(compared, clip_rows)]
    costs = {name: {part: cost(graph) for part, graph in graphs_of(word).items()}
             for name, word in zip(compared.names, given.swapper, strict=True)}  # fmt: skip
    samples = dict(word.split("=", 1) for word in given.samples)
    for key, label in (("parameters_m", "parameters, M"), ("gmac", "GMAC, each graph once")):
        lines.append((label, [round(sum(part[key] for part in costs[name].values()), 3) for name in compared.names]))
    lines.append(("training samples", [samples.get(name, "-") for name in compared.names]))
    table = markdown(compared.names, lines)
    print(table)
    study, marks = compared.study, make_disclosure(Config(), print)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.with_suffix(".md").write_text(table, "utf-8")
    notes = [f"identity by {compared.identity[0].name}", f"{len(study.pairs)} pairs of photos, {len(films)} clips"]
    sheet = named_sheet(study, compared.names, notes)
    save_sheet(given.out.with_suffix(".png"), mark_sheet(sheet, marks), overwrite=True)
    if given.blind:
        blind = given.out.with_name(f"{given.out.stem}_blind.png")
        sheet, key = blind_sheet(study, np.random.default_rng())
        save_sheet(blind, mark_sheet(sheet, marks), overwrite=True)
        blind.with_suffix(".json").write_text(json.dumps({"A": key, "pairs": study.pairs}, indent=1) + "\n", "utf-8")
    rows = {record.name: [round_row(row) for row in record.rows] for record in study.records}
    found = {label: dict(zip(compared.names, values, strict=True)) for label, values in lines}
    about = {"judge": compared.judge.name, "identity": compared.identity[0].name, "pairs": study.pairs}
    report = {**about, "figures": found, "graphs": costs, "papers": PAPERS, "machine": machine(), "rows": rows}
    tell(report, given.out, unprinted="rows")


if __name__ == "__main__":
    main()
