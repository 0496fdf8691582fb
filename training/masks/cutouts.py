"""Real hands cut from clips in which they move before dark clothes: texture and shape of hands, for painting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE = 96
_LEAST, _MOST = 400, 6000
"""Pixels of a hand in a clip."""


@dataclass(frozen=True)
class Cutouts:
    pictures: NDArray[np.uint8]
    """(H, 96, 96, 4) BGR and alpha."""

    def __len__(self) -> int:
        return len(self.pictures)


def load_or_cut(clips: Sequence[Path], cache: Path) -> Cutouts:
    """Every hand found in every third frame of the clips; cut once, kept in ``cache``."""
    if not cache.exists():
        found = [hand for clip in clips for hand in _hands_in(clip)]
        pictures = np.stack(found) if found else np.zeros((0, SIDE, SIDE, 4), np.uint8)
        cache.parent.mkdir(parents=True, exist_ok=True)
        np.savez(cache, pictures=pictures)
    with np.load(cache) as data:
        return Cutouts(data["pictures"])


def _hands_in(clip: Path) -> list[NDArray[np.uint8]]:
    import av

    found = []
    with av.open(str(clip)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number % 3 == 0:
                found += _hands(np.asarray(frame.to_ndarray(format="bgr24"), np.uint8))
    return found


def _hands(image: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """Skin-coloured blobs below the head with dark surroundings."""
    y, cr, cb = cv2.split(cv2.cvtColor(image, cv2.COLOR_BGR2YCrCb))
    skin = ((cr > 136) & (cr < 175) & (cb > 95) & (cb < 128) & (y > 55)).astype(np.uint8)
    skin[: int(0.36 * len(skin))] = 0
    skin = np.asarray(cv2.morphologyEx(skin, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)), np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(skin)
    hands = []
    for label in range(1, count):
        x, top, width, height, area = stats[label]
        if not _LEAST < area < _MOST or max(width, height) > 110:
            continue
        blob = (labels == label).astype(np.uint8)
        ring = cv2.dilate(blob, np.ones((9, 9), np.uint8)) - cv2.dilate(blob, np.ones((5, 5), np.uint8))
        if np.median(y[ring > 0]) < 90 and np.median(y[blob > 0]) > 95:
            hands.append(_cut(image, blob, (x, top, width, height)))
    return hands


def _cut(image: NDArray[np.uint8], blob: NDArray[np.uint8], box: Sequence[int]) -> NDArray[np.uint8]:
    """(96, 96, 4) the blob in the middle; its colour continued over its edge, where the dark would shine through."""
    x, y, width, height = box
    blob = np.asarray(cv2.morphologyEx(blob, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8)), np.uint8)
    inner = np.asarray(cv2.erode(blob, np.ones((3, 3), np.uint8)), np.uint8)
    colour = image.astype(np.float32) * inner[..., None]
    share = cv2.GaussianBlur(inner.astype(np.float32), (0, 0), 2)
    spread = cv2.GaussianBlur(colour, (0, 0), 2) / np.maximum(share, 1e-3)[..., None]
    picture = np.where(inner[..., None] > 0, image, np.clip(spread, 0, 255)).astype(np.uint8)
    alpha = cv2.GaussianBlur(blob.astype(np.float32), (0, 0), 0.7) * 255
    whole = np.dstack([picture, alpha.astype(np.uint8)])
    side = max(width, height) + 8
    left, top = x + width // 2 - side // 2, y + height // 2 - side // 2
    padded = cv2.copyMakeBorder(whole, side, side, side, side, cv2.BORDER_CONSTANT, value=(0, 0, 0, 0))
    part = padded[top + side : top + 2 * side, left + side : left + 2 * side]
    return np.asarray(cv2.resize(part, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR), np.uint8)
