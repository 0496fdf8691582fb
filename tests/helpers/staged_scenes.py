"""Staged scenes of people who do not exist, in a room that does not, where every face is known to the pixel.

A scene is a list of shots; each shot says per frame who is where, how they hold their heads, and what light and
camera do. ``bareness`` says how much of a face came out as it went in: it is told where the face is, so nothing that
blinds a detector blinds it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from people import face_models

from rtswap.core.types import Image, Points
from rtswap.source.portrait import find_landmarks
from rtswap.vision.talking_head import AnimatedHead, Motion, persona
from rtswap.vision.topology import OVAL

PEOPLE = ("ada", "ben", "carl", "dan", "amara", "erik", "george", "grace", "hiro", "ines", "lena", "mei", "noor",
          "ravi", "ruth", "tomas")  # fmt: skip
SIZE = (480, 360)
HEAD_PX = 128
"""Width of the faces that are warped into scenes."""
AGAINST_LIGHT = 20.0
"""Level of black in heads that keep less than their contrast."""
SAME = 0.05
"""Difference, in standard deviations of a face's pixels, up to which one of them is unchanged."""
Floats = NDArray[np.float32]
After = Callable[[Image, int], Image]
"""Changes the picture of the frame with this number."""


def as_it_is(image: Image, index: int) -> Image:
    return image


@dataclass(frozen=True)
class Pose:
    """One person in one frame. ``at``: the face's middle in shares of the frame; ``px``: its width."""

    who: str
    at: tuple[float, float] = (0.5, 0.5)
    px: float = 110.0
    roll: float = 0.0
    """Degrees clockwise; so are the next two, about the other axes."""
    yaw: float = 0.0
    pitch: float = 0.0
    contrast: float = 1.0
    """Share of the head's contrast that is left: less than 1 against the light."""


@dataclass(frozen=True)
class Shot:
    """One frame before it is rendered."""

    poses: tuple[Pose, ...]
    room: int = 0
    after: After = as_it_is
    """What light, camera and things in front do to the picture."""
    front: After | None = None
    """What is held before the faces, drawn before ``after``: what it hides is no face."""


class Face(NamedTuple):
    """A face in a picture, known to the pixel."""

    who: str
    mesh: Points
    """(468, 2) px"""
    hidden: NDArray[np.bool_] | None
    """Where something is before it, as large as the picture."""


@dataclass(frozen=True)
class Scene:
    """``shots`` at ``fps``; ``faces``: one or all."""

    name: str
    shots: tuple[Shot, ...]
    faces: str = "one"
    fps: float = 10.0
    size: tuple[int, int] = SIZE
    kind: str = field(default="")


def make_scene(kind: str, shots: Sequence[Shot], faces: str = "one", **rest: Any) -> Scene:
    return Scene(kind, tuple(shots), faces, kind=kind, **rest)


def number_scenes(
    make: Callable[[list[str], np.random.Generator], Iterator[Scene]], turns: int, *, seed: int, first: int, step: int
) -> list[Scene]:
    """The scenes that ``make`` makes, ``turns`` times, each time of other people, ``step`` further on from number
    ``first``, with other random numbers; each under a name of its own."""
    return [
        replace(scene, name=f"{scene.kind}-{turn}-{number}")
        for turn in range(turns)
        for number, scene in enumerate(make(_people(first + step * turn), np.random.default_rng(seed + turn)))
    ]


def _people(first: int) -> list[str]:
    return [PEOPLE[(first + n) % len(PEOPLE)] for n in range(40)]


def first_of_each_kind(scenes: Sequence[Scene]) -> list[Scene]:
    return list({scene.kind: scene for scene in reversed(scenes)}.values())


def frames(scene: Scene) -> Iterator[tuple[Image, list[Face]]]:
    """Every picture, and the faces in it of which enough can be seen."""
    for index, shot in enumerate(scene.shots):
        picture = room(shot.room, scene.size).copy()
        meshes = [(pose.who, draw(picture, pose)) for pose in shot.poses]
        hidden = None
        if shot.front is not None:
            clear, picture = picture, shot.front(picture.copy(), index)
            hidden = (clear != picture).any(axis=-1)
        faces = [Face(who, mesh, hidden) for who, mesh in meshes if _in_sight(mesh, scene.size, hidden)]
        picture = cv2.add(picture, _noise(index, scene.size), dtype=cv2.CV_8U)
        yield np.ascontiguousarray(shot.after(picture, index)), faces


def _noise(index: int, size: tuple[int, int]) -> NDArray[np.int16]:
    cv2.setRNGSeed(index)
    return cv2.randn(np.empty((size[1], size[0], 3), np.int16), 0, 1.5)


