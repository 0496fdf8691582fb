"""Faces for tests: people who do not exist as seen by the shipped networks, and the exact canonical mesh."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from importlib.util import find_spec

import cv2
import numpy as np

from rtswap.app.config import Config
from rtswap.app.networks import FaceModels, open_models
from rtswap.app.sections import EngineConfig
from rtswap.core.protocols import Swapper
from rtswap.core.types import Image, Points, Quality, SourceIdentity, SwappedFace, Target
from rtswap.source.portrait import find_landmarks
from rtswap.swappers.mesh.swapper import MeshSwapModel, MeshSwapper, SourceFace
from rtswap.vision.geometry import canonical
from rtswap.vision.raster import rasterize
from rtswap.vision.talking_head import persona

NAMES = ("ada", "ben", "carl", "dan")


@cache
def face_models() -> FaceModels:
    """On the processor, whether there is a GPU or not: tests pretend to have one, or to have none, and an engine that
    was started for a card does not know of that."""
    engine = "openvino" if find_spec("openvino") else "onnxruntime"
    return open_models(replace(Config(), engine=EngineConfig(engine=engine)), on_event=lambda text: None)


@cache
def person(name: str) -> SourceIdentity:
    """Portrait and landmarks of one of ``NAMES``."""
    picture = persona(name)
    found = face_models().detector.detect(picture)
    assert found, f"the detector sees no face in {name}"
    return SourceIdentity(picture, find_landmarks(face_models().landmarks, picture, found[0].keypoints), name=name)


@cache
def source_face(name: str) -> SourceFace:
    """One of ``NAMES``, prepared by ``mesh``: a quarter of a second."""
    return MeshSwapModel().face(person(name))


class ReadyMesh:
    """``MeshSwapModel`` that prepares each of ``person`` once for all tests."""

    def bind(self, source: SourceIdentity) -> Swapper:
        if source.name in NAMES and source is person(source.name):
            return MeshSwapper(source_face(source.name))
        return MeshSwapModel().bind(source)


def rotation(yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> np.ndarray:
    """(3, 3), degrees about y, x and z in that order."""
    cos, sin = np.cos(np.radians([yaw, pitch, roll])), np.sin(np.radians([yaw, pitch, roll]))
    about_y = np.array([[cos[0], 0, sin[0]], [0, 1, 0], [-sin[0], 0, cos[0]]])
    about_x = np.array([[1, 0, 0], [0, cos[1], -sin[1]], [0, sin[1], cos[1]]])
    about_z = np.array([[cos[2], -sin[2], 0], [sin[2], cos[2], 0], [0, 0, 1]])
    return np.asarray(about_z @ about_x @ about_y)


def place_mesh(
    face_px: float,
    at: tuple[float, float] = (0, 0),
    *,
    yaw: float = 0.0,
    pitch: float = 0.0,
    roll: float = 0.0,
    mesh: Points | None = None,
) -> Points:
    """(468, 3) a mesh (the canonical one) turned, ``face_px`` wide before that, its middle at ``at``."""
    mesh = canonical().mesh if mesh is None else mesh
    middle = (mesh.min(0) + mesh.max(0)) / 2
    points = (mesh - middle) @ rotation(yaw, pitch, roll).T * (face_px / np.ptp(mesh[:, 0]))
    return (points + np.array([*at, 0])).astype(np.float32)


def move_person(
    person_: SourceIdentity, scale: float, shift: tuple[float, float], size: tuple[int, int]
) -> SourceIdentity:
    """The person's picture scaled, then moved, in a picture of ``size`` = (width, height), with the mesh there."""
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]], np.float32)
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    picture = cv2.warpAffine(person_.portrait, matrix, size, flags=how, borderMode=cv2.BORDER_REPLICATE)
    points = person_.landmarks * np.float32(scale) + np.array([*shift, 0], np.float32)
    return SourceIdentity(np.asarray(picture, np.uint8), points.astype(np.float32), name=person_.name)


def group(*names: str, size: int = 320) -> Image:
    """People side by side, each ``size`` pixels wide and high; where one is named ``-`` a plain grey."""
    parts = [
        np.full((size, size, 3), 128, np.uint8)
        if name == "-"
        else cv2.resize(persona(name), (size, size), interpolation=cv2.INTER_AREA)
        for name in names
    ]
    return np.ascontiguousarray(np.hstack(parts))


def fill_mask(points: Points, triangles: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(H, W) bool: what the mesh covers."""
    values = np.ones((len(points), 3), np.float32)
    return np.asarray(rasterize(points, values, triangles.astype(np.int32), size)[..., 0] > 0.5)


def swap_face(
    swapper, image: Image, landmarks: Points, *, max_px: int = 1024, match_color: bool = True, time_s: float = 0.0
) -> tuple[SwappedFace, Target]:
    """What a swapper makes of the face in a picture, and what it was shown."""
    from rtswap.compositing.canvas.host import HostCanvas

    if time_s == 0:
        swapper.forget(1)  # a face that was never seen before
    matrix, size = swapper.view(landmarks, max_px)
    crop = HostCanvas(image).crop(matrix, size)
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    points = landmarks * np.float32(scale)
    points[:, :2] = landmarks[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    face = Target(1, crop, points.astype(np.float32), np.ones(468, np.float32), time_s)
    return swapper.swap(face, Quality(match_color=match_color)), face
