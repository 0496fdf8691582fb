"""``rtswap eval``: photos and clips in; figures, a table and a contact sheet out."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from rtswap.bench import machine
from rtswap.config import Config
from rtswap.consent import ConsentRecord, ask
from rtswap.console import Console
from rtswap.disclosure import Disclosure
from rtswap.errors import InputError, OutputError
from rtswap.evaluation.contenders import Contender
from rtswap.evaluation.faces import Face, FaceFinder
from rtswap.evaluation.features import feature_sets
from rtswap.evaluation.filming import film_figures
from rtswap.evaluation.identity import identity_judges
from rtswap.evaluation.judge import Judge, own_judge
from rtswap.evaluation.pairs import Pair
from rtswap.evaluation.report import WEAK, Findings, as_json, as_sheet, as_text
from rtswap.evaluation.sheet import thumbnail
from rtswap.evaluation.speed import RUNS, WARM_UP, time_in_turn
from rtswap.evaluation.study import Study
from rtswap.evaluation.wanted import Wanted, contenders
from rtswap.eyes import Eyes, open_eyes
from rtswap.inspection.folder import whole_folder
from rtswap.losses import one_file, refuse
from rtswap.marks import make_disclosure
from rtswap.outputs.image import ImageOutput
from rtswap.types import Frame, Image

FILES = ("sheet.png", "eval.json")
A_CLIP = 20
"""Pairs that take about as long as a clip, for the bar."""
FEW = 20
"""Pairs below which the figures say little."""


def evaluate(
    config: Config,
    wanted: Wanted,
    *,
    console: Console,
    command: str = "rtswap eval",
    judge: Callable[[Eyes], Judge] = own_judge,
) -> tuple[dict[str, Any], str]:
    """The figures, as JSON and as a table; both files are in ``wanted.out`` then. Raises RtswapError."""
    out = wanted.out.expanduser()
    folders = [str(path) for path in (wanted.sources, wanted.targets, wanted.clips, wanted.swapped) if path]
    refuse([(path, "what is evaluated") for path in folders], [one_file(out / name) for name in FILES])
    with whole_folder(out, FILES, overwrite=wanted.overwrite) as work:
        candidates = wanted.candidates()
        likely = candidates[: wanted.pairs + wanted.pairs // 5 + 10]
        sources = list(dict.fromkeys(source for source, _ in likely))
        ask(sources, ConsentRecord(), assume=config.source.i_have_consent, on_event=console.event)
        run = _Evaluation(config, wanted, console, judge)
        run.photos([pair for pair in candidates if pair[0] in set(sources)])
        run.time()
        run.film()
        run.end()
        report = as_json(run.findings, command, machine() | {"engine": run.eyes.engine})
        _save(work / FILES[0], as_sheet(run.findings, _marker(make_disclosure(config, console.event))))
        _write(work / FILES[1], report)
    return report, as_text(run.findings)


class _Evaluation:
    """One run, step by step."""

    def __init__(self, config: Config, wanted: Wanted, console: Console, judge: Callable[[Eyes], Judge]) -> None:
        self.eyes = eyes = open_eyes(config, on_event=console.event)
        self._wanted, self._console = wanted, console
        self._finder = FaceFinder(eyes.photo_detector, eyes.landmarks)
        embedder = eyes.embedder()
        identity = identity_judges(eyes, embedder)
        if identity[0].weak:
            console.event(f"identity is judged by {identity[0].name}, {WEAK}")
        self._judge = judge(eyes)
        self._study = Study(
            contenders(wanted, config, eyes, embedder),
            judge=self._judge,
            identity=identity,
            features=feature_sets(config),
            thumbnail=thumbnail,
            on_event=console.event,
        )
        self.findings = Findings(self._study, identity, self._judge.name, wanted.seed)
        self._first: tuple[Face, Face] | None = None
        self._total = wanted.pairs + A_CLIP * wanted.clip_count()

    def photos(self, candidates: list[Pair]) -> None:
        """As many pairs as are wanted, or as can be made. Raises InputError where there is none."""
        self._total += min(0, len(candidates) - self._wanted.pairs)
        for pair in candidates:
            if len(self._study.pairs) >= self._wanted.pairs:
                break
            faces = [self._face(path) for path in pair]
            source, target = faces
            if source is None or target is None:
                continue
            if self._study.add(source, target) and self._first is None:
                self._first = source, target
            done = len(self._study.pairs)
            self._console.progress(done, self._total, f"{source.name} > {target.name}")
        count = len(self._study.pairs)
        if not count:
            tried = (
                f"{len(self.findings.unusable)} unusable photos, {len(self._study.refused)} pairs without a result"
            )
            raise InputError("there is no pair to evaluate", got=tried, do="Give photos that show one face each.")
        if count < min(FEW, self._wanted.pairs):
            self._console.event(f"{count} pairs: so few say little, and nothing about sets (KID)")

    def _face(self, path: Path) -> Face | None:
        """None where the photo cannot be used, which is told once."""
        if str(path.name) in self.findings.unusable:
            return None
        try:
            return self._finder.find(path)
        except InputError as error:
            self.findings.unusable[path.name] = str(error)
            self._console.event(f"left out: {error}")
            return None

    def time(self) -> None:
        """A face that is swapped over and over, 30 times a second of stream time."""
        if self._first is None:
            return
        source, target = self._first
        timed: list[Contender] = [one for one in self._study.contenders if one.timed]
        works = {one.name: _again(one, source, target) for one in timed}
        if works:
            self.findings.speed = time_in_turn(works, runs=RUNS, warm_up=WARM_UP)
            self.findings.speed_px = float(np.ptp(target.mesh.points[:, 0]))

    def film(self) -> None:
        """Every clip by every contender, with the first pair's source."""
        if self._first is None:
            return
        source, target = self._first
        bound = [one.bind(source) for one in self._study.contenders]
        self.findings.clip_rows = [[] for _ in bound]
        for clip in self._wanted.footage(self.eyes, target.name, self._console.event):
            done = len(self._study.pairs) + A_CLIP * len(self.findings.clips)
            self._console.progress(done, self._total, clip.name)
            swaps = {n: swap for n, one in enumerate(bound) if (swap := one.film(clip)) is not None}
            if not swaps:
                self._console.event("no clips: results in a folder are pictures only")
                return
            try:
                rows = film_figures(clip, list(swaps.values()), self._judge, self.eyes)
            except InputError as error:
                self._console.event(f"left out: {error}")
                continue
            self.findings.clips.append(clip.name)
            found = dict(zip(swaps, rows, strict=True))
            for n, of_one in enumerate(self.findings.clip_rows):
                of_one.append(found.get(n, {}))

    def end(self) -> None:
        """The bar is full."""
        self._console.progress(self._total, self._total)
        self._console.finish()