@cache
def room(number: int, size: tuple[int, int]) -> Image:
    """A wall in soft light with furniture out of focus."""
    rng, (width, height) = np.random.default_rng(number + 40), size
    wall = rng.uniform(60, 200, (2, 3, 1)) + rng.normal(0, 14, (2, 3, 3))
    picture = cv2.resize(wall.astype(np.float32), size, interpolation=cv2.INTER_CUBIC)
    for _ in range(7):
        x, y = rng.integers((-60, height // 3), (width, height))
        w, h = rng.integers(40, 200, 2)
        tone = rng.uniform(20, 220) + rng.normal(0, 20, 3)
        cv2.rectangle(picture, (int(x), int(y)), (int(x + w), int(y + h)), tone.tolist(), -1)
    return np.clip(cv2.GaussianBlur(picture, (0, 0), 2.5), 0, 255).astype(np.uint8)


@cache
def _head(who: str) -> AnimatedHead:
    picture = persona(who)
    found = face_models().detector.detect(picture)
    assert found, f"the detector sees no face in {who}"
    return AnimatedHead(picture, find_landmarks(face_models().landmarks, picture, found[0].keypoints), HEAD_PX)


@cache
def _turn(who: str, yaw: float, pitch: float) -> tuple[Image, Floats, Points]:
    head = _head(who)
    motion = Motion(float(np.radians(yaw)), float(np.radians(pitch)), 0.0, 0.0, 0.0, (0.0, 0.0))
    image, alpha = head.render(motion)
    return image, np.asarray(alpha[..., 0], np.float32), head.mesh(motion)[:, :2].copy()


def draw(picture: Image, pose: Pose) -> Points:
    image, alpha, mesh = _turn(pose.who, round(pose.yaw), round(pose.pitch))
    height, width = picture.shape[:2]
    scale = pose.px / HEAD_PX
    while scale < 0.6:
        image, alpha = (
            cv2.resize(part, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for part in (image, alpha)
        )
        mesh, scale = (mesh + 0.5) / 2 - 0.5, scale * 2
    middle = mesh[OVAL].mean(0)
    turn = np.radians(pose.roll)
    linear = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    to = np.array(pose.at) * (width, height)
    matrix = np.column_stack([linear, to - linear @ middle]).astype(np.float32)
    share = cv2.warpAffine(alpha, matrix, (width, height))
    x, y, across, down = cv2.boundingRect((share > 0).view(np.uint8))
    if across:
        part, to_part = picture[y : y + down, x : x + across], matrix - np.array([[0, 0, x], [0, 0, y]])
        head = cv2.warpAffine(image, to_part, (across, down), borderMode=cv2.BORDER_REPLICATE)
        shown = head.astype(np.float32)
        if pose.contrast < 1:
            shown = AGAINST_LIGHT + pose.contrast * shown
        part[:] = part + (shown - part) * share[y : y + down, x : x + across, None]
    return np.asarray(mesh @ matrix[:, :2].T + matrix[:, 2], np.float32)


def _in_sight(mesh: Points, size: tuple[int, int], hidden: NDArray[np.bool_] | None) -> bool:
    """Whether half of the face lies in the frame, and a quarter of it has nothing before it."""
    inside = ((mesh >= 0) & (mesh < size)).all(axis=1)
    if hidden is None:
        return bool(inside.mean() > 0.5)
    x, y = mesh[inside].astype(int).T
    return bool(inside.mean() > 0.5 and np.count_nonzero(~hidden[y, x]) > 0.25 * len(mesh))


def bareness(before: Image, after: Image, face: Face) -> float:
    """Share of a face, within its outline and where nothing is before it, that came out as it went in: 1 where
    nothing was done. Differences count in shares of the face's own contrast, so that dark ones count as much."""
    mesh = face.mesh
    hull = cv2.convexHull(mesh[OVAL].astype(np.float32))[:, 0]
    x1, y1 = np.maximum(np.floor(hull.min(0)).astype(int), 0)
    x2, y2 = np.minimum(np.ceil(hull.max(0)).astype(int) + 1, before.shape[1::-1])
    mask = np.zeros((max(y2 - y1, 1), max(x2 - x1, 1)), np.uint8)
    cv2.fillConvexPoly(mask, np.round(hull - (x1, y1)).astype(np.int32), 1)
    first, second = (picture[y1:y2, x1:x2].astype(np.float32) for picture in (before, after))
    inside = mask > 0
    if face.hidden is not None and inside.shape == face.hidden[y1:y2, x1:x2].shape:
        inside &= ~face.hidden[y1:y2, x1:x2]
    if first.size == 0 or not inside.any():
        return 0.0
    contrast = float(first[inside].std(axis=0).max())
    same = np.abs(first - second).max(axis=-1) <= SAME * contrast
    return float(same[inside].mean())
