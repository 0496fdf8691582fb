"""Measure every face in every frame and store the figures as plain numbers: about 15 MB per hour of video."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtswap.commands.inspect.probes import Probe
from rtswap.core.types import Mesh, Points, Track
from rtswap.swappers.mesh.shape import measures, to_canonical
from rtswap.tracking.smoothing import STABLE
from rtswap.vision.geometry import interocular, transform
from rtswap.vision.pose import pose_of

NAN = math.nan
SEEN = 0.5
"""A landmark counts as visible from this visibility."""
JUMP = 0.3
"""Distance of a head from its position extrapolated from the last two frames, at 30 fps, from which it counts as a
jump, in inter-ocular distances. A person who starts to run reaches 0.1."""
NOMINAL_S = 1 / 30


class FaceFigures(NamedTuple):
    """Figures of one face in one frame. NaN: unknown. Lengths are in inter-ocular distances unless in px."""

    frame: float
    time_s: float
    id: float
    x1: float
    y1: float
    x2: float
    y2: float
    """Box, px."""
    interocular_px: float
    confidence: float
    """1 measured, falling to 0 while it coasts."""
    presence: float
    """0..1: the landmark network's confidence that there is a face."""
    visible: float
    """Share of the landmarks that are visible."""
    yaw: float
    pitch: float
    roll: float
    """Degrees."""
    mouth: float
    left_eye: float
    right_eye: float
    """Openings."""
    jitter_raw: float
    jitter: float
    """Mean second difference of the landmarks, before and after smoothing."""
    jump: float
    """Distance of the head from its position extrapolated from the last two frames."""
    mask: float
    """Share of the face's hull where the swap shows."""
    skin: float
    occlusion: float
    parts: float
    """Shares of the hull that these masks remove."""
    swapped: float
    """1 swapped, 0 covered."""


class FaceLog:
    """A growing table of ``FaceFigures``."""

    def __init__(self) -> None:
        self._values = array("f")

    def add(self, rows: Iterable[FaceFigures]) -> None:
        for row in rows:
            self._values.extend(row)

    def __len__(self) -> int:
        return len(self._values) // len(FaceFigures._fields)

    def column(self, name: str, face: int | None = None) -> NDArray[np.float32]:
        """Return one column of all rows, or of the rows of one face id."""
        table = np.array(self._values, np.float32).reshape(-1, len(FaceFigures._fields))
        if face is not None:
            table = table[table[:, FaceFigures._fields.index("id")] == face]
        return np.ascontiguousarray(table[:, FaceFigures._fields.index(name)])

    def rows(self) -> Iterable[FaceFigures]:
        width = len(FaceFigures._fields)
        for start in range(0, len(self._values), width):
            yield FaceFigures(*self._values[start : start + width])

    def ids(self) -> list[int]:
        """Return the face ids, most frequent first."""
        found, counts = np.unique(self.column("id"), return_counts=True)
        return [int(found[n]) for n in np.argsort(-counts, kind="stable")]


@dataclass(slots=True)
class _Past:
    """The last two meshes of one face, newest first, before and after smoothing."""

    raw: list[Points | None]
    smoothed: list[Points]
    frame: int


class FaceMeter:
    """Computes the figures of each frame. Stores two meshes per face."""

    def __init__(self) -> None:
        self._past: dict[int, _Past] = {}

    def measure(self, watch: Probe, frame: int, time_s: float, step_s: float) -> list[FaceFigures]:
        """Return the figures of every face in the frame. ``step_s``: seconds since the previous frame."""
        found = [self._one(watch, track, frame, time_s, step_s) for track in watch.tracks]
        self._past = {id: past for id, past in self._past.items() if frame - past.frame < 3}
        return found

    def _one(self, watch: Probe, track: Track, frame: int, time_s: float, step_s: float) -> FaceFigures:
        raw, masks = watch.raw(track), watch.masks.get(track.id)
        size = max(interocular(track.landmarks), 1e-3)
        jitter_raw, jitter, jump = self._motion(track, raw, frame, size)
        pose = pose_of(track.landmarks)
        opening = measures(transform(to_canonical(track.landmarks), track.landmarks))
        lost = masks.lost() if masks is not None else {}
        x1, y1, x2, y2 = (float(edge) for edge in track.box)
        return FaceFigures(
            frame=frame,
            time_s=time_s,
            id=track.id,
            x1=x1,
            y1=y1,
            x2=x2,
            y2=y2,
            interocular_px=size,
            confidence=track.confidence,
            presence=raw.presence if raw is not None else NAN,
            visible=float((track.visibility >= SEEN).mean()),
            yaw=pose.yaw,
            pitch=pose.pitch,
            roll=pose.roll,
            mouth=float(opening[0]),
            left_eye=float(opening[3]),
            right_eye=float(opening[4]),
            jitter_raw=jitter_raw,
            jitter=jitter,
            jump=jump / max(1.0, step_s / NOMINAL_S),
            mask=masks.share(masks.final) if masks is not None else NAN,
            skin=lost.get("skin", 0.0) if masks is not None else NAN,
            occlusion=lost.get("occlusion", 0.0) + lost.get("glasses", 0.0) if masks is not None else NAN,
            parts=lost.get("parts", 0.0) if masks is not None else NAN,
            swapped=float(watch.swapped(track)),
        )

    def _motion(self, track: Track, raw: Mesh | None, frame: int, size: float) -> tuple[float, float, float]:
        """Return (jitter before smoothing, jitter after smoothing, jump)."""
        now, own = track.landmarks[:, :2], raw.points[:, :2] if raw is not None else None
        past = self._past.get(track.id)
        if past is None or past.frame != frame - 1:
            self._past[track.id] = _Past([own], [now], frame)
            return NAN, NAN, NAN
        raws, smoothed = [own, *past.raw][:3], [now, *past.smoothed][:3]
        self._past[track.id] = _Past(raws[:2], smoothed[:2], frame)
        if len(smoothed) < 3:
            return NAN, NAN, NAN
        bend = smoothed[0] - 2 * smoothed[1] + smoothed[2]
        jump = float(np.linalg.norm(bend[STABLE].mean(0))) / size
        newest, middle, oldest = raws
        if newest is None or middle is None or oldest is None:
            return NAN, NAN, jump
        return _length(newest - 2 * middle + oldest) / size, _length(bend) / size, jump


def _length(vectors: Points) -> float:
    return float(np.linalg.norm(vectors, axis=1).mean())
