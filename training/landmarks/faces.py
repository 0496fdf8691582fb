"""The faces that the network learns from: pictures, meshes averaged over several looks of the teacher, the split."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.networks.landmarks import place
from training.landmarks.teacher import SIZE, Teacher
from training.people import is_usable

VALIDATION_PERCENT = 8
WORST_SPREAD = 0.05
"""Pictures on which the teacher disagrees with itself by more inter-ocular distances are left out."""
_TEACHER_MARGIN = 1.5
"""The teacher was made for face boxes widened by this."""


def is_validation(name: str) -> bool:
    """Whether the person ``name`` is kept out of training: 8 in 100, by the CRC-32 of the file's name."""
    return zlib.crc32(name.encode()) % 100 < VALIDATION_PERCENT


def taught_and_kept_out(labels: Labels) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of the pictures to learn from, and of those of people kept out of training."""
    names = [str(name) for name in labels.names]
    good = (labels.spread < WORST_SPREAD) & np.array([is_usable(name) for name in names])
    kept_out = np.array([is_validation(name) for name in names])
    return np.flatnonzero(good & ~kept_out), np.flatnonzero(good & kept_out)


def mirror_permutation() -> NDArray[np.int64]:
    """(468,) which point takes a point's place in the mirrored picture."""
    return np.asarray(_canonical()["mirror"], np.int64)


def triangles() -> NDArray[np.int64]:
    """(T, 3) corners of the face's triangles."""
    return np.asarray(_canonical()["triangles"], np.int64)


def _canonical() -> dict[str, NDArray[np.float32]]:
    import rtswap

    with np.load(Path(rtswap.__file__).parent / "assets" / "canonical.npz") as data:
        return {name: data[name] for name in ("mesh", "triangles", "mirror")}


@dataclass(frozen=True)
class Labels:
    names: NDArray[np.str_]
    meshes: NDArray[np.float32]
    """(N, 468, 3) pixels of the 256 px pictures."""
    spread: NDArray[np.float32]
    """(N,) mean disagreement of the teacher with itself, in inter-ocular distances."""


def load_or_label(faces: Path, teacher: Path, cache: Path) -> Labels:
    """The averaged labels of every picture in ``faces``, made once and kept in ``cache``."""
    if not cache.exists():
        with np.load(faces / "faces.npz") as data:
            names, first = data["name"], data["mesh468"].astype(np.float32)
        looks = list(_label_all(faces, names, first, Teacher(teacher)))
        meshes, spread = np.stack([m for m, _ in looks]), np.array([s for _, s in looks], np.float32)
        cache.parent.mkdir(parents=True, exist_ok=True)
        np.savez(cache, names=names, meshes=meshes, spread=spread)
    with np.load(cache) as data:
        return Labels(data["names"], data["meshes"], data["spread"])


def _label_all(
    faces: Path, names: Sequence[str], first: NDArray[np.float32], teacher: Teacher
) -> Iterator[tuple[NDArray[np.float32], float]]:
    mirror = mirror_permutation()
    for name, mesh in zip(names, first, strict=True):
        image = read_picture(faces / str(name))
        rng = np.random.default_rng(zlib.crc32(str(name).encode()))
        looks = np.stack([look(image, mesh, teacher, rng, mirror if i % 2 else None) for i in range(6)])
        average = looks.mean(axis=0)
        apart = np.linalg.norm(looks[:, :, :2] - average[:, :2], axis=-1).mean()
        yield average, float(apart / eye_distance(average[None])[0])


def look(
    image: NDArray[np.uint8],
    mesh: NDArray[np.float32],
    teacher: Teacher,
    rng: np.random.Generator,
    mirror: NDArray[np.int64] | None,
) -> NDArray[np.float32]:
    """The teacher's mesh from one slightly shifted, scaled and turned crop; mirrored where ``mirror`` is given."""
    matrix = place(mesh, SIZE)
    if matrix is None:
        raise ValueError("the first mesh of a picture says nothing")
    scale = 1.3 / _TEACHER_MARGIN * rng.uniform(0.94, 1.06)
    shift = rng.uniform(-0.03, 0.03, 2) * SIZE
    turned = np.asarray(cv2.getRotationMatrix2D((SIZE / 2, SIZE / 2), rng.uniform(-6, 6), scale), np.float64)
    turned[:, 2] += shift
    if mirror is not None:
        turned = np.array([[-1.0, 0, SIZE - 1], [0, 1, 0]]) @ np.vstack([turned, [0, 0, 1]])
    full = turned @ np.vstack([matrix, [0, 0, 1]])
    crop = cv2.warpAffine(image, full, (SIZE, SIZE), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    points = teacher.mesh(np.asarray(crop, np.uint8))
    inverse = cv2.invertAffineTransform(full)
    xy = points[:, :2] @ inverse[:, :2].T + inverse[:, 2]
    found = np.column_stack([xy, points[:, 2] * np.hypot(inverse[0, 0], inverse[1, 0])]).astype(np.float32)
    return found if mirror is None else found[mirror]


def read_picture(path: Path) -> NDArray[np.uint8]:
    """(H, W, 3) BGR. Raises FileNotFoundError for what is missing or no picture."""
    image = cv2.imread(str(path))
    if image is None:
        raise FileNotFoundError(f"{path} is missing or is not a picture; expected the faces named in faces.npz")
    return np.asarray(image, np.uint8)


def eye_distance(meshes: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N,) inter-ocular distance in space (a turned head keeps it), between the means of the eye corners."""
    left, right = meshes[:, [33, 133]].mean(axis=1), meshes[:, [362, 263]].mean(axis=1)
    return np.asarray(np.linalg.norm(right - left, axis=-1), np.float32)
