"""What steadiness.py and expression.py look at: clips, the same clips swapped, and landmarks by a judge that has no
part in the swap."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.assemble import bind_sources, make_pipeline
from rtswap.config import Config, SourceConfig
from rtswap.eyes import Eyes
from rtswap.inputs import open_input
from rtswap.protocols import LandmarkModel
from rtswap.synthetic import AnimatedHead, clip, persona
from rtswap.tracking.landmarks import MeshLandmarks
from rtswap.types import Frame, Image, Points, Quality

FPS = 30.0
ROOM = 1.5 / 1.3
"""MediaPipe's network wants more room around the face than ours."""
GUIDE_SIGMA = 2.0
"""Frames over which the places of the judge's crops are smoothed."""

Meshes = NDArray[np.float32]
"""(T, 468, 3) px."""


@dataclass(frozen=True)
class Clip:
    name: str
    images: list[Image]
    times: list[float]
    """Seconds."""


@dataclass(frozen=True)
class Swap:
    images: list[Image]
    swapped: NDArray[np.bool_]
    """(T,) as is the next."""
    covered: NDArray[np.bool_]

    @property
    def sound(self) -> NDArray[np.bool_]:
        return self.swapped & ~self.covered


class Judge:
    """Looks at faces without memory and without smoothing. ``room``: by how much its crops are widened."""

    def __init__(self, model: LandmarkModel, room: float, name: str) -> None:
        self._model, self._room, self.name = model, room, name

    def look(self, image: Image, guide: Points) -> Points:
        """(468, 3) what it sees in the crop around ``guide`` (5, 2) or (468, 3)."""
        middle = guide[:, :2].mean(0)
        wide = guide[:, :2] if len(guide) == 5 else middle + self._room * (guide[:, :2] - middle)
        return self._model.find(image, [np.asarray(wide, np.float32)])[0].points

    def guides(self, images: Sequence[Image], first: Points) -> Meshes:
        """Where the face is, smoothed over time. Each frame is looked at twice, from where it was in the last."""
        meshes, guide = [], first
        for image in images:
            for _ in range(2):
                guide = self.look(image, guide)
            meshes.append(guide)
        return smoothed(np.array(meshes, np.float32), GUIDE_SIGMA)

    def through(self, images: Sequence[Image], guides: Meshes) -> Meshes:
        return np.array([self.look(image, guide) for image, guide in zip(images, guides, strict=True)], np.float32)

    def through_several(self, images: Sequence[Image], guides: Meshes, widths: Sequence[float]) -> Meshes:
        """The mean of looks through crops of several ``widths``, relative to the usual: its own noise counts less."""
        middle = guides.mean(1, keepdims=True)
        looks = [self.through(images, middle + width * (guides - middle)) for width in widths]
        return np.asarray(np.mean(looks, axis=0), np.float32)


def open_judge(teacher: Path | None, eyes: Eyes) -> Judge:
    """``teacher``: MediaPipe's face mesh as ONNX; without it our own network judges."""
    if teacher is None:
        return Judge(eyes.landmarks, 1.0, "rtswap's own network, frame by frame")
    sys.path.append(str(Path(__file__).parents[1]))
    from training.landmarks.teacher import SIZE, Teacher

    return Judge(MeshLandmarks(Teacher(teacher), SIZE), ROOM, "MediaPipe face mesh, frame by frame")


def smoothed(meshes: Meshes, sigma: float) -> Meshes:
    """Gaussian over time, the ends repeated."""
    reach = int(np.ceil(3 * sigma))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    padded = np.pad(meshes, ((reach, reach), (0, 0), (0, 0)), mode="edge")
    windows = [w * padded[n : n + len(meshes)] for n, w in enumerate(weights / weights.sum())]
    return np.asarray(sum(windows), np.float32)


def read_clip(path: Path) -> Clip:
    frames = [(frame.image.copy(), frame.time_s or 0.0) for frame in open_input(str(path)).frames()]
    return Clip(path.name, [image for image, _ in frames], [time_s for _, time_s in frames])


def mesh_in(image: Image, eyes: Eyes) -> Points:
    """(468, 3) of the largest face, as our own network sees it at the third look."""
    mesh = max(eyes.photo_detector.detect(image), key=lambda found: found.box[2] - found.box[0]).keypoints
    for _ in range(3):
        mesh = eyes.landmarks.find(image, [mesh])[0].points
    return mesh


def generated(
    name: str, eyes: Eyes, *, seconds: float = 4.0, face_px: float = 300, kind: type[AnimatedHead] = AnimatedHead
) -> Clip:
    """A persona that talks and turns, as in the demo's clip, at 720p."""
    count = round(seconds * FPS)
    portrait = persona(name)
    heads = [kind(portrait, mesh_in(portrait, eyes), face_px)]
    images = list(clip(heads, (1280, 720), fps=FPS, frames=count))
    return Clip(f"{kind.__name__} {name}", images, [n / FPS for n in range(count)])


def config_for(source: Path, *, expression: float = 1.0) -> Config:
    config = Config(source=SourceConfig(photos=(str(source),)))
    return replace(config, swap=replace(config.swap, expression=expression))


def swap_clip(clip: Clip, config: Config, eyes: Eyes, *, live: bool) -> Swap:
    """``config`` names the source. Live: as frames of a camera, with the recorded times as the clock's."""
    pipeline = make_pipeline(config, eyes, bind_sources(config, eyes, on_event=ignore), on_event=ignore, live=live)
    images, swapped, covered = [], [], []
    for index, (image, time_s) in enumerate(zip(clip.images, clip.times, strict=True)):
        frame = Frame(image.copy(), index, 1000.0 + time_s, None if live else time_s)
        outcome = pipeline.process(frame, Quality())
        assert outcome.image is not None
        images.append(outcome.image)
        swapped.append(outcome.swapped > 0)
        covered.append(outcome.covered > 0)
    return Swap(images, np.array(swapped), np.array(covered))


def changed(before: Image, after: Image) -> NDArray[np.uint8]:
    """255 where a swap or a cover has changed pixels, pinholes closed: outside its masks it keeps every bit."""
    blue, green, red = cv2.split(cv2.absdiff(before, after))
    differs = cv2.threshold(cv2.max(cv2.max(blue, green), red), 0, 255, cv2.THRESH_BINARY)[1]
    return np.asarray(cv2.morphologyEx(differs, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8)), np.uint8)


def swapped_face(clip: Clip, swap: Swap, eyes: Eyes) -> Points:
    """Keypoints, in the first frame, of the face that was swapped in the middle of the clip."""
    middle = len(clip.images) // 2
    where = changed(clip.images[middle], swap.images[middle])

    def share(box: NDArray[np.float32]) -> float:
        x1, y1, x2, y2 = np.maximum(box, 0).astype(int)
        return float(where[y1:y2, x1:x2].sum())

    return max(eyes.photo_detector.detect(clip.images[0]), key=lambda found: share(found.box)).keypoints


def ignore(event: str) -> None:
    """Nobody listens."""
