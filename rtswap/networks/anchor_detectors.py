"""Decode the outputs of imported face detectors: SCRFD, YuNet and RetinaFace, whose maps have strides of 8, 16, 32.

Formulae: SCRFD (Guo et al. 2021) gives distances from a cell's corner to the sides of the box and to five keypoints;
YuNet (Wu et al. 2023) the box's middle and logarithmic size; RetinaFace (Deng et al. 2019, as exported by biubug6)
offsets from prior boxes of 16 to 512 px with variances of 0.1 and 0.2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtswap.core.errors import ModelError, reason
from rtswap.core.types import Tensor

STRIDES = (8, 16, 32)
PRIORS = ((16, 32), (64, 128), (256, 512))
"""Sides of RetinaFace's prior boxes per stride, in pixels."""
VARIANCES = 0.1, 0.2
"""Of the priors' positions and sizes."""
MOST = 1000
"""Faces, most of them several times, that are looked at. Those of a network that sees one in each of 16,800 anchors
took 17 seconds and 5.7 GB a frame."""
Floats = NDArray[np.float32]


class Faces(NamedTuple):
    """What a network found in its picture, in its pixels, in any order, faces several times."""

    boxes: Floats
    """(N, 4) xyxy"""
    scores: Floats
    """(N,) 0..1"""
    keypoints: Floats
    """(N, 5, 2)"""


Decode = Callable[[Mapping[str, Tensor], tuple[int, int], float], Faces]
"""Takes outputs, (width, height) of the picture, and the lowest score."""


def decode_scrfd(outputs: Mapping[str, Tensor], size: tuple[int, int], least: float) -> Faces:
    """Two anchors per cell, at its upper left corner. Raises ModelError."""
    maps = {side: _by_side(outputs, side) for side in (1, 4, 10)}
    found = []
    for number, stride in enumerate(STRIDES):
        scores = maps[1][number][:, 0]
        corners = np.repeat(_cells(size, stride), 2, axis=0) * stride
        if len(scores) != len(corners):
            raise _wrong("SCRFD", f"{len(scores)} scores for a stride of {stride}, expected {len(corners)}")
        good = scores >= least
        corner, far = corners[good], maps[4][number][good] * stride
        boxes = np.concatenate([corner - far[:, :2], corner + far[:, 2:]], 1)
        points = corner[:, None] + maps[10][number][good].reshape(-1, 5, 2) * stride
        found.append(Faces(boxes, scores[good], points))
    return _join(found)


def decode_yunet(outputs: Mapping[str, Tensor], size: tuple[int, int], least: float) -> Faces:
    """One anchor per cell; the score is the geometric mean of class and object. Raises ModelError."""
    found = []
    for stride in STRIDES:
        kinds = ("cls", "obj", "bbox", "kps")
        try:
            one, other, box, points = (np.asarray(outputs[f"{kind}_{stride}"], np.float32)[0] for kind in kinds)
        except KeyError as error:
            raise _wrong("YuNet", f"no output {error}") from None
        cells = _cells(size, stride)
        if len(one) != len(cells):
            raise _wrong("YuNet", f"{len(one)} scores for a stride of {stride}, expected {len(cells)}")
        scores = np.sqrt(np.clip(one[:, 0], 0, 1) * np.clip(other[:, 0], 0, 1))
        good = scores >= least
        cells, box = cells[good], box[good]
        middle, half = (cells + box[:, :2]) * stride, np.exp(np.minimum(box[:, 2:4], 20)) * (stride / 2)
        keypoints = (cells[:, None] + points[good].reshape(-1, 5, 2)) * stride
        found.append(Faces(np.concatenate([middle - half, middle + half], 1), scores[good], keypoints))
    return _join(found)


