"""Format an evaluation as JSON, as a table and as a contact sheet."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rtswap.app.console import Shown
from rtswap.commands.evaluate.figures import CLIPS, PAIRS, SETS, round_row, summary, worst
from rtswap.commands.evaluate.identity import IdentityJudge
from rtswap.commands.evaluate.sheet import draw_pairs
from rtswap.commands.evaluate.study import Study
from rtswap.commands.evaluate.table import Line, figures_table, table_lines
from rtswap.commands.evaluate.tones import tone_tables, tones_json
from rtswap.commands.reports.folder import finite
from rtswap.compositing.renderer import LEAST_REPLACED
from rtswap.core.isolation import pip_install
from rtswap.core.text import plural
from rtswap.core.types import Image

VERSION = 1
KIDS = ("kid_local_statistics", "kid_dlib_stages")
WORST = 8
WEAK = f"a weak judge: install the extra identity ({pip_install('rtswap[identity]')}) for a reliable one"


@dataclass
class Findings:
    """The results so far. Lists have one entry per contender."""

    study: Study
    identity: Sequence[IdentityJudge]
    landmarks: str
    """Name of the landmark judge."""
    seed: int
    unusable: dict[str, str] = field(default_factory=dict)
    """Photo -> reason."""
    clips: list[str] = field(default_factory=list)
    clip_rows: list[list[dict[str, float]]] = field(default_factory=list)
    """For each contender, a row for each clip."""
    speed: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    speed_px: float = math.nan
    """Face width at which speed was measured, px."""

    @property
    def names(self) -> list[str]:
        """Names of the contenders."""
        return [record.name for record in self.study.records]

    def sets(self) -> list[dict[str, float]]:
        """Return the figures over all pairs together, for each contender."""
        found = []
        for number, name in enumerate(self.names):
            row = self.study.of_sets(number, self.seed)
            if name in self.speed:
                row["ms_per_face"] = self.speed[name]["median_ms"]
            found.append(row)
        return found

    def lines(self) -> list[Line]:
        """Return the lines of the table."""
        rows = [record.rows for record in self.study.records]
        sets = [[row] for row in self.sets()]
        found = [*table_lines(PAIRS[:4], rows), *table_lines(SETS[:1], sets), *table_lines(PAIRS[4:], rows)]
        return [*found, *table_lines(SETS[1:], sets), *table_lines(CLIPS, self.clip_rows)]

    def judges(self) -> list[str]:
        """Return a line for each judge."""
        first, *others = self.identity
        said = [f"identity: {first.name}" + (f" ({WEAK})" if first.weak else "")]
        said += [f"second judge: {one.name}" for one in others]
        return [*said, f"landmarks: {self.landmarks}"]


def as_json(findings: Findings, command: str, machine: Mapping[str, Any]) -> dict[str, Any]:
    """Return all results as JSON types, with the figures of every pair."""
    study, names = findings.study, findings.names
    lines, sets = findings.lines(), findings.sets()
    of_each = {}
    for number, name in enumerate(names):
        rows = study.records[number].rows
        of_each[name] = {
            "pairs": summary(PAIRS, rows),
            "all": round_row(sets[number]),
            "clips": summary(CLIPS, findings.clip_rows[number]) if findings.clip_rows else {},
            "tones": tones_json(rows),
            "speed_ms": findings.speed.get(name),
            "worst": {
                figure.key: [
                    f"{' > '.join(study.pairs[n])}: {rows[n][figure.key]:.{figure.digits}f}"
                    for n in worst(figure, rows, WORST)
                ]
                for figure in PAIRS
            },
        }
    found: dict[str, Any] = {
        "version": VERSION,
        "command": command,
        "pairs": len(study.pairs),
        "sources": len({source for source, _ in study.pairs}),
        "targets": len({target for _, target in study.pairs}),
        "seed": findings.seed,
        "judges": findings.judges(),
        "unusable_photos": findings.unusable,
        "left_out": study.refused,
        "between_photos": round_row(study.of_photos(findings.seed)),
        "speed_at_face_px": finite(findings.speed_px, 1),
        "contenders": of_each,
    }
    if len(names) == 2:
        better = {"A": names[0], "B": names[1]}
        found["comparison"] = {
            figure.key: {
                "difference": finite(verdict.difference),
                "better": better.get(verdict.better, verdict.better),
            }
            for figure, _, verdict in lines
            if verdict is not None
        }
    found["clips"] = [
        {"clip": clip} | {name: round_row(findings.clip_rows[k][n]) for k, name in enumerate(names)}
        for n, clip in enumerate(findings.clips)
    ]
    found["rows"] = [
        {"source": source, "target": target}
        | {name: round_row(study.records[k].rows[n]) for k, name in enumerate(names)}
        for n, (source, target) in enumerate(study.pairs)
    ]
    return found | {"machine": dict(machine)}


def format_findings(findings: Findings, *, stats: bool) -> list[Shown]:
    """Format the results as a table with notes below."""
    tones = [table for one in findings.study.records for table in tone_tables(one.name, one.rows)]
    figures = figures_table(findings.names, findings.lines())
    return [figures, *tones, *_count(findings), *_notes(findings, stats=stats)]


def _count(findings: Findings) -> list[str]:
    """Return the number of pairs and clips, and what was left out."""
    study = findings.study
    sources, targets = (len({pair[n] for pair in study.pairs}) for n in (0, 1))
    clips = f", {plural(len(findings.clips), 'clip')}" if findings.clips else ""
    people = f"{plural(sources, 'source')} and {plural(targets, 'target')}"
    lines = [f"{plural(len(study.pairs), 'pair')} of {people}{clips}."]
    if findings.unusable:
        lines.append(f"Left out: {plural(len(findings.unusable), 'photo')}: {', '.join(findings.unusable)}")
    if study.refused:
        lines.append(f"Left out: {plural(len(study.refused), 'pair')} without a result.")
    for record in study.records:
        if bare := sum(row["replaced"] < LEAST_REPLACED for row in record.rows):
            lines.append(
                f"{record.name} replaces so little of {plural(bare, 'target')} that a run would cover the face."
            )
    return lines


def _notes(findings: Findings, *, stats: bool) -> list[str]:
    """Return the judges, the baseline KID, the timing spread and how the comparison works."""
    lines = findings.judges()
    apart = findings.study.of_photos(findings.seed)
    if stats and any(key in apart for key in KIDS):
        kids = [f"{apart[key]:.3f} ({key.removeprefix('kid_').replace('_', ' ')})" for key in KIDS if key in apart]
        lines.append(f"KID between the real photos of sources and targets, for scale: {', '.join(kids)}")
    for name, took in findings.speed.items() if stats else ():
        lines.append(
            f"time of {name} for a face of {findings.speed_px:.0f} px: minimum {took['min_ms']:.1f} ms, "
            f"10th to 90th percentile {took['p10_ms']:.1f} to {took['p90_ms']:.1f} ms"
        )
    if len(findings.names) == 2:
        lines.append("better: by more than twice the standard error over the pairs; = not better")
    return lines


def as_sheet(findings: Findings, mark: Callable[[Image], Image]) -> Image:
    """Return the contact sheet, (H, W, 3) BGR uint8."""
    study, records = findings.study, findings.study.records
    return draw_pairs(
        " against ".join(findings.names),
        [f"{plural(len(study.pairs), 'pair')}, the worst of {findings.names[0]} first", "; ".join(findings.judges())],
        findings.names,
        study.pairs,
        study.thumbnails,
        [record.thumbnails for record in records],
        [record.selves for record in records],
        [record.rows for record in records],
        mark,
    )
