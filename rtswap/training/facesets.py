"""Facesets as the recipes learn them: in memory, at the size that a training needs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from rtswap.core.errors import UsageError
from rtswap.faceset import FaceRecord, Faceset
from rtswap.training.people import Person, features_of

LEAST_FACES = 30
MARGIN = 1.25
"""Stored pixels per pixel of a sample, so that enlarged samples stay sharp."""


def load_people(
    folders: Sequence[Path], numbers: Sequence[int | None], resolution: int
) -> tuple[list[Person], str]:
    """The people of facesets, and the template by which all their faces are aligned. ``numbers``: which person of
    each; None: everybody. Raises UsageError and InputError."""
    people, templates = [], []
    for folder, number in zip(folders, numbers, strict=True):
        faceset = Faceset.open(folder)
        templates.append(faceset.template)
        records = [face for face in faceset.records if number is None or face.person == number]
        if len(records) < LEAST_FACES:
            which = f"of person {number} " if number is not None else ""
            raise UsageError(
                f"too few faces {which}in {folder}",
                expected=f"{LEAST_FACES} or more, better several hundred",
                got=str(len(records)),
                do="Extract more: longer clips, other light, other angles.",
            )
        people.append(load_person(faceset, records, resolution))
    if len(set(templates)) > 1:
        raise UsageError(
            "the facesets are aligned differently",
            got=" and ".join(templates),
            do="Extract both with the same --template.",
        )
    return people, templates[0]


def load_person(faceset: Faceset, records: Sequence[FaceRecord], resolution: int) -> Person:
    """Read these faces, at ``MARGIN`` times the resolution of a training or as large as they are."""
    side = min(round(MARGIN * resolution), records[0].size)
    pictures, masks, features = [], [], []
    for face in records:
        shrunk = [
            cv2.resize(part, (side, side), interpolation=cv2.INTER_AREA)
            for part in (faceset.picture(face), faceset.mask(face))
        ]
        pictures.append(shrunk[0])
        masks.append(shrunk[1])
        features.append(features_of(face.landmarks * np.float32(side / face.size), side))
    yaws = np.array([face.yaw for face in records], np.float32)
    return Person(*(np.stack(part).astype(np.uint8) for part in (pictures, masks, features)), yaws)
