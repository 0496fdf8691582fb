"""The person that ``--person`` asks for: their numbers in the folder, or whoever looks most like a photo."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rtswap.app.networks import FaceModels
from rtswap.commands.extract.album import StoredFace
from rtswap.commands.extract.grouping import SAME
from rtswap.commands.extract.known_faces import KnownFaces
from rtswap.core.errors import InputError, UsageError
from rtswap.core.urls import expanded
from rtswap.faceset.record import NOBODY
from rtswap.source.personas import is_persona, persona_photo
from rtswap.source.portrait import look
from rtswap.vision.geometry import keypoints_of
from rtswap.vision.images import read_photo


def check_person(word: str) -> None:
    """Raise UsageError if ``word`` is neither numbers nor a photo, before any work is done."""
    if not _numbers_in(word) and not os.path.isfile(_photo_of(word)):
        raise UsageError(
            f"no such person: {word[:300]!r}", expected="a number, several such as 0,3, or a photo of the person"
        )


def choose_person(word: str, faces: Sequence[StoredFace], known: KnownFaces, models: FaceModels) -> set[int]:
    """Return the numbers of the person. Raises UsageError, and InputError if nobody is alike or the photo shows no
    face."""
    people = sorted({face.person for face in faces} - {NOBODY})
    numbers = _numbers_in(word)
    if missing := numbers - set(people):
        raise UsageError(
            f"there is no person {min(missing)}",
            expected=f"0 to {people[-1]}" if people else "at least one person",
            do="sheet.png shows them with their numbers.",
        )
    if numbers:
        return numbers
    vector = known.of(*_look_at(word, models))
    person_of = {face.file: face.person for face in faces}
    owners = np.array([person_of.get(file, NOBODY) for file in known.files])
    alike = {
        person: float(mean @ vector / max(float(np.linalg.norm(mean)), 1e-9))
        for person in people
        if vector is not None and len(mean := known.vectors[owners == person].mean(axis=0))
    }
    best = max(alike, key=lambda person: alike[person], default=NOBODY)
    if best == NOBODY or alike[best] < SAME[known.name]:
        raise InputError(
            f"nobody looks like {word}",
            expected=f"a cosine of at least {SAME[known.name]}",
            got=f"{alike[best]:.2f}, person {best}" if alike else "nobody",
            do="Give the person's number: sheet.png shows it.",
        )
    return {best}


def _numbers_in(word: str) -> set[int]:
    """The numbers of ``0`` or ``0,3``; empty for anything else."""
    return (
        {int(number) for number in word.split(",")} if re.fullmatch(r"\d{1,9}(,\d{1,9})*", word, re.ASCII) else set()
    )


def _photo_of(word: str) -> Path:
    return persona_photo(word) if is_persona(word) else expanded(word)


def _look_at(word: str, models: FaceModels) -> tuple[np.ndarray, np.ndarray]:
    """The photo, and the keypoints of the largest face in it."""
    image = read_photo(_photo_of(word))
    found = models.photo_detector.detect(image)
    if not found:
        raise InputError(f"no face found in {word}", do="Give a photo that shows the person from the front.")
    largest = max(found, key=lambda face: float(face.box[2] - face.box[0]))
    return image, keypoints_of(look(models.landmarks, image, largest.keypoints))
