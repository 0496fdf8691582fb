"""``rtswap eval``: evaluate on photos and clips, write figures and a contact sheet, return the table."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from rtswap.app.config import Config
from rtswap.app.console import Console, Shown
from rtswap.app.marking import make_disclosure
from rtswap.app.networks import open_models
from rtswap.app.overwriting import one_file, refuse
from rtswap.commands.bench.machine import machine
from rtswap.commands.evaluate.candidates import Candidate
from rtswap.commands.evaluate.clip_metrics import film_figures
from rtswap.commands.evaluate.faces import Face, FaceFinder
from rtswap.commands.evaluate.features import feature_sets
from rtswap.commands.evaluate.identity import identity_judges
from rtswap.commands.evaluate.landmark_judge import open_judge
from rtswap.commands.evaluate.options import EvaluateOptions, candidates
from rtswap.commands.evaluate.pairs import Pair
from rtswap.commands.evaluate.report import WEAK, Findings, as_json, as_sheet, format_findings
from rtswap.commands.evaluate.sheet import thumbnail
from rtswap.commands.evaluate.speed import RUNS, WARM_UP, time_in_turn
from rtswap.commands.evaluate.study import Study
from rtswap.commands.reports.folder import publish_folder, write_rows
from rtswap.commands.reports.marked_sheet import mark_sheet, save_sheet
from rtswap.core.errors import InputError
from rtswap.core.text import plural
from rtswap.core.types import Frame, Image
from rtswap.core.urls import expanded
from rtswap.disclosure import Disclosure
from rtswap.source.consent import ConsentRecord, ask
from rtswap.vision.foreign_pictures import say_passed_over
from rtswap.vision.images import PICTURE_SUFFIXES

FILES = ("sheet.png", "eval.json")
A_CLIP = 20
"""Number of pairs that take about as long as a clip, for the progress bar."""
FEW = 20
"""Fewer pairs than this give unreliable figures."""


def evaluate(
    config: Config,
    wanted: EvaluateOptions,
    *,
    console: Console,
    command: str = "rtswap eval",
) -> tuple[dict[str, Any], list[Shown]]:
    """Write sheet.png and eval.json into ``wanted.out``; return the figures and their text. Raises RtswapError."""
    out = expanded(wanted.out)
    folders = [
        str(path) for path in (wanted.sources, wanted.targets, wanted.clips, wanted.swapped, wanted.judge) if path
    ]
    refuse([(path, "an input") for path in folders], [one_file(out / name) for name in FILES])
    with publish_folder(out, FILES, overwrite=wanted.overwrite) as work:
        candidates = wanted.candidates()
        for folder in dict.fromkeys(filter(None, (wanted.sources, wanted.targets))):
            if left := say_passed_over(folder, PICTURE_SUFFIXES):
                console.event(left)
        likely = candidates[: wanted.pairs + wanted.pairs // 5 + 10]
        sources = list(dict.fromkeys(source for source, _ in likely))
        ask(sources, ConsentRecord(), assume=config.source.i_have_consent, on_event=console.event)
        run = _Evaluation(config, wanted, console)
        run.photos([pair for pair in candidates if pair[0] in set(sources)])
        run.time()
        run.film()
        run.end()
        report = as_json(run.findings, command, machine() | {"engine": run.models.engine})
        disclosure = make_disclosure(config, console.event)
        save_sheet(work / FILES[0], mark_sheet(as_sheet(run.findings, _marker(disclosure)), disclosure))
        rows = {key: report[key] for key in ("clips", "rows")}
        write_rows(work / FILES[1], {key: value for key, value in report.items() if key not in rows}, rows)
    return report, format_findings(run.findings, stats=console.stats)


class _Evaluation:
    """The steps of one evaluation."""

    def __init__(self, config: Config, wanted: EvaluateOptions, console: Console) -> None:
        self.models = models = open_models(config, on_event=console.event)
        self._wanted, self._console = wanted, console
        self._finder = FaceFinder(models.photo_detector, models.landmarks)
        identity = identity_judges(models, models.embedder())
        if identity[0].weak:
            console.event(f"identity judge: {identity[0].name}, {WEAK}")
        self._judge = open_judge(wanted.judge, models)
        self._study = Study(
            candidates(wanted, config, models),
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
        """Measure up to ``wanted.pairs`` pairs. Raises InputError if there is none."""
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
                f"{plural(len(self.findings.unusable), 'unusable photo')}, "
                f"{plural(len(self._study.refused), 'pair')} without a result"
            )
            if not self.findings.unusable and not self._study.refused:
                raise InputError("no pair to evaluate", got="one photo as source and target", do="Give two or more.")
            raise InputError("no pair to evaluate", got=tried, do="Give photos that show one face each.")
        if count < min(FEW, self._wanted.pairs):
            self._console.event(f"{plural(count, 'pair')}: too few for reliable figures and for KID")

    def _face(self, path: Path) -> Face | None:
        """Return the face of a photo; None if it is unusable, reported once."""
        if str(path.name) in self.findings.unusable:
            return None
        try:
            return self._finder.find(path)
        except InputError as error:
            self.findings.unusable[path.name] = str(error)
            self._console.event(f"left out: {error}")
            return None

    def time(self) -> None:
        """Time repeated swaps of one face, at 30 fps of stream time."""
        if self._first is None:
            return
        source, target = self._first
        timed: list[Candidate] = [one for one in self._study.candidates if one.timed]
        works = {one.name: _again(one, source, target) for one in timed}
        if works:
            self.findings.speed = time_in_turn(works, runs=RUNS, warm_up=WARM_UP)
            self.findings.speed_px = float(np.ptp(target.mesh.points[:, 0]))

    def film(self) -> None:
        """Measure every clip with every contender and the first pair's source."""
        if self._first is None:
            return
        source, target = self._first
        bound = [one.bind(source) for one in self._study.candidates]
        self.findings.clip_rows = [[] for _ in bound]
        for clip in self._wanted.footage(self.models, target.name, self._console.event):
            done = len(self._study.pairs) + A_CLIP * len(self.findings.clips)
            self._console.progress(done, self._total, clip.name)
            swaps = {n: swap for n, one in enumerate(bound) if (swap := one.film(clip)) is not None}
            if not swaps:
                self._console.event("clips skipped: a folder of results holds pictures only")
                return
            try:
                rows = film_figures(clip, list(swaps.values()), self._judge, self.models)
            except InputError as error:
                self._console.event(f"left out: {error}")
                continue
            self.findings.clips.append(clip.name)
            found = dict(zip(swaps, rows, strict=True))
            for n, of_one in enumerate(self.findings.clip_rows):
                of_one.append(found.get(n, {}))

    def end(self) -> None:
        """Complete the progress bar."""
        self._console.progress(self._total, self._total)
        self._console.finish()


def _again(candidate: Candidate, source: Face, target: Face) -> Callable[[], object]:
    bound, count = candidate.bind(source), iter(range(10**9))
    return lambda: bound.work(target, next(count) / 30)


def _marker(disclosure: Disclosure) -> Callable[[Image], Image]:
    """Return a function that marks a thumbnail of a swap in place."""

    def mark(image: Image) -> Image:
        return disclosure.mark(image, frame=Frame(image, 0, time.perf_counter()), swapped=1, stages={}).image

    return mark
