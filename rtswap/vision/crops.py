"""Place and cut the square upright crops that networks take as input.

Pixel centres are at integer coordinates. Networks differ in whether the crop's centre is at ``size / 2`` or at
``(size - 1) / 2``, and in how large images are averaged down; both are parameters.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.types import Image, Matrix, Points
from rtswap.vision.geometry import canonical, composed, inverse, scale_of
from rtswap.vision.resample import resized, warped

FARTHEST = 1e6
"""Pixels. Coordinates beyond this are a numerical error."""
FLAT = 0.05
"""Pixels of a 128 px crop per image pixel below which landmarks are considered degenerate."""
_TINY = 1e-3
_LEFT_EYE, _RIGHT_EYE, _MOUTH = (33, 133), (362, 263), (61, 291)
"""Corners in the canonical topology; left and right as seen in the image."""
_SIDE_BY_KEYPOINTS = 1.22
"""Longest side of the mesh divided by (eye to eye + eyes to mouth); mean over 2,011 frontal faces, deviation 0.07."""
_SIDE_BY_HEIGHT = 2.2
"""The same divided by (eyes to mouth) alone, which is stable when the head turns sideways."""
_CENTRE_BELOW_EYES = 0.19
"""Distance from the centre of the eyes down to that of the upright mesh, in longest sides of the mesh."""
_MOST_HALVINGS = 6


class Shrink(NamedTuple):
    """When to halve an image before sampling: sampled directly, a large face would shimmer."""

    below: float
    """Scale in crop pixels per image pixel below which the image is halved."""
    least: int
    """Pixels: an image with a shorter side is not halved."""
    stretch: bool = False
    """For an odd number of pixels: True scales all of them to complete ones, False drops the last."""


AVERAGED = Shrink(below=0.5, least=2)
"""How photos and large faces are averaged down to the crops of most networks."""


def place_upright(face: Points, size: int, *, margin: float, middle: float) -> Matrix | None:
    """Matrix (2, 3) image -> crop for the ``size`` px square crop of a face, upright and centred.

    ``face``: (5, 2) keypoints or a (468, 2 or 3) mesh. ``margin``: the crop's side in longest sides of the upright
    mesh. ``middle``: x and y in the crop of the mesh's centre. None if the points are degenerate (not finite, or all
    in one place).
    """
    points = np.asarray(face, np.float64)[:, :2]
    if not np.abs(points).max() <= FARTHEST:  # false for NaN, too
        return None
    is_mesh = len(points) > 5
    left, right, mouth = _corners(points, *((_LEFT_EYE, _RIGHT_EYE, _MOUTH) if is_mesh else ((0, 0), (1, 1), (3, 4))))
    eyes = (left + right) / 2
    across, down = right - left, mouth - eyes
    # Combine eye line and nose line: either alone tilts when the head turns or nods.
    axis = across - 1j * down
    if abs(axis) < _TINY:
        return None
    axis /= abs(axis)
    rotation = np.array([[axis.real, axis.imag], [-axis.imag, axis.real]])
    if is_mesh:
        upright = rotation @ points.T
        low, high = upright.min(axis=1), upright.max(axis=1)
        centre, side = (low + high) / 2, float((high - low).max())
    else:
        side = max(_SIDE_BY_KEYPOINTS * (abs(across) + abs(down)), _SIDE_BY_HEIGHT * abs(down))
        turned = eyes * axis.conjugate()
        centre = np.array([turned.real, turned.imag + _CENTRE_BELOW_EYES * side])
    if side < _TINY:
        return None
    scale = size / (margin * side)
    return np.column_stack([rotation * scale, middle - centre * scale]).astype(np.float32)


def _corners(points: NDArray[np.float64], *pairs: tuple[int, int]) -> list[complex]:
    """The centre of each pair of points as x + iy, so that a rotation is a product."""
    return [complex(*((points[a] + points[b]) / 2).tolist()) for a, b in pairs]


def fit_mean_face(landmarks: Points, size: int, eyes_px: float) -> Matrix | None:
    """Matrix (2, 3) from the pixels of ``landmarks`` (468, 2 or 3) to the crop with the mean face at its centre, its
    eyes ``eyes_px`` apart; None if they do not form a face.

    The least-squares similarity without reflection; in the complex plane it is one division.
    """
    if not np.abs(landmarks).max() <= FARTHEST:  # also catches NaN
        return None
    places = landmarks[:, 0] + np.complex64(1j) * landmarks[:, 1]
    goal, goal_middle = _mean_face(size, eyes_px)
    middle = complex(places.mean())
    own = (places - middle).conj()
    spread = float((own @ own.conj()).real)
    turn = complex(own @ goal) / spread if spread > 0 else 0j
    if not FLAT < abs(turn) * 128 / size < 1 / FLAT:
        return None
    shift = goal_middle - turn * middle
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]], np.float32)


@cache
def _mean_face(size: int, eyes_px: float) -> tuple[NDArray[np.complex64], complex]:
    """The mean face in the crop as x + iy about its centre, and that centre."""
    mesh = canonical().mesh[:, :2]
    points = (mesh - (mesh.min(0) + mesh.max(0)) / 2) * eyes_px + (size - 1) / 2
    places = points[:, 0] + 1j * points[:, 1]
    return np.asarray(places - places.mean(), np.complex64), complex(places.mean())


def cut(
    picture: NDArray[np.uint8], matrix: Matrix, size: int, shrink: Shrink, *, zero: bool = False
) -> NDArray[np.uint8]:
    """Sample ``picture`` through ``matrix``, (size, size, ...); outside it the border is replicated, or 0 with
    ``zero``."""
    while _must_shrink(matrix, picture.shape[1::-1], shrink):
        height, width = picture.shape[:2]
        half = width // 2, height // 2
        if not shrink.stretch:
            height, width = 2 * half[1], 2 * half[0]
        picture = resized(picture[:height, :width], half, cv2.INTER_AREA)
        matrix = _shrunk(matrix, np.array([width / half[0], height / half[1]], np.float32))
    return warped(picture, matrix, (size, size), zero=zero)


def sampling(matrix: Matrix, size: tuple[int, int], shrink: Shrink) -> tuple[list[float], int]:
    """Parameters for a GPU to cut as ``cut`` does: affine crop -> halved image (6), the halved image's width and
    height; and the number of halvings. ``size``: the image's (width, height)."""
    halvings = 0
    while _must_shrink(matrix, size, shrink):
        matrix, size, halvings = _shrunk(matrix, np.float32(2)), (size[0] // 2, size[1] // 2), halvings + 1
    linear = np.linalg.inv(matrix[:, :2].astype(np.float64))
    (a, b), (d, e) = linear.tolist()
    c, f = (-linear @ matrix[:, 2]).tolist()
    return [a, b, c, d, e, f, *size], halvings


def _must_shrink(matrix: Matrix, size: tuple[int, ...], shrink: Shrink) -> bool:
    return scale_of(matrix) < shrink.below and min(size) >= shrink.least


def _shrunk(matrix: Matrix, step: Any) -> Matrix:
    """Adapt ``matrix`` to an image reduced by ``step`` in each direction, with pixel centres aligned."""
    shift = matrix[:, :2] @ ((step - 1) / 2 * np.ones(2, np.float32)) + matrix[:, 2]
    return np.column_stack([matrix[:, :2] * step, shift]).astype(np.float32)


def cut_into(image: Image, matrix: Matrix, out: Image) -> None:
    """As ``cut``, into ``out`` (S, S, 3), with replicated borders; reads only the pixels around the face.

    A face more than twice as large as the crop is first averaged down by 2, 4, 8 ...
    """
    size = out.shape[0]
    view, moved = image, matrix
    halvings = min(int(np.log2(max(1.0, 1.0 / max(float(np.hypot(*matrix[:, 0])), _TINY)))), _MOST_HALVINGS)
    if halvings:
        view, moved = _reduce(image, matrix, size, halvings)
    cv2.warpAffine(view, moved, (size, size), dst=out, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _reduce(image: Image, matrix: Matrix, size: int, halvings: int) -> tuple[Image, Matrix]:
    """The part of ``image`` under the crop, halved ``halvings`` times, and the adapted matrix."""
    factor = 2**halvings
    (a, b, x), (c, d, y) = cv2.invertAffineTransform(matrix).tolist()
    height, width = image.shape[0] // factor, image.shape[1] // factor
    left, right = _span(x + size * min(0, a, b, a + b), x + size * max(0, a, b, a + b), factor, width)
    top, bottom = _span(y + size * min(0, c, d, c + d), y + size * max(0, c, d, c + d), factor, height)
    columns, rows = right - left, bottom - top
    if columns < 1 or rows < 1:
        return image, matrix
    low_x, low_y = left * factor, top * factor
    view = image[low_y : low_y + rows * factor, low_x : low_x + columns * factor]
    for _ in range(halvings):  # in steps of 2: OpenCV has a fast path for it
        view = np.asarray(cv2.resize(view, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)
    # The centre of a reduced pixel is the centre of the pixels it averages.
    start = np.array([low_x, low_y]) + (factor - 1) / 2
    shift = matrix[:, :2] @ start + matrix[:, 2]
    return view, np.column_stack([matrix[:, :2] * factor, shift]).astype(np.float32)


def _span(low: float, high: float, factor: int, limit: int) -> tuple[int, int]:
    """First and last reduced pixel of 0..``limit`` needed for ``low`` to ``high``, with a margin of one."""
    first = min(max(math.floor(low / factor) - 1, 0), max(limit - 1, 0))
    return first, min(max(math.ceil(high / factor) + 1, first + 1), limit)


def cut_sharp(photo: Image, matrix: Matrix, size: int) -> Image:
    """Cut an image for storage, (size, size, 3): averaged down by the exact scale, then bicubic; borders
    replicated."""
    scale = scale_of(matrix)
    corners = np.array([[0, 0, 1], [size, 0, 1], [0, size, 1], [size, size, 1]]) @ inverse(matrix).T
    limit = np.array([photo.shape[1], photo.shape[0]])
    low = np.clip(np.floor(corners.min(axis=0)).astype(int) - 4, 0, limit - 1)
    high = np.clip(np.ceil(corners.max(axis=0)).astype(int) + 4, low + 1, limit)
    part = photo[low[1] : high[1], low[0] : high[0]]
    if scale < 1.0:
        width, height = (max(1, round(float(length) * scale)) for length in high - low)
        part = resized(part, (width, height), cv2.INTER_AREA)
    # part pixel -> photo pixel, by centres
    step = (high - low) / np.array([part.shape[1], part.shape[0]])
    shift = low + step / 2 - 0.5
    to_photo = np.array([[step[0], 0, shift[0]], [0, step[1], shift[1]]])
    return warped(part, composed(matrix, to_photo), (size, size), how=cv2.INTER_CUBIC)
