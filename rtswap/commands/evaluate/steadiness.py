"""Measure jitter and flicker of a swapped clip and of its input."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.commands.evaluate.pixels import change_mask
from rtswap.commands.evaluate.pose import Meshes
from rtswap.core.types import Image
from rtswap.vision.geometry import interocular

EVERYWHERE = range(468)


def jitter(meshes: Meshes, points: Sequence[int] = EVERYWHERE, keep: NDArray[np.bool_] | None = None) -> float:
    """Return the mean second difference of the landmarks in inter-ocular distances. ``keep`` (T,): valid frames; a
    frame counts if both neighbours are valid too."""
    distance = float(np.median([interocular(mesh) for mesh in meshes]))
    step = np.diff(meshes[:, list(points), :2], n=2, axis=0)
    length = np.linalg.norm(step, axis=2) / distance
    if keep is not None:
        length = length[keep[:-2] & keep[1:-1] & keep[2:]]
    return float(length.mean())


def warp_errors(before: Sequence[Image], after: Sequence[Image], keep: NDArray[np.bool_]) -> tuple[float, float]:
    """Return for input and output the mean absolute difference, in levels, between a frame and the previous one
    warped along the input's optical flow, over pixels swapped in both."""
    flow_of = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)  # type: ignore[attr-defined]
    sums, count = np.zeros(2), 0
    for t in range(1, len(before)):
        if not (keep[t] and keep[t - 1]):
            continue
        x1, y1, x2, y2 = _around(change_mask(before[t], after[t]), before[t].shape)
        now, last = ([images[n][y1:y2, x1:x2] for images in (before, after)] for n in (t, t - 1))
        grey = [cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) for image in (now[0], last[0])]
        flow = flow_of.calc(grey[0], grey[1], None)
        where = flow + np.mgrid[: y2 - y1, : x2 - x1][::-1].transpose(1, 2, 0).astype(np.float32)
        inside = cv2.min(change_mask(*now), _move(change_mask(*last), where)) == 255
        for n in (0, 1):
            error = cv2.absdiff(now[n], _move(last[n], where))
            sums[n] += float(error[inside].mean(1).sum())
        count += int(inside.sum())
    return float(sums[0]) / max(count, 1), float(sums[1]) / max(count, 1)


def flicker(before: Sequence[Image], after: Sequence[Image], keep: NDArray[np.bool_]) -> tuple[float, float]:
    """Return for input and output the mean second difference of the mean Lab color of the swapped pixels."""
    means = []
    for first, second in zip(before, after, strict=True):
        where = change_mask(first, second)
        x, y, w, h = cv2.boundingRect(where)
        inside = np.s_[y : y + max(h, 1), x : x + max(w, 1)]
        labs = (cv2.cvtColor(one[inside].astype(np.float32) / 255, cv2.COLOR_BGR2LAB) for one in (first, second))
        means.append([cv2.mean(lab, where[inside])[:3] for lab in labs])
    length = np.linalg.norm(np.diff(np.array(means), n=2, axis=0), axis=2)
    valid = keep[:-2] & keep[1:-1] & keep[2:]
    return float(length[valid, 0].mean()), float(length[valid, 1].mean())


def _move(image: NDArray[np.uint8], where: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.asarray(cv2.remap(image, where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8)  # type: ignore[call-overload]


def _around(mask: NDArray[np.uint8], shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    x, y, w, h = cv2.boundingRect(mask)
    return max(0, x - w // 4), max(0, y - h // 4), min(shape[1], x + w + w // 4), min(shape[0], y + h + h // 4)
