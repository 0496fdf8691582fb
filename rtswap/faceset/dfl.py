"""Aligned faces as DeepFaceLab stores them: a JPEG with a pickled dict in its segment APP15.

Facts of the format (iperov/DeepFaceLab, ``DFLIMG/DFLJPG.py``): ``face_type``; ``landmarks`` (68, 2) in the picture,
``source_landmarks`` in the frame; ``source_filename``; ``source_rect``; ``image_to_face_mat`` (2, 3) from frame to
picture; ``xseg_mask``, a PNG or JPEG in an array of bytes.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import cv2
import numpy as np

from rtswap.core.types import Image, Mask, Matrix, Points
from rtswap.faceset.plain_pickle import Array, read_plain
from rtswap.faceset.record import FaceRecord
from rtswap.vision.geometry import box_of, inverse, similarity, transform
from rtswap.vision.images import stated_size

FACE_TYPES = MappingProxyType({"full": "full_face", "whole": "whole_face", "head": "head"})
"""Template -> DeepFaceLab's name of it."""
MASK_PX = 256
"""Side of the masks that are written, so that they fit into the segment."""
_APP1, _APP15, _COMMENT, _SCAN = 0xE1, 0xEF, 0xFE, 0xDA
_QUALITY = 95
_MOST_MASK_PIXELS = 1 << 24
_OLD_NUMPY, _NEW_NUMPY = b"cnumpy.core.multiarray\n", b"cnumpy._core.multiarray\n"
"""How NumPy 1, which DeepFaceLab uses, and NumPy 2 call the module that makes arrays."""


@dataclass(frozen=True, slots=True, eq=False)
class AlignedFace:
    """What DeepFaceLab knows of a face."""

    template: str
    """Key of ``FACE_TYPES``."""
    points68: Points
    """(68, 2) px in the picture."""
    matrix: Matrix
    """(2, 3) frame px -> picture px; the identity if the file does not say."""
    clip: str
    """Name of the frame's file; empty if the file does not say."""
    mask: Mask | None
    """255 where the face is visible, of any size; None if no mask was applied."""
    jpeg: bytes
    """The picture, without DeepFaceLab's segment and any other text or settings."""


def read_aligned(data: bytes) -> AlignedFace:
    """Read a file of an aligned set. Raises ValueError, whose text says what is wrong."""
    pieces = list(_segments(data))
    found = [data[start + 4 : end] for marker, start, end in pieces if marker == _APP15]
    if not found:
        raise ValueError("no data of DeepFaceLab")
    said = read_plain(found[-1])
    if not isinstance(said, dict):
        raise ValueError("no data of DeepFaceLab")
    names = {name: template for template, name in FACE_TYPES.items()}
    face_type = said.get("face_type", "full_face")
    if not isinstance(face_type, str) or face_type not in names:
        raise ValueError(f"the face type {str(face_type)[:40]!r}, not {', '.join(names)}")
    points = _numbers(said.get("landmarks"), (68, 2))
    matrix = np.eye(2, 3, dtype=np.float32)
    if said.get("image_to_face_mat") is not None:
        matrix = _numbers(said["image_to_face_mat"], (2, 3))
    elif said.get("source_landmarks") is not None:
        matrix = similarity(_numbers(said["source_landmarks"], (68, 2)).astype(np.float64), points)
    if abs(float(np.linalg.det(matrix[:, :2]))) < 1e-9:
        raise ValueError("a matrix that cannot be inverted")
    clip = said.get("source_filename")
    jpeg = data[:2] + b"".join(
        data[start:end] for marker, start, end in pieces if not _APP1 <= marker <= _APP15 and marker != _COMMENT
    )
    return AlignedFace(
        names[face_type], points, matrix, clip if isinstance(clip, str) else "", _mask(said.get("xseg_mask")), jpeg
    )


def write_aligned(record: FaceRecord, template: str, picture: Image, mask: Mask) -> bytes:
    """A file of an aligned set. ``template``: key of ``FACE_TYPES``. Frames of a video are named as DeepFaceLab's own
    extraction names them, from 00001.png, so that its merger finds them."""
    to_frame = inverse(record.matrix)
    rect = box_of(transform(to_frame, record.landmarks))
    size = min(record.size, MASK_PX)
    small = cv2.resize(mask, (size, size), interpolation=cv2.INTER_AREA)
    said = {
        "face_type": FACE_TYPES[template],
        "landmarks": record.points68.tolist(),
        "source_filename": record.clip if record.frame is None else f"{record.frame + 1:05}.png",
        "source_rect": [round(edge) for edge in rect.tolist()],
        "source_landmarks": transform(to_frame, record.points68).tolist(),
        "image_to_face_mat": record.matrix.tolist(),
        "xseg_mask": cv2.imencode(".png", small)[1],
    }
    payload = pickle.dumps(said, protocol=3).replace(_NEW_NUMPY, _OLD_NUMPY, 1)
    jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes()
    segment = b"\xff\xef" + (len(payload) + 2).to_bytes(2, "big") + payload
    place = next(end for marker, _, end in _segments(jpeg) if marker & 0xF0 == 0xE0)  # after JFIF's own
    return jpeg[:place] + segment + jpeg[place:]


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield (marker, start, end) of each segment; the last is the scan with everything behind it. Raises
    ValueError."""
    if not data.startswith(b"\xff\xd8"):
        raise ValueError("no JPEG")
    place = 2
    while place + 4 <= len(data):
        if data[place] != 0xFF:
            raise ValueError("a damaged JPEG")
        marker, length = data[place + 1], int.from_bytes(data[place + 2 : place + 4], "big")
        end = len(data) if marker == _SCAN else place + 2 + length
        if length < 2 or end > len(data):
            raise ValueError("a damaged JPEG")
        yield marker, place, end
        place = end
    if place != len(data):
        raise ValueError("a damaged JPEG")


def _numbers(value: Any, shape: tuple[int, ...]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Nested lists or an array as (N, M) float32. Raises ValueError."""
    if isinstance(value, Array):
        value = value.values
    if isinstance(value, np.ndarray):
        found = value if value.shape == shape and value.dtype.kind in "iuf" else None
    else:
        rows = (
            [list(row) for row in value]
            if _has(value, shape[0]) and all(_has(row, shape[1]) for row in value)
            else []
        )
        plain = rows and all(type(number) in (int, float) and abs(number) < 1e7 for row in rows for number in row)
        found = np.array(rows, np.float64) if plain else None
    if found is None or not np.isfinite(found).all() or float(np.abs(found).max()) > 1e6:
        raise ValueError("damaged landmarks or matrix")
    return found.astype(np.float32)


def _has(value: Any, count: int) -> bool:
    return isinstance(value, list | tuple) and len(value) == count


def _mask(value: Any) -> Mask | None:
    """The mask, decoded. Raises ValueError."""
    if value is None:
        return None
    data = (
        value.values
        if isinstance(value, Array)
        else np.frombuffer(value, np.uint8)
        if isinstance(value, bytes)
        else None
    )
    if data is None or data.dtype != np.uint8 or not data.size:
        raise ValueError("a damaged mask")
    try:
        width, height = stated_size(data.tobytes()) or (0, 0)
        if width * height > _MOST_MASK_PIXELS:
            raise ValueError("a damaged mask")
        mask = cv2.imdecode(np.ascontiguousarray(data).reshape(-1), cv2.IMREAD_GRAYSCALE)
    except cv2.error:
        mask = None
    if mask is None:
        raise ValueError("a damaged mask")
    return np.asarray(mask, np.uint8)
