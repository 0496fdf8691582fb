"""The teacher, MediaPipe's face mesh (Apache-2.0), and its labels for the shared faces: meshes averaged over several
looks. Also who is taught and who is kept out."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.engines.telemetry import no_telemetry
from rtswap.networks.landmarks import place
from rtswap.vision.geometry import canonical
from training.arrays import Bytes, Floats, Rows
from training.people import is_usable
from training.pictures import read_picture

SIZE = 192
"""Side of the teacher's input in pixels."""


class Teacher:
    """An ``Engine`` with our network's contract that runs the teacher: ``MeshLandmarks(Teacher(path), size=192)``.

    It knows neither visibility nor presence: both are 1.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        with no_telemetry():
            import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name

    @property
    def name(self) -> str:
        return "teacher"

    def run(self, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        """``crops`` (N, S, S, 3) uint8 BGR -> points in pixels of the crops."""
        crops = inputs["crops"]
        points = np.stack([self.mesh(crop) for crop in crops])
        count = len(crops)
        return {
            "points": points,
            "visibility": np.ones((count, 468), np.float32),
            "presence": np.ones(count, np.float32),
        }

    def mesh(self, crop: Bytes) -> Floats:
        """(468, 3) in pixels of a square BGR crop of any size."""
        side = crop.shape[0]
        scaled = crop if side == SIZE else cv2.resize(crop, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
        rgb = scaled[None, :, :, ::-1].astype(np.float32) / 255
        points = self._session.run(None, {self._input: rgb})[0].reshape(468, 3)
        scale = side / SIZE
        # The teacher's points count from the corner of the first pixel's middle: a resize keeps pixel corners.
        points[:, :2] = (points[:, :2] + 0.5) * scale - 0.5
        points[:, 2] *= scale
        return np.asarray(points, np.float32)


VALIDATION_PERCENT = 8
WORST_SPREAD = 0.05
"""Pictures on which the teacher disagrees with itself by more inter-ocular distances are left out."""
_TEACHER_MARGIN = 1.5
"""The teacher was made for face boxes widened by this."""


def is_validation(name: str) -> bool:
    """Whether the person ``name`` is kept out of training: 8 in 100, by the CRC-32 of the file's name."""
    return zlib.crc32(name.encode()) % 100 < VALIDATION_PERCENT


def taught_and_kept_out(labels: Labels) -> tuple[Rows, Rows]:
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
        looks = list(_label_all(faces, names, first, Teacher(teacher)))
        meshes, spread = np.stack([m for m, _ in looks]), np.array([s for _, s in looks], np.float32)
        cache.parent.mkdir(parents=True, exist_ok=True)
        np.savez(cache, names=names, meshes=meshes, spread=spread)
    with np.load(cache) as data:
        return Labels(data["names"], data["meshes"], data["spread"])


def load_people(faces: Path, teacher: Path | None, cache: Path) -> tuple[Labels, Rows, Rows]:
    """``load_or_label``, with the rows to learn from and those of people kept out of training."""
    labels = load_or_label(faces, teacher, cache)
    return labels, *taught_and_kept_out(labels)


def _label_all(faces: Path, names: Sequence[str], first: Floats, teacher: Teacher) -> Iterator[tuple[Floats, float]]:
    for name, mesh in zip(names, first, strict=True):
        image = read_picture(faces / str(name))
        rng = np.random.default_rng(zlib.crc32(str(name).encode()))
        looks = np.stack([look(image, mesh, teacher, rng, mirrored=bool(i % 2)) for i in range(6)])
        average = looks.mean(axis=0)
        apart = np.linalg.norm(looks[:, :, :2] - average[:, :2], axis=-1).mean()
        yield average, float(apart / eye_distance(average[None])[0])


def look(image: Bytes, mesh: Floats, teacher: Teacher, rng: np.random.Generator, *, mirrored: bool) -> Floats:
    """The teacher's mesh from one slightly shifted, scaled and turned crop, at times of the mirrored picture."""
    matrix = place(mesh, SIZE)
    if matrix is None:
        raise ValueError("the first mesh of a picture says nothing")
    scale = 1.3 / _TEACHER_MARGIN * rng.uniform(0.94, 1.06)
    shift = rng.uniform(-0.03, 0.03, 2) * SIZE
    turned = np.asarray(cv2.getRotationMatrix2D((SIZE / 2, SIZE / 2), rng.uniform(-6, 6), scale), np.float64)
    turned[:, 2] += shift
    if mirrored:
        turned = np.array([[-1.0, 0, SIZE - 1], [0, 1, 0]]) @ np.vstack([turned, [0, 0, 1]])
    full = turned @ np.vstack([matrix, [0, 0, 1]])
    crop = cv2.warpAffine(image, full, (SIZE, SIZE), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    points = teacher.mesh(np.asarray(crop, np.uint8))
    inverse = cv2.invertAffineTransform(full)
    xy = points[:, :2] @ inverse[:, :2].T + inverse[:, 2]
    found = np.column_stack([xy, points[:, 2] * np.hypot(inverse[0, 0], inverse[1, 0])]).astype(np.float32)
    return found[canonical().mirror] if mirrored else found


def eye_distance(meshes: Floats) -> Floats:
    """(N,) inter-ocular distance in space (a turned head keeps it), between the means of the eye corners."""
    left, right = meshes[:, [33, 133]].mean(axis=1), meshes[:, [362, 263]].mean(axis=1)
    return np.asarray(np.linalg.norm(right - left, axis=-1), np.float32)
