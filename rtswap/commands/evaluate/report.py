"""What an evaluation came to: JSON for machines, a table for people, a contact sheet for the eye."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rtswap.app.console import Shown
from rtswap.commands.evaluate.figures import CLIPS, PAIRS, SETS, rounded, summary, worst
from rtswap.commands.evaluate.identity import IdentityJudge
from rtswap.commands.evaluate.sheet import draw_pairs
from rtswap.commands.evaluate.study import Study
from rtswap.commands.evaluate.table import Line, figures_table, table_lines
from rtswap.compositing.renderer import LEAST_REPLACED
from rtswap.core.text import plural
from rtswap.core.types import Image

VERSION = 1
KIDS = ("kid_local_statistics", "kid_dlib_stages")
WORST = 8
WEAK = "a weak judge: install the extra identity (pip install 'rtswap[identity]') for one that counts"


@dataclass
class Findings:
    """Everything that was found out, while it is found out. Lists of one entry for each contender."""

    study: Study
    identity: Sequence[IdentityJudge]
    landmarks: str
    """Name of the judge of landmarks."""
    seed: int
    unusable: dict[str, str] = field(default_factory=dict)
    """Photo -> why."""
    clips: list[str] = field(default_factory=list)
    clip_rows: list[list[dict[str, float]]] = field(default_factory=list)
    """Of each contender: a row for each clip."""
    speed: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    speed_px: float = math.nan
    """Width of the face at which speed was measured."""

    @property
    def names(self) -> list[str]:
        """Of the contenders."""
        return [record.name for record in self.study.records]

    def sets(self) -> list[dict[str, float]]:
        """Figures of all pairs together, of each contender."""
        found = []
        for number, name in enumerate(self.names):
            row = self.study.of_sets(number, self.seed)
            if name in self.speed:
                row["ms_per_face"] = self.speed[name]["median_ms"]
            found.append(row)
        return found

    def lines(self) -> list[Line]:
        """Of the table."""
        rows = [record.rows for record in self.study.records]
        sets = [[row] for row in self.sets()]
        found = [*table_lines(PAIRS[:4], rows), *table_lines(SETS[:1], sets), *table_lines(PAIRS[4:], rows)]
        return [*found, *table_lines(SETS[1:], sets), *table_lines(CLIPS, self.clip_rows)]

    def judges(self) -> list[str]:
        """A line for each."""
        first, *others = self.identity
        said = [f"identity: {first.name}" + (f" ({WEAK})" if first.weak else "")]
        said += [f"second judge: {one.name}" for one in others]
        return [*said, f"landmarks: {self.landmarks}"]


def as_json(findings: Findings, command: str, machine: Mapping[str, Any]) -> dict[str, Any]:
    """Everything, with the figures of every pair."""
    study, names = findings.study, findings.names
    lines, sets = findings.lines(), findings.sets()
    of_each = {}
    for number, name in enumerate(names):
        rows = study.records[number].rows
        of_each[name] = {
            "pairs": summary(PAIRS, rows),
            "all": rounded(sets[number]),
            "clips": summary(CLIPS, findings.clip_rows[number]) if findings.clip_rows else {},
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
        "between_photos": rounded(study.of_photos(findings.seed)),
        "speed_at_face_px": round(findings.speed_px, 1) if math.isfinite(findings.speed_px) else None,
        "contenders": of_each,
    }
    if len(names) == 2:
        better = {"A": names[0], "B": names[1]}
        found["comparison"] = {
            figure.key: {
                "difference": _digits(verdict.difference),
                "better": better.get(verdict.better, verdict.better),
            }
            for figure, _, verdict in lines
            if verdict is not None
        }
    found["clips"] = [
        {"clip": clip} | {name: rounded(findings.clip_rows[k][n]) for k, name in enumerate(names)}
        for n, clip in enumerate(findings.clips)
    ]
    found["rows"] = [
        {"source": source, "target": target}
        | {name: rounded(study.records[k].rows[n]) for k, name in enumerate(names)}
        for n, (source, target) in enumerate(study.pairs)
    ]
    return found | {"machine": dict(machine)}


def shown(findings: Findings, *, stats: bool) -> list[Shown]:
    """The table, and under it what must be known to read it."""
    return [figures_table(findings.names, findings.lines()), *_counted(findings), *_notes(findings, stats=stats)]


def _counted(findings: Findings) -> list[str]:
    """From how much the figures come, and what was left out."""
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
                f"{record.name} leaves so much of {plural(bare, 'target')} bare that a run would cover them."
            )
    return lines


def _notes(findings: Findings, *, stats: bool) -> list[str]:
    """How the figures are meant."""
    lines = findings.judges()
    apart = findings.study.of_photos(findings.seed)
    if stats and any(key in apart for key in KIDS):
        kids = [f"{apart[key]:.3f} ({key.removeprefix('kid_').replace('_', ' ')})" for key in KIDS if key in apart]
        lines.append(f"KID between the photos of the sources and of the targets, all real: {', '.join(kids)}")
    for name, took in findings.speed.items() if stats else ():
        lines.append(
            f"time of {name} for a face of {findings.speed_px:.0f} px: {took['min_ms']:.1f} ms at least, "
            f"{took['p10_ms']:.1f} to {took['p90_ms']:.1f} from the 10th to the 90th percentile"
        )
    if len(findings.names) == 2:
        lines.append("better: by more than twice the standard error over the pairs; = within it")
    return lines


def as_sheet(findings: Findings, mark: Callable[[Image], Image]) -> Image:
    """The contact sheet."""
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


def _digits(value: float) -> float | None:
    return round(value, 4) if math.isfinite(value) else None
