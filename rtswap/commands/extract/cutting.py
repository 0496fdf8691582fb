"""Cut a measured face out of its picture: the aligned picture, its mask, and its record."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.commands.extract.album import encode
from rtswap.commands.extract.measure import MeasuredFace
from rtswap.compositing.finishes.occlusion import OcclusionMask
from rtswap.core.types import Image, Mask, Matrix, Points, Quality, SwappedFace, Target
from rtswap.faceset.record import MASK_SUFFIX, FaceRecord
from rtswap.networks.occlusion import OcclusionModel
from rtswap.vision.crops import cut_sharp
from rtswap.vision.geometry import keypoints_of, points68_of, scale_of, transform
from rtswap.vision.templates import placement
from rtswap.vision.topology import OVAL

_SUBPIXEL = 4
"""Bits after the point of coordinates that are drawn."""


class CutFace(NamedTuple):
    """An aligned face."""

    picture: Image
    data: bytes
    """The picture as it is stored; ``picture`` is what is read of it."""
    mask: Mask
    record: FaceRecord


def cut_face(
    image: Image, seen: MeasuredFace, file: str, template: str, size: int, occlusion_model: OcclusionModel | None
) -> CutFace:
    """Cut the face. ``file``: name of the picture, whose suffix is its format. Raises EngineError, ModelError."""
    suffix = file[file.rindex(".") :]
    matrix = placement(keypoints_of(seen.landmarks), template, size)
    picture = cut_sharp(image, matrix, size)
    data = encode(picture, suffix)
    if suffix == ".jpg":
        picture = np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), np.uint8)
    mesh = transform(matrix, seen.landmarks)
    mask = visible_face(picture, mesh, seen.visibility, occlusion_model)
    return CutFace(picture, data, mask, describe(seen, file, size, matrix, mesh))


def describe(seen: MeasuredFace, file: str, size: int, matrix: Matrix, mesh: Points) -> FaceRecord:
    """The record of a face. ``mesh``: its landmarks in the picture, which are rounded as they are written."""
    mesh = rounded(mesh)
    figures = seen.figures
    return FaceRecord(
        file=file,
        size=size,
        matrix=matrix,
        keypoints=rounded(keypoints_of(mesh)),
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


def visible_face(
    picture: Image, mesh: Points, visibility: NDArray[np.float32], occlusion_model: OcclusionModel | None
) -> Mask:
    """255 where the face is visible, (H, W): within the outline of the landmarks, and nothing in front of it."""
    mask = np.zeros(picture.shape[:2], np.uint8)
    outline = np.clip(mesh[OVAL, :2] * (1 << _SUBPIXEL), -30_000, 30_000)
    cv2.fillPoly(mask, [np.round(outline).astype(np.int32)], 255, cv2.LINE_AA, _SUBPIXEL)
    if occlusion_model is None:
        return mask
    target = Target(0, picture, mesh, visibility, 0.0)
    return OcclusionMask(occlusion_model).apply(SwappedFace(picture, mask), target, Quality()).mask


def rounded(points: Points) -> Points:
    """The points as the table holds them."""
    return np.round(points.astype(np.float64), 2).astype(np.float32)
