"""The shared portraits as parents: their pictures, their meshes, who they are to dlib's network."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.app.config import Config
from rtswap.app.networks import FaceModels, open_models
from rtswap.core.types import Image, Points
from rtswap.networks.dlib_identity import DlibEmbedder
from rtswap.source.portrait import find_landmarks
from rtswap.training.pictures import read_picture
from rtswap.vision.geometry import canonical, similarity, transform
from training.people import is_usable

SIDE = 1024
"""Pixels of a portrait. A search looks at smaller ones."""
HEIGHT_SHARE = 0.56
"""Of the picture's height that the mean face's oval takes."""
CENTRE = 0.57
"""How far down the middle of the oval lies, in picture heights."""
SAME = 0.6
"""Distance of dlib's embeddings below which two pictures show one person."""
MODES = 8
"""Directions in which frontal faces differ most."""


class Face(NamedTuple):
    """One parent."""

    picture: Image
    """(side, side, 3)"""
    points: Points
    """(468, 2) px in it."""


class Portraits:
    """``compose.Parents`` in their own scenes. ``folder``: the pictures; ``faces``: with ``faces.npz``."""

    def __init__(self, folder: Path, faces: Path, models: FaceModels, side: int = SIDE) -> None:
        self._folder, self._models, self.side = folder, models, side
        self.modes = outline_modes(faces)
        self.face: Callable[[str], Face] = lru_cache(maxsize=None)(self._face)

    def names(self) -> list[str]:
        return sorted(path.stem for path in self._folder.glob("*.jpg"))

    def picture(self, name: str) -> Image:
        """(side, side, 3). Raises FileNotFoundError."""
        whole = read_picture(self._folder / f"{name}.jpg")
        if whole.shape[0] == self.side:
            return whole
        return np.asarray(cv2.resize(whole, (self.side, self.side), interpolation=cv2.INTER_AREA), np.uint8)

    def _face(self, name: str) -> Face:
        picture = self.picture(name)
        start = self._models.detector.detect(picture)[0].keypoints
        return Face(picture, find_landmarks(self._models.landmarks, picture, start)[:, :2].copy())


class Judged(NamedTuple):
    """Euclidean distances between dlib's raw embeddings."""

    embedding: NDArray[np.float32]
    """(128,) raw."""
    nearest: float
    """To the nearest of all portraits."""
    nearest_name: str
    parents: float
    """To the nearest parent; infinite without parents."""

    def distances(self) -> dict[str, float | str]:
        """Rounded, for a file."""
        found: dict[str, float | str] = {
            "nearest_portrait": round(self.nearest, 3),
            "nearest_name": self.nearest_name,
        }
        return found | ({"nearest_parent": round(self.parents, 3)} if np.isfinite(self.parents) else {})


class Judge:
    """Crops faces as the program does: its own detector places dlib's crop."""

    def __init__(self, portraits: Portraits, models: FaceModels, embedder: DlibEmbedder) -> None:
        self._portraits, self._models, self._embedder = portraits, models, embedder

    @cached_property
    def known(self) -> dict[str, NDArray[np.float32]]:
        """Embedding of each portrait in which a face is found."""
        found = {name: self._embedding(self._portraits.picture(name)) for name in self._portraits.names()}
        return {name: embedding for name, embedding in found.items() if embedding is not None}

    def look(self, picture: Image, parents: Sequence[str]) -> Judged | None:
        """Judge a picture; None where no face is found."""
        own = self._embedding(picture)
        if own is None:
            return None
        away = {name: float(np.linalg.norm(embedding - own)) for name, embedding in self.known.items()}
        nearest = min(away, key=lambda name: away[name])
        return Judged(own, away[nearest], nearest, min((away[name] for name in parents), default=np.inf))

    def _embedding(self, picture: Image) -> NDArray[np.float32] | None:
        found = self._models.detector.detect(picture)
        return self._embedder.raw(picture, found[0].keypoints) if found else None


def outline_modes(folder: Path) -> NDArray[np.float32]:
    """(MODES, 468, 2): symmetric directions in which outlines differ most, one standard deviation long, in heights of
    the mean face. Of the shared faces' meshes in ``folder/faces.npz``; raises OSError where it is not there."""
    with np.load(folder / "faces.npz") as data:
        usable = [is_usable(name) for name in data["name"].tolist()]
        meshes = data["mesh468"].astype(np.float32)[usable]
    mirror, goal = canonical().mirror, place(SIDE)
    outlines = []
    for mesh in meshes:
        flat = transform(similarity(mesh[:, :2], goal), mesh[:, :2])
        flipped = flat[mirror] * np.array([-1, 1], np.float32) + np.array([SIDE, 0], np.float32)
        outlines.append(((flat + flipped) / 2).ravel())
    spread = np.stack(outlines) - np.mean(outlines, axis=0)
    _, lengths, directions = np.linalg.svd(spread[::2], full_matrices=False)
    scaled = directions[:MODES] * (lengths[:MODES, None] / np.sqrt(len(spread[::2])))
    scaled *= np.sign(scaled[np.arange(MODES), np.abs(scaled).argmax(1)])[:, None]  # the same sign everywhere
    return np.asarray(scaled.reshape(MODES, 468, 2) / np.ptp(goal[:, 1]), np.float32)


def place(side: int) -> Points:
    """(468, 2) the mean face in the middle of a square of ``side`` pixels."""
    flat = canonical().mesh[:, :2]
    scale = side * HEIGHT_SHARE / np.ptp(flat[:, 1])
    middle = (flat.min(0) + flat.max(0)) / 2
    return ((flat - middle) * scale + np.array([side / 2, side * CENTRE])).astype(np.float32)


def command_line(description: str, *, out: str, sheet: str) -> argparse.ArgumentParser:
    """What the makers of personas and caller share. ``sheet``: what is drawn."""
    parser = argparse.ArgumentParser(description=description.split("\n")[0])
    parser.add_argument("--portraits", type=Path, required=True, help="folder with the pictures of 1024x1024")
    parser.add_argument("--faces", type=Path, required=True, help="folder with faces.npz, for how faces differ")
    parser.add_argument("--out", type=Path, default=Path("rtswap/assets") / out)
    parser.add_argument("--sheet", type=Path, help=f"also draw {sheet} here")
    return parser


def open_judge(parser: argparse.ArgumentParser) -> tuple[FaceModels, DlibEmbedder]:
    """The networks, and the one that judges identity; ends the program where that is missing."""
    cv2.setNumThreads(1)  # so that sums come out the same everywhere
    models = open_models(Config(), on_event=print)
    embedder = models.embedder()
    if not isinstance(embedder, DlibEmbedder):
        parser.error("the judge is missing: pip install 'rtswap[identity]'")
    return models, embedder