def decode_retinaface(outputs: Mapping[str, Tensor], size: tuple[int, int], least: float) -> Faces:
    """Two priors per cell, about its middle. Scores may be given before or after the softmax. Raises ModelError."""
    (box,), (points,), (classes,) = (_by_side(outputs, side, 1) for side in (4, 10, 2))
    priors = _priors(size)
    if len(box) != len(priors):
        raise _wrong("RetinaFace", f"{len(box)} boxes, expected {len(priors)}")
    if np.abs(classes.sum(1) - 1).max(initial=0) > 1e-3:
        classes = np.exp(classes - classes.max(1, keepdims=True))
        classes = classes / classes.sum(1, keepdims=True)
    good = classes[:, 1] >= least
    centre, side, box = priors[good, :2], priors[good, 2:], box[good]
    middle = centre + box[:, :2] * VARIANCES[0] * side
    half = side * np.exp(np.minimum(box[:, 2:] * VARIANCES[1], 20)) / 2
    keypoints = centre[:, None] + points[good].reshape(-1, 5, 2) * VARIANCES[0] * side[:, None]
    return _join([Faces(np.concatenate([middle - half, middle + half], 1), classes[good, 1], keypoints)])


_DECODERS: Mapping[str, Decode] = MappingProxyType(
    {"scrfd": decode_scrfd, "yunet": decode_yunet, "retinaface": decode_retinaface}
)
"""Family -> how its outputs are read."""


def decode(family: str, outputs: Mapping[str, Tensor], size: tuple[int, int], least: float) -> Faces:
    """Read a family's outputs, at most ``MOST`` faces, the best. ``size``: (width, height) of the picture; ``least``:
    score of a face. Raises ModelError for outputs of another shape, and for values that are not finite: they would
    look like an empty picture."""
    found = {name: np.asarray(value, np.float32) for name, value in outputs.items()}
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            faces = _DECODERS[family](found, size, least)
    except (IndexError, ValueError) as error:
        raise _wrong("the detector", f"outputs that do not fit together ({reason(error)})") from None
    if not all(np.isfinite(value).all() for value in (*found.values(), *faces)):
        raise _wrong("the detector", "values that are not finite")
    best = np.argsort(-faces.scores, kind="stable")[:MOST]
    return Faces(*(part[best] for part in faces))


def _by_side(outputs: Mapping[str, Tensor], side: int, count: int = 3) -> list[Floats]:
    """The outputs (N, side), the largest, of the smallest stride, first."""
    flat = [np.asarray(value, np.float32).reshape(-1, side) for value in outputs.values() if value.shape[-1] == side]
    if len(flat) != count:
        raise _wrong("the detector", f"{len(flat)} outputs of {side} values, expected {count}")
    return sorted(flat, key=len, reverse=True)


@cache
def _cells(size: tuple[int, int], stride: int) -> Floats:
    """(N, 2) column and row of each cell, by rows."""
    rows, columns = np.mgrid[: size[1] // stride, : size[0] // stride]
    return np.stack([columns.ravel(), rows.ravel()], 1).astype(np.float32)


@cache
def _priors(size: tuple[int, int]) -> Floats:
    """(N, 4) middle and side of each prior box, in pixels."""
    made = []
    for stride, sides in zip(STRIDES, PRIORS, strict=True):
        rows, columns = np.mgrid[: -(-size[1] // stride), : -(-size[0] // stride)]
        middles = (np.stack([columns.ravel(), rows.ravel()], 1) + 0.5) * stride
        squares = np.tile(np.array(sides, np.float32)[:, None], (len(middles), 2))
        made.append(np.concatenate([np.repeat(middles, 2, axis=0), squares], 1))
    return np.concatenate(made).astype(np.float32)


def _join(found: list[Faces]) -> Faces:
    return Faces(*(np.concatenate(parts).astype(np.float32) for parts in zip(*found, strict=True)))


def _wrong(name: str, got: str) -> ModelError:
    return ModelError(f"{name} returns invalid values", got=got, do="Add the model again, or use --detector mtcnn.")
