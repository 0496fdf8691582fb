"""Drawn photos with known faces, and fake detector, landmark model and embedder that read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from rtswap.core.errors import InputError
from rtswap.core.protocols import IdentitySpaces
from rtswap.core.types import Box, Detection, Image, Mesh, Points, SourceIdentity
from rtswap.source import load_source
from rtswap.vision.geometry import canonical, keypoints_of, similarity, transform


def turn_head(yaw: float = 0, pitch: float = 0, roll: float = 0) -> Points:
    """The mean face under that pose, inter-ocular distance 1."""
    y, p, r = np.radians([yaw, pitch, roll])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    about_y = np.array([[np.cos(y), 0, -np.sin(y)], [0, 1, 0], [np.sin(y), 0, np.cos(y)]])
    about_z = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    return (canonical().mesh @ (about_z @ about_y @ about_x).T).astype(np.float32)


@dataclass(frozen=True)
class Face:
    """One face of a scene."""

    at: tuple[float, float] = (400.0, 300.0)
    eyes_px: float = 110.0
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    score: float = 0.99
    person: int = 0

    @property
    def mesh(self) -> Points:
        points = turn_head(self.yaw, self.pitch, self.roll) * self.eyes_px
        return points + np.array([*self.at, 0], np.float32)


@dataclass(frozen=True)
class Scene:
    """What a photo shows. ``turns``: quarter turns clockwise by which the file lies wrong."""

    faces: tuple[Face, ...] = (Face(),)
    size: tuple[int, int] = (800, 600)
    blur: float = 0.0
    gain: float = 1.0
    turns: int = 0

    def image(self) -> Image:
        image = texture(*self.size)
        image = cv2.GaussianBlur(image, (0, 0), self.blur) if self.blur else image
        image = np.clip(image.astype(np.float32) * self.gain, 0, 255).astype(np.uint8)
        return np.ascontiguousarray(np.rot90(image, -self.turns))


@cache
def texture(width: int, height: int) -> Image:
    """Grain of every size from 2 px up, as photos have it, around middle grey."""
    rng = np.random.default_rng(1)
    image = np.full((height, width, 3), 128, np.float32)
    for size in (2, 4, 8, 16, 32, 64):
        grain = rng.normal(0, 14, (height // size + 1, width // size + 1, 3)).astype(np.float32)
        image += cv2.resize(grain, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.clip(image, 0, 255).astype(np.uint8)


class World:
    """Fakes for detector, landmarks and embedder that know the scenes."""

    def __init__(self, scenes: dict[str, Scene]) -> None:
        self.scenes = {Path(name): scene for name, scene in scenes.items()}
        self._now = Scene()
        self.events: list[str] = []
        self.presence = 0.99
        self.opened = 0
        """How often its identity space was."""

    def read(self, path: Path) -> Image:
        if path not in self.scenes:
            raise InputError(f"cannot decode {path}", got="a damaged one", do="Save it again.")
        self._now = self.scenes[path]
        return self._now.image()

    def detect(self, image: Image) -> list[Detection]:
        """Sees faces only when the photo is upright."""
        if not np.array_equal(image[:9], replace(self._now, turns=0).image()[:9]):
            return []
        found = []
        for face in self._now.faces:
            low, high = face.mesh[:, :2].min(axis=0), face.mesh[:, :2].max(axis=0)
            box = np.concatenate([low, high]).astype(np.float32)
            found.append(Detection(box, keypoints_of(face.mesh), face.score))
        return sorted(found, key=lambda detection: -detection.score)

    def refine(self, image: Image, boxes: Sequence[Box], turns: Sequence[int] = ()) -> list[Detection | None]:
        raise AssertionError("not needed for photos")

    def find(self, image: Image, faces: Sequence[Points]) -> list[Mesh]:
        """The mesh of the scene's face that fits the points best, moved to where they are."""
        meshes = []
        for points in faces:
            keypoints = points if len(points) == 5 else keypoints_of(points)
            meshes.append(Mesh(self._fit(keypoints), np.ones(468, np.float32), self.presence))
        return meshes

    def _fit(self, keypoints: Points) -> Points:
        best, least = self._now.faces[0].mesh, np.inf
        for face in self._now.faces:
            for mesh in (face.mesh, (face.mesh * [-1, 1, 1])[canonical().mirror].astype(np.float32)):
                moved = transform(similarity(keypoints_of(mesh), keypoints), mesh)
                miss = float(np.abs(keypoints_of(moved) - keypoints).mean())
                if miss < least - 1e-3:
                    best, least = moved, miss
        return best

    def embed(self, image: Image, keypoints: Points) -> Points:
        """Who has eyes so far apart, in the photo or in a portrait that is not scaled down."""
        apart = eyes_apart(keypoints)
        near = min(self._now.faces, key=lambda face: abs(eyes_apart(keypoints_of(face.mesh)) - apart))
        vector = np.random.default_rng(near.person).normal(size=128)
        vector += 0.3 * np.random.default_rng(100 + near.person * 7 + int(near.yaw)).normal(size=128)
        return (vector / np.linalg.norm(vector)).astype(np.float32)

    def open(self) -> World:
        self.opened += 1
        return self

    def load(
        self, *names: str, face_index: int | None = None, spaces: IdentitySpaces | None = None
    ) -> SourceIdentity:
        """``spaces``: None for this one's own, ``dlib``."""
        return load_source(
            [Path(name) for name in names],
            detector=self,
            landmarks=self,
            spaces={"dlib": self.open} if spaces is None else spaces,
            face_index=face_index,
            on_event=self.events.append,
            read=self.read,
        )


def eyes_apart(keypoints: Points) -> float:
    return float(np.linalg.norm(keypoints[0] - keypoints[1]))


def world(**scenes: Scene) -> World:
    return World({f"{name}.jpg": scene for name, scene in scenes.items()})
