"""A target with a hand in front, and an engine with a scripted answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np

from rtswap.core.types import Points, SwappedFace, Target, Tensor
from rtswap.networks.occlusion import ANSWER, SIZE, place
from rtswap.vision.geometry import canonical

W, H = 224, 280


class FixedAnswer:
    """An engine that answers whatever it is told to."""

    name = "saying"

    def __init__(self, answer: Tensor | Callable[[], Mapping[str, Tensor]]) -> None:
        self.answer = answer
        self.seen: dict[str, Tensor] = {}

    def run(self, inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        self.seen = dict(inputs)
        return self.answer() if callable(self.answer) else {"visible": self.answer}


def answer(hidden: np.ndarray | None = None) -> np.ndarray:
    """What the network would say: seen everywhere but where ``hidden`` (64, 64) is 1."""
    blank = np.zeros((ANSWER, ANSWER)) if hidden is None else hidden
    return (1 - blank)[None].astype(np.float32)


def hide_corner() -> np.ndarray:
    hidden = np.zeros((ANSWER, ANSWER))
    hidden[38:56, 12:34] = 1
    return hidden


def mesh(width: int = W, height: int = H) -> Points:
    points = canonical().mesh.copy()
    points -= points.min(0)
    points *= 0.8 * min(width / points[:, 0].max(), height / points[:, 1].max())
    points[:, :2] += (np.array([width, height]) - points[:, :2].max(0)) / 2
    return points.astype(np.float32)


def target(points: Points | None = None, *, time_s: float = 0.0, seen: float = 0.0, track: int = 1) -> Target:
    crop = np.random.default_rng(3).integers(0, 256, (H, W, 3), np.uint8)
    return Target(track, crop, mesh() if points is None else points, np.full(468, seen, np.float32), time_s)


def swapped_face() -> SwappedFace:
    return SwappedFace(np.zeros((H, W, 3), np.uint8), np.full((H, W), 255, np.uint8))


def place_of(row: int, column: int, points: Points) -> tuple[int, int]:
    """Row and column in the crop of a place of the answer."""
    matrix = place(points)
    assert matrix is not None
    back = cv2.invertAffineTransform(matrix)
    x, y = back @ np.array([column * SIZE / ANSWER + 0.5, row * SIZE / ANSWER + 0.5, 1])
    return round(float(y)), round(float(x))
