"""Select frames for the contact sheet: some evenly spaced, and the worst of every kind. Holds few pictures."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from rtswap.commands.inspect.figures import JUMP, FaceFigures
from rtswap.core.types import Image

EVENLY = 12
WORST = 3
"""Frames of every kind."""
APART_S = 0.5
"""Two bad frames closer than this, s, count as one moment, shown by the worse."""
DOUBTFUL, HIDDEN, TURNED = 0.95, 0.1, 20.0
"""Thresholds for a picture: confidence or presence below, occlusion (share of the face) and yaw (degrees) above."""

Take = Callable[[int | None], Image]
"""Draws the current frame around the face of this id."""


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """A frame of the contact sheet."""

    kind: str
    why: str
    """The reason with its figure."""
    frame: int
    time_s: float
    face: int | None
    badness: float
    picture: Image


class EvenlySpaced:
    """Evenly spaced frames of a clip of unknown length: every n-th; n doubles when there are too many."""

    def __init__(self) -> None:
        self._kept: list[Moment] = []
        self._step = 1

    def offer(self, frame: int, time_s: float, take: Take) -> None:
        """Offer the next frame."""
        if frame % self._step:
            return
        self._kept.append(Moment("evenly spaced", "", frame, time_s, None, 0.0, take(None)))
        if len(self._kept) > 3 * EVENLY:
            self._step *= 2
            self._kept = [moment for moment in self._kept if moment.frame % self._step == 0]

    def moments(self) -> list[Moment]:
        """Return at most ``EVENLY`` moments."""
        count = min(EVENLY, len(self._kept))
        return [self._kept[round(n * (len(self._kept) - 1) / max(1, count - 1))] for n in range(count)]


class Worst:
    """The worst moments of every kind."""

    def __init__(self) -> None:
        self._kept: dict[str, list[Moment]] = {}
        self._followed: set[int] = set()

    def offer(self, rows: Sequence[FaceFigures], frame: int, time_s: float, take: Take) -> None:
        """Offer a frame with the figures of its faces."""
        for row in rows:
            for kind, badness, why in _kinds(row):
                self._keep(kind, why, badness, frame, time_s, int(row.id), take)
        followed = {int(row.id) for row in rows}
        for gone in sorted(self._followed - followed):
            self._keep("lost", f"face {gone} lost", 1.0, frame, time_s, gone, take)
        self._followed = followed

    def moments(self) -> list[Moment]:
        """Return the moments by kind, worst first; a moment of several kinds comes once, with all reasons."""
        found: dict[tuple[int, int | None], Moment] = {}
        for moment in (moment for kind in KINDS for moment in self._kept.get(kind, [])):
            key = moment.frame, moment.face
            known = found.get(key)
            found[key] = moment if known is None else replace(known, why=f"{known.why}; {moment.why}")
        return list(found.values())

    def _keep(self, kind: str, why: str, badness: float, frame: int, time_s: float, face: int, take: Take) -> None:
        kept = self._kept.setdefault(kind, [])
        near = [moment for moment in kept if moment.face == face and abs(time_s - moment.time_s) < APART_S]
        if any(moment.badness >= badness for moment in near):
            return
        rest = [moment for moment in kept if moment not in near]
        if len(rest) >= WORST and min(moment.badness for moment in rest) >= badness:
            return
        new = Moment(kind, why, frame, time_s, face, badness, take(face))
        self._kept[kind] = sorted([*rest, new], key=lambda moment: -moment.badness)[:WORST]


_LEAST_MOVE = 0.02
"""In inter-ocular distances."""
KINDS = ("lost", "covered", "jump", "unsure", "hidden", "restless", "turned")


def _kinds(row: FaceFigures) -> list[tuple[str, float, str]]:
    """Return (kind, badness, reason) for everything about a face that is worth a picture."""
    found = []
    if not row.swapped:
        found.append(("covered", 1.0, "no swap: covered"))
    if row.jump >= _LEAST_MOVE:
        word = "jump" if row.jump >= JUMP else "quickest move"
        found.append(("jump", row.jump, f"{word}, {row.jump:.0%} of the eye distance"))
    sure = min(row.confidence, row.presence if not math.isnan(row.presence) else 1.0)
    if sure < DOUBTFUL:
        word = f"coasting, confidence {row.confidence:.2f}" if row.confidence < 1 else f"presence {row.presence:.2f}"
        found.append(("unsure", 1 - sure, word))
    taken = row.occlusion if not math.isnan(row.occlusion) else 0.0
    if max(taken, 1 - row.visible) > HIDDEN:
        words = f"{1 - row.visible:.0%} hidden" if 1 - row.visible >= taken else f"{taken:.0%} masked"
        found.append(("hidden", max(taken, 1 - row.visible), words))
    if not math.isnan(row.jitter):
        found.append(("restless", row.jitter, f"jitter {row.jitter:.1%}"))
    if abs(row.yaw) > TURNED:
        found.append(("turned", abs(row.yaw), f"turned {row.yaw:+.0f}°"))
    return found
