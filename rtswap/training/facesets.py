"""Facesets as the recipes learn them: in memory, at the size that a training needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.errors import UsageError
from rtswap.faceset.faceset import Faceset
from rtswap.faceset.record import NOBODY, FaceRecord
from rtswap.faceset.table import SHEET
from rtswap.training.people import Person, features_of
from rtswap.vision.resample import resized
from rtswap.vision.templates import TEMPLATES

LEAST_FACES = 30
MARGIN = 1.25
"""Stored pixels per pixel of a sample, so that enlarged samples stay sharp."""


def load_people(
    folders: Sequence[Path], numbers: Sequence[int | None], resolution: int, tell: Callable[[str], None]
) -> tuple[list[Person], list[list[str]], str]:
    """The people of facesets, the names of their pictures, and the template by which all their faces are aligned.
    ``numbers``: which person of each; None: everybody. ``tell`` is told what may be a mistake. Raises UsageError and
    InputError."""
    people, facesets, names = [], [], []
    for folder, number in zip(folders, numbers, strict=True):
        faceset = Faceset.open(folder)
        facesets.append(faceset)
        records = [face for face in faceset.records if number is None or face.person == number]
        known = sorted({face.person for face in faceset.records} - {NOBODY})
        if number is None and len(known) > 1:
            tell(
                f"{folder} holds {len(known)} people, as rtswap extract tells them apart. They are learnt as one; "
                f"for one of them give --data {folder}:{known[0]} ({SHEET} shows who is who)"
            )
        if not records:
            raise UsageError(
                f"there is no person {number} in {folder}",
                expected=", ".join(map(str, known[:12])) + (", ..." if len(known) > 12 else "") or "no number",
                do=f"{folder / SHEET} shows who is who.",
            )
        if len(records) < LEAST_FACES:
            which = f"of person {number} " if number is not None else ""
            raise UsageError(
                f"too few faces {which}in {folder}",
                expected=f"{LEAST_FACES} or more, better several hundred",
                got=str(len(records)),
                do="Extract more: longer clips, other light, other angles.",
            )
        people.append(load_person(faceset, records, resolution))
        names.append([face.file for face in records])
    return people, names, same_template(facesets)


def same_template(facesets: Sequence[Faceset]) -> str:
    """The template by which all facesets are aligned. Raises UsageError where they differ or nobody knows it."""
    templates = [str(faceset.settings.get("template", "ffhq")) for faceset in facesets]
    if len(set(templates)) > 1:
        raise UsageError(
            "the facesets are aligned differently",
            got=" and ".join(templates),
            do="Extract all with the same --template.",
        )
    if templates[0] not in TEMPLATES:
        raise UsageError(
            "the faces are aligned by an unknown template", expected=", ".join(TEMPLATES), got=repr(templates[0])[:40]
        )
    return templates[0]


def load_person(faceset: Faceset, records: Sequence[FaceRecord], resolution: int) -> Person:
    """Read these faces, at ``MARGIN`` times the resolution of a training or as large as they are."""
    side = min(round(MARGIN * resolution), records[0].size)
    parts: dict[str, list[NDArray[np.uint8]]] = {"pictures": [], "masks": [], "features": []}
    points: list[NDArray[np.float32]] = []
    for face in records:
        parts["pictures"].append(resized(faceset.picture(face), (side, side), cv2.INTER_AREA))
        parts["masks"].append(resized(faceset.mask(face), (side, side), cv2.INTER_AREA))
        points.append(face.landmarks[:, :2] * np.float32(side / face.size))
        parts["features"].append(features_of(points[-1], side))
    yaws = np.array([face.pose.yaw for face in records], np.float32)
    return Person(**{name: np.stack(part) for name, part in parts.items()}, yaws=yaws, points=np.stack(points))
