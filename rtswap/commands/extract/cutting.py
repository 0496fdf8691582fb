"""Cut a measured face out of its picture: the aligned picture, its mask, and its record."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from rtswap.app.networks import FaceModels
from rtswap.commands.extract.album import encode
from rtswap.commands.extract.masking import visible_face
from rtswap.commands.extract.measurement import MeasuredFace
from rtswap.core.types import Image, Mask, Matrix, Points
from rtswap.faceset.record import MASK_SUFFIX, FaceRecord
from rtswap.vision.crops import cut_sharp
from rtswap.vision.geometry import keypoints_of, points68_of, scale_of, transform
from rtswap.vision.templates import placement


class CutFace(NamedTuple):
    """An aligned face."""

    picture: Image
    data: bytes
    """The picture as it is stored; ``picture`` is what is read of it."""
    mask: Mask
    record: FaceRecord


def cut_face(
    image: Image, seen: MeasuredFace, file: str, template: str, size: int, models: FaceModels | None
) -> CutFace:
    """Cut the face. ``file``: name of the picture, whose suffix is its format. Raises EngineError, ModelError."""
    suffix = file[file.rindex(".") :]
    matrix = placement(seen.keypoints, template, size)
    picture = cut_sharp(image, matrix, size)
    data = encode(picture, suffix)
    if suffix == ".jpg":
        picture = np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), np.uint8)
    mesh = transform(matrix, seen.landmarks)
    mask = visible_face(picture, mesh, seen.visibility, models)
    return CutFace(picture, data, mask, describe(seen, file, size, matrix, mesh))


def describe(seen: MeasuredFace, file: str, size: int, matrix: Matrix, mesh: Points) -> FaceRecord:
    """The record of a face. ``mesh``: its landmarks in the picture, which are rounded as they are written."""
    mesh = round_points(mesh)
    figures = seen.figures
    return FaceRecord(
        file=file,
        size=size,
        matrix=matrix,
        keypoints=round_points(keypoints_of(mesh)),
        landmarks=mesh,
        points68=points68_of(mesh),
        pose=seen.pose,
        mask=file[: file.rindex(".")] + "_mask" + MASK_SUFFIX,
        score=seen.score,
        quality={
            "detected": seen.detected,
            "face_px": seen.face_px,
            "sharpness": figures.sharpness,
            "light": figures.light,
            "clipped": figures.clipped,
            "outside": seen.outside,
            "enlarged": scale_of(matrix),
        },
    )


def round_points(points: Points) -> Points:
    """The points as the table holds them."""
    return np.round(points.astype(np.float64), 2).astype(np.float32)
