"""Aligned sets of DeepFaceLab: take their faces into a faceset, and write a faceset as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from rtswap.app.console import Console
from rtswap.app.networks import FaceModels
from rtswap.commands.extract.cutting import CutFace, describe
from rtswap.commands.extract.masking import visible_face
from rtswap.commands.extract.measurement import measure
from rtswap.core.errors import InputError, OutputError, SourceError, UsageError, reason
from rtswap.core.files import is_other, list_files, write_atomic
from rtswap.core.text import plural
from rtswap.core.types import Image, Points
from rtswap.faceset.dfl import FACE_TYPES, AlignedFace, read_aligned, write_aligned
from rtswap.faceset.faceset import Faceset
from rtswap.faceset.record import FARTHEST
from rtswap.source.portrait import look, look_closely
from rtswap.vision.geometry import inverse, scale_of, transform
from rtswap.vision.images import read_checked
from rtswap.vision.pose import pose_of

SUFFIXES = (".jpg", ".jpeg")
_KEYPOINTS = (range(36, 42), range(42, 48), (30,), (48,), (54,))
"""The five keypoints among the 68 points."""


def files_of(folder: Path) -> list[Path]:
    """The pictures of an aligned set. Raises InputError."""
    try:
        found = list_files(folder, SUFFIXES)
    except OSError as error:
        raise InputError(f"cannot read the folder {folder}", got=reason(error), do="Check the path.") from None
    if not found:
        packed = folder / "faceset.pak"
        got = "a packed set, faceset.pak" if packed.exists() else "no .jpg files"
        raise InputError(
            f"{folder} is not an aligned set of DeepFaceLab",
            expected="a folder of .jpg files",
            got=got,
            do="Unpack it with DeepFaceLab first." if packed.exists() else "Check the path.",
        )
    return found


def template_of(files: Sequence[Path]) -> str:
    """The template by which the first readable face is aligned. Raises InputError if there is none."""
    error: InputError | None = None
    for path in files:
        try:
            return open_aligned(path).template
        except InputError as caught:
            error = error or caught
    assert error is not None
    raise error


def open_aligned(path: Path) -> AlignedFace:
    """Read one file. Raises InputError."""
    data, _ = read_checked(path)
    try:
        return read_aligned(data)
    except ValueError as error:
        do = "Only JPEGs that DeepFaceLab extracted can be imported."
        raise InputError(f"{path} is not an aligned face of DeepFaceLab", got=reason(error), do=do) from None


def cut_aligned(path: Path, face: AlignedFace, file: str, models: FaceModels) -> CutFace | None:
    """The face as a faceset holds it: the same picture to the byte, and 468 landmarks beside DeepFaceLab's. None if
    the landmark network does not confirm it. Raises InputError, EngineError, ModelError."""
    decoded = cv2.imdecode(np.frombuffer(face.jpeg, np.uint8), cv2.IMREAD_COLOR)
    if decoded is None or decoded.shape[0] != decoded.shape[1]:
        got = "a damaged file" if decoded is None else f"{decoded.shape[1]}x{decoded.shape[0]}"
        raise InputError(f"cannot import {path}", expected="a square picture", got=got)
    if np.abs(face.points68).max() > FARTHEST * len(decoded):
        raise InputError(f"cannot import {path}", expected="the landmarks of a face", got="points far away from it")
    picture: Image = np.asarray(decoded, np.uint8)
    start: Points = np.stack([face.points68[list(part)].mean(axis=0) for part in _KEYPOINTS])
    try:
        mesh = look_closely(models.landmarks, picture, look(models.landmarks, picture, start))
        seen = measure(picture, mesh.points, mesh.visibility, 1.0)
    except SourceError:
        return None
    in_frame = replace(
        seen,
        face_px=seen.face_px / scale_of(face.matrix),
        pose=pose_of(transform(inverse(face.matrix), mesh.points)),
    )
    record = describe(in_frame, file, picture.shape[0], face.matrix, mesh.points)
    record = replace(record, points68=face.points68, clip=Path(face.clip).name or path.name)
    if face.mask is not None:
        mask = np.asarray(cv2.resize(face.mask, picture.shape[:2], interpolation=cv2.INTER_LINEAR), np.uint8)
    else:
        mask = visible_face(picture, mesh.points, mesh.visibility, models)
    return CutFace(picture, face.jpeg, mask, record)


def check_template(template: str) -> None:
    """Raise UsageError if DeepFaceLab does not know the alignment."""
    if template not in FACE_TYPES:
        raise UsageError(
            f"DeepFaceLab does not know the template {template}",
            expected=", ".join(FACE_TYPES),
            do="Extract the faces with --template whole into another folder.",
        )


def export(folder: Path, target: Path, *, overwrite: bool, console: Console) -> int:
    """Write the faceset in ``folder`` as an aligned set; returns the number of faces. Files that exist with the same
    content are kept. Raises InputError, OutputError, UsageError."""
    faces = Faceset.open(folder)
    template = str(faces.settings.get("template", ""))
    check_template(template)
    try:
        target.mkdir(parents=True, exist_ok=True)
        for number, record in enumerate(faces.records, 1):
            path = target / f"{record.file.rpartition('.')[0]}.jpg"
            data = write_aligned(record, template, faces.picture(record), faces.mask(record))
            if not overwrite and is_other(path, data):
                raise OutputError(f"{path} exists", do="Choose another folder with --to-dfl, or add -y.")
            write_atomic(path, data)
            console.progress(number, len(faces.records), f"{target}  {plural(number, 'face')}")
    except (OSError, ValueError) as error:
        raise OutputError(
            f"cannot write {str(target)[:300]!r}", got=reason(error), do="Choose another folder."
        ) from None
    return len(faces.records)
