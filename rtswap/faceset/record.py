"""One face of a faceset, and its line in the table."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtswap.core.types import Matrix, Points
from rtswap.networks.landmarks import place
from rtswap.vision.pose import Pose

NOBODY = -1
"""``FaceRecord.person`` of a face that was not assigned to a person."""
PICTURES = (".png", ".jpg")
"""Suffixes of face pictures."""
MASK_SUFFIX = ".png"
FARTHEST = 10
"""Sides of its picture by which a point of a face may lie outside: what draws around eyes takes the square of it."""
_LENGTH = 0.01
"""By how much the length of an embedding may differ from 1: its numbers are rounded."""


@dataclass(frozen=True, slots=True, eq=False)
class FaceRecord:
    """One face. Points are pixels of its picture; ``matrix`` maps pixels of the frame or photo to them."""

    file: str
    """Name of the picture in the folder: square, PNG or JPEG."""
    size: int
    """Its width and height, px."""
    matrix: Matrix
    """(2, 3) frame px -> picture px."""
    keypoints: Points
    """(5, 2): left eye, right eye, nose tip, left and right mouth corner, as seen in the picture."""
    landmarks: Points
    """(468, 3): MediaPipe's canonical topology."""
    points68: Points
    """(68, 2): iBUG's 68 points."""
    pose: Pose
    """Degrees, in the frame."""
    mask: str = ""
    """Name of the mask in the folder, an 8-bit PNG of the same size: 255 = face visible, 0 = hair, hand, background.
    Empty: there is none."""
    person: int = NOBODY
    """The person's number in this faceset, from 0; -1: not assigned."""
    clip: str = ""
    """File name of the video or photo, without its folder."""
    sha256: str = ""
    """Of that file."""
    frame: int | None = None
    """Frame number in the video; None for a photo."""
    time_s: float | None = None
    """Its presentation time; None for a photo."""
    score: float = 0.0
    """0..1: size, sharpness, pose and exposure, multiplied (``source.quality.appraise``)."""
    quality: Mapping[str, float] = field(default_factory=dict)
    """The figures behind the score, by name (docs/faceset.md)."""
    embedding: NDArray[np.float32] | None = None
    """(D,) of unit length, which identifies the person: biometric data, written on request only."""
    space: str = ""
    """Name of the network that computed ``embedding``, such as ``dlib``."""
    licence: str = ""
    provenance: str = ""
    """What the user says of the pictures: under which licence they may be used, and where they come from."""


def line_of(record: FaceRecord) -> str:
    """The record as one line of JSON, without the line's end. Points are rounded to 0.01 px."""
    entry = {
        "file": record.file,
        "mask": record.mask,
        "size": record.size,
        "person": record.person,
        "clip": record.clip,
        "sha256": record.sha256,
        "frame": record.frame,
        "time_s": record.time_s,
        "score": round(record.score, 5),
        "pose": [round(float(angle), 3) for angle in record.pose],
        "quality": {name: round(float(value), 5) for name, value in record.quality.items()},
        "licence": record.licence,
        "provenance": record.provenance,
        "matrix": _as_list(record.matrix, 6),
        "keypoints": _as_list(record.keypoints, 2),
        "points68": _as_list(record.points68, 2),
        "landmarks": _as_list(record.landmarks, 2),
    }
    if record.embedding is not None:
        entry |= {"space": record.space, "embedding": _as_list(record.embedding, 6)}
    return json.dumps(entry, ensure_ascii=True, allow_nan=False, separators=(",", ":"))


def record_of(entry: Mapping[str, Any]) -> FaceRecord:
    """The record of a parsed line. Raises KeyError, TypeError or ValueError unless ``line_of`` wrote it."""
    size = entry["size"]
    if type(size) is not int or not 0 < size <= 1 << 14:
        raise ValueError("size")
    embedding = None if entry.get("embedding") is None else _unit(entry["embedding"])
    angles, most = _numbers(entry["pose"], (3,), most=360), FARTHEST * size
    landmarks = _numbers(entry["landmarks"], (468, 3), most)
    if place(landmarks[:, :2], size) is None:
        raise ValueError("landmarks of no face")
    return FaceRecord(
        file=_name(entry["file"], PICTURES),
        size=size,
        matrix=_numbers(entry["matrix"], (2, 3), most=math.inf),
        keypoints=_numbers(entry["keypoints"], (5, 2), most),
        landmarks=landmarks,
        points68=_numbers(entry["points68"], (68, 2), most),
        pose=Pose(*angles.tolist()),
        mask=_name(entry["mask"], (MASK_SUFFIX,)) if entry["mask"] else "",
        person=_whole(entry["person"]),
        clip=_text(entry["clip"]),
        sha256=_text(entry["sha256"]),
        frame=None if entry["frame"] is None else _whole(entry["frame"]),
        time_s=None if entry["time_s"] is None else _number(entry["time_s"]),
        score=_number(entry["score"]),
        quality={_text(name): _number(value) for name, value in dict(entry["quality"]).items()},
        embedding=embedding,
        space=_text(entry.get("space", "")),
        licence=_text(entry["licence"]),
        provenance=_text(entry["provenance"]),
    )


def is_inside(name: str, suffixes: Sequence[str]) -> bool:
    """Whether ``name`` is the plain name of a file in the folder, on any system, with one of these suffixes."""
    plain = PurePosixPath(name).name == name and PureWindowsPath(name).name == name and "\0" not in name
    return plain and not name.startswith(".") and name.endswith(tuple(suffixes))


def _name(name: object, suffixes: Sequence[str]) -> str:
    if not isinstance(name, str) or not is_inside(name, suffixes):
        raise ValueError("file")
    return name


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("text")
    return value


def _whole(value: object) -> int:
    if type(value) is not int:
        raise TypeError("whole number")
    return value


def _number(value: object) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):  # type: ignore[arg-type]
        raise TypeError("number")
    return float(value)  # type: ignore[arg-type]


def _unit(values: Any) -> NDArray[np.float32]:
    found = _numbers(values, (len(values),), 1 + _LENGTH)
    if abs(float(np.linalg.norm(found)) - 1) > _LENGTH:
        raise ValueError("length")
    return found


def _numbers(values: object, shape: tuple[int, ...], most: float) -> NDArray[np.float32]:
    array = np.array(values)
    if array.dtype.kind not in "if" or array.shape != shape:
        raise ValueError("shape")
    with np.errstate(over="ignore"):
        found = array.astype(np.float32)
    if not np.isfinite(found).all() or np.abs(found).max(initial=0) > most:
        raise ValueError("range")
    return found


def _as_list(values: NDArray[np.floating], digits: int) -> Any:
    return np.round(values.astype(np.float64), digits).tolist()
