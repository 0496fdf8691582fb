"""Portraits of people who do not exist, in rooms and streets, and where their faces are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from rtswap.engines.onnxruntime import OnnxRuntimeEngine
from rtswap.networks.registry import Registry
from rtswap.tracking.detector import MtcnnDetector
from rtswap.training.pictures import read_picture
from training.arrays import Bytes, Floats

SIDE = 512
MOST = 4
"""Faces noted per portrait."""
SURE = 0.9


@dataclass(frozen=True)
class Portraits:
    pictures: Bytes
    """(N, 512, 512, 3) BGR"""
    boxes: Floats
    """(N, 4, 4) xyxy of the faces, the largest first; zeros: none"""

    def __len__(self) -> int:
        return len(self.pictures)

    def some(self, rows: np.ndarray) -> Portraits:
        return Portraits(self.pictures[rows], self.boxes[rows])


def load_or_find(folder: Path, cache: Path) -> Portraits:
    """Every portrait in ``folder`` with a face in it, found by MTCNN; once, kept in ``cache``."""
    if not cache.exists():
        detector = open_detector()
        found = [_find(detector, path) for path in sorted(folder.glob("*.jpg"))]
        rows = [row for row in found if row[1][0, 2] > 0]
        if not rows:
            raise SystemExit(f"{folder} has no portraits: give another --portraits")
        pictures, boxes = (np.stack(part) for part in zip(*rows, strict=True))
        np.savez(cache, pictures=pictures, boxes=boxes)
    with np.load(cache) as data:
        return Portraits(data["pictures"], data["boxes"])


def open_detector() -> MtcnnDetector:
    """The first detector, for pictures of up to 512 pixels."""
    engines = (OnnxRuntimeEngine(Registry().path(name), threads=1) for name in ("pnet", "rnet", "onet"))
    return MtcnnDetector(*engines, max_side=SIDE)


def _find(detector: MtcnnDetector, path: Path) -> tuple[Bytes, Floats]:
    image = np.asarray(cv2.resize(read_picture(path), (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)
    boxes = np.zeros((MOST, 4), np.float32)
    faces = [face for face in detector.detect(image) if face.score > SURE]
    faces.sort(key=lambda face: -float(face.box[3] - face.box[1]))
    for row, face in enumerate(faces[:MOST]):
        boxes[row] = face.box
    return image, boxes