def _again(contender: Contender, source: Face, target: Face) -> Callable[[], object]:
    bound, count = contender.bind(source), iter(range(10**9))
    return lambda: bound.work(target, next(count) / 30)


def _marker(disclosure: Disclosure) -> Callable[[Image], Image]:
    """Marks a small picture that shows a swap, in place."""

    def mark(image: Image) -> Image:
        return disclosure.mark(image, frame=Frame(image, 0, time.perf_counter()), swapped=1, stages={}).image

    return mark


def _save(path: Path, image: Image) -> None:
    frame = Frame(image, 0, time.perf_counter(), 0.0)
    ImageOutput(path).send(Disclosure(None).mark(image, frame=frame, swapped=0, stages={}))


def _write(path: Path, report: dict[str, Any]) -> None:
    """A line for each pair and clip, so that two reports can be compared by eye."""
    rows = {key: report[key] for key in ("clips", "rows")}
    head = json.dumps({key: value for key, value in report.items() if key not in rows}, indent=1, ensure_ascii=False)
    text = head[:-2]
    for key, values in rows.items():
        lines = ",\n".join(f"  {json.dumps(value, ensure_ascii=False)}" for value in values)
        text += f',\n "{key}": [\n{lines}\n ]' if values else f',\n "{key}": []'
    try:
        path.write_text(text + "\n}\n", "utf-8", "backslashreplace")
    except OSError as error:
        raise OutputError(f"cannot write {path}", got=error.strerror or str(error)) from None
