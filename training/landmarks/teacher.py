"""The teacher, MediaPipe's face mesh (Apache-2.0), and its labels for the shared faces: meshes averaged over several
looks. Also who is taught and who is kept out."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.engines.onnxruntime import OnnxRuntimeEngine
from rtswap.networks.face_mesh import MADE_FOR, SIZE, FaceMesh
from rtswap.networks.landmarks import MARGIN, place
from rtswap.training.pictures import read_picture
from rtswap.vision.geometry import canonical, composed, flipping
from rtswap.vision.resample import warped
from training.arrays import Bytes, Floats, Rows
from training.people import is_usable


def open_teacher(path: Path) -> FaceMesh:
    """The teacher in an ONNX file."""
    return FaceMesh(OnnxRuntimeEngine(path, threads=1))


VALIDATION_PERCENT = 8
WORST_SPREAD = 0.05
"""Pictures on which the teacher disagrees with itself by more inter-ocular distances are left out."""


def is_validation(name: str) -> bool:
    """Whether the person ``name`` is kept out of training: 8 in 100, by the CRC-32 of the file's name."""
    return zlib.crc32(name.encode()) % 100 < VALIDATION_PERCENT


def split_people(labels: Labels) -> tuple[Rows, Rows]:
    """Rows of the pictures to learn from, and of those of people kept out of training."""
    names = [str(name) for name in labels.names]
    good = (labels.spread < WORST_SPREAD) & np.array([is_usable(name) for name in names])
    kept_out = np.array([is_validation(name) for name in names])
    return np.flatnonzero(good & ~kept_out), np.flatnonzero(good & kept_out)


@dataclass(frozen=True)
class Labels:
    names: NDArray[np.str_]
    meshes: Floats
    """(N, 468, 3) pixels of the 256 px pictures."""
    spread: Floats
    """(N,) mean disagreement of the teacher with itself, in inter-ocular distances."""


def load_or_label(faces: Path, teacher: Path | None, cache: Path) -> Labels:
    """The averaged labels of every picture in ``faces``, made once and kept in ``cache``.

    Without a ``teacher`` and a cache: the meshes that came with the pictures."""
    if not cache.exists():
        with np.load(faces / "faces.npz") as data:
            names, first = data["name"], data["mesh468"].astype(np.float32)
        if teacher is None:
            return Labels(names, first, np.zeros(len(names), np.float32))
        looks = list(_label_all(faces, names, first, open_teacher(teacher)))
        meshes, spread = np.stack([m for m, _ in looks]), np.array([s for _, s in looks], np.float32)
        cache.parent.mkdir(parents=True, exist_ok=True)
        np.savez(cache, names=names, meshes=meshes, spread=spread)
    with np.load(cache) as data:
        return Labels(data["names"], data["meshes"], data["spread"])


def load_people(faces: Path, teacher: Path | None, cache: Path) -> tuple[Labels, Rows, Rows]:
    """``load_or_label``, with the rows to learn from and those of people kept out of training."""
    labels = load_or_label(faces, teacher, cache)
    return labels, *split_people(labels)


def _label_all(faces: Path, names: Sequence[str], first: Floats, teacher: FaceMesh) -> Iterator[tuple[Floats, float]]:
    for name, mesh in zip(names, first, strict=True):
        image = read_picture(faces / str(name))
        rng = np.random.default_rng(zlib.crc32(str(name).encode()))
        looks = np.stack([look(image, mesh, teacher, rng, mirrored=bool(i % 2)) for i in range(6)])
        average = looks.mean(axis=0)
        apart = np.linalg.norm(looks[:, :, :2] - average[:, :2], axis=-1).mean()
        yield average, float(apart / eye_distance(average[None])[0])


def look(image: Bytes, mesh: Floats, teacher: FaceMesh, rng: np.random.Generator, *, mirrored: bool) -> Floats:
    """The teacher's mesh from one slightly shifted, scaled and turned crop, at times of the mirrored picture."""
    matrix = place(mesh, SIZE)
    if matrix is None:
        raise ValueError("the first mesh of a picture says nothing")
    scale = MARGIN / MADE_FOR * rng.uniform(0.94, 1.06)
    shift = rng.uniform(-0.03, 0.03, 2) * SIZE
    turned = np.asarray(cv2.getRotationMatrix2D((SIZE / 2, SIZE / 2), rng.uniform(-6, 6), scale), np.float64)
    turned[:, 2] += shift
    if mirrored:
        turned = composed(flipping(SIZE), turned)
    full = composed(turned, matrix)
    crop = warped(image, full, (SIZE, SIZE), how=cv2.INTER_CUBIC)
    points = teacher.mesh(crop)
    inverse = cv2.invertAffineTransform(full)
    xy = points[:, :2] @ inverse[:, :2].T + inverse[:, 2]
    found = np.column_stack([xy, points[:, 2] * np.hypot(inverse[0, 0], inverse[1, 0])]).astype(np.float32)
    return found[canonical().mirror] if mirrored else found


def eye_distance(meshes: Floats) -> Floats:
    """(N,) inter-ocular distance in space (a turned head keeps it), between the means of the eye corners."""
    left, right = meshes[:, [33, 133]].mean(axis=1), meshes[:, [362, 263]].mean(axis=1)
    return np.asarray(np.linalg.norm(right - left, axis=-1), np.float32)
