"""What the network that ships takes for heads in the portraits that it learns from: wheels, buttons, knees, palms.
Once they are known, they are shown more often than chance would."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from rtswap.core.types import Image
from rtswap.engines.onnxruntime import OnnxRuntimeEngine
from rtswap.networks.heads import HeadModel
from rtswap.tracking.second_look import equalised
from training.arrays import Bytes, Floats
from training.heads.portraits import SIDE, Portraits, open_detector
from training.heads.rooms import touches_head

SIDES = 512, 352, 256, 192
"""Pixels of the portraits in which they are looked for."""
LEAST_SCORE, MOST, APART = 0.35, 6, 0.5
"""Of a lure; lures per portrait; distance between two, in the larger one's sides."""
A_FACE = 0.6
"""Score from which MTCNN shows that it is a head after all, of somebody in the background."""


@dataclass(frozen=True)
class Lures:
    """``places``: (N, 5) number of the portrait, then xyxy in it."""

    portraits: Portraits
    places: Floats

    def patch(self, height: int, width: int, rng: np.random.Generator) -> Bytes | None:
        """(height, width, 3) somewhere around one of them; None where a real head would be in it."""
        if not len(self.places):
            return None
        number, x1, y1, x2, y2 = self.places[int(rng.integers(len(self.places)))]
        side = max(x2 - x1, y2 - y1) * float(np.exp(rng.uniform(0, np.log(4))))
        wide, tall = (side * length / max(height, width) for length in (width, height))
        middle = np.array([x1 + x2, y1 + y2]) / 2 + rng.uniform(-0.2, 0.2, 2) * (x2 - x1)
        left, top = np.round(middle - np.array([wide, tall]) / 2).astype(int)
        right, bottom = min(left + max(round(wide), 4), SIDE), min(top + max(round(tall), 4), SIDE)
        left, top, boxes = max(left, 0), max(top, 0), self.portraits.boxes[int(number)]
        if right - left < 4 or bottom - top < 4 or touches_head(boxes, left, top, right - left, bottom - top):
            return None
        part = self.portraits.pictures[int(number)][top:bottom, left:right]
        part = part[:, ::-1] if rng.random() < 0.5 else part
        how = cv2.INTER_AREA if part.shape[1] > width else cv2.INTER_LINEAR
        return np.array(cv2.resize(part, (width, height), interpolation=how), np.uint8)


def load_or_find(portraits: Portraits, models: list[Path], cache: Path) -> Lures:
    """The lures of all ``portraits`` for the exported networks; found once, kept in ``cache``."""
    if not cache.exists():
        networks, detector = [HeadModel(OnnxRuntimeEngine(path, threads=1)) for path in models], open_detector()
        rows = []
        for number, (picture, boxes) in enumerate(zip(portraits.pictures, portraits.boxes, strict=True)):
            for place in _lures_in(picture, boxes, networks):
                if not any(face.score > A_FACE for face in detector.detect(_around(picture, place))):
                    rows.append([number, *place])
        np.savez(cache, places=np.array(rows, np.float32).reshape(-1, 5))
    with np.load(cache) as data:
        return Lures(portraits, data["places"])


def _lures_in(picture: Image, boxes: Floats, networks: list[HeadModel]) -> list[list[float]]:
    found: list[list[float]] = []
    for side in SIDES:
        plain = np.asarray(cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA), np.uint8)
        for seen in (plain, equalised(plain)):
            found += [[*(row[:4] * (SIDE / side)), row[4]] for one in networks for row in one.find(seen, LEAST_SCORE)]
    kept: list[list[float]] = []
    for x1, y1, x2, y2, _ in sorted(found, key=lambda row: -row[4]):
        near = any(max(abs(x1 + x2 - a - c), abs(y1 + y2 - b - d)) < 2 * APART * (c - a) for a, b, c, d in kept)
        if not near and not touches_head(boxes, int(x1), int(y1), int(x2 - x1), int(y2 - y1)):
            kept.append([x1, y1, x2, y2])
    return kept[:MOST]


def _around(picture: Image, place: list[float]) -> Image:
    """Twice the place, enlarged, for a detector."""
    x1, y1, x2, y2 = place
    reach = max(x2 - x1, y2 - y1)
    left, top = (max(round((low + high) / 2 - reach), 0) for low, high in ((x1, x2), (y1, y2)))
    part = picture[top : round(top + 2 * reach) + 1, left : round(left + 2 * reach) + 1]
    return np.asarray(cv2.resize(part, (256, 256), interpolation=cv2.INTER_CUBIC), np.uint8)
