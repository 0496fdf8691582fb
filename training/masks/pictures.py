"""What a person looks at while the network learns."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from training.masks.samples import Batch


def contact_sheet(batch: Batch, visible: NDArray[np.floating], path: Path, columns: int = 12) -> None:
    """A PNG: each crop, under it what was answered and what is true (red: hidden, green: seen, plain: not asked)."""
    tiles = []
    for i, crop in enumerate(batch.crops):
        weight = _large(batch.weights[i] / 255)
        shown = [crop, _tinted(crop, _large(visible[i]), np.maximum(weight, 0.35)),
                 _tinted(crop, _large(batch.visible[i] / 255), weight)]  # fmt: skip
        tiles.append(np.vstack(shown))
    tiles = tiles[: len(tiles) // columns * columns]
    cv2.imwrite(str(path), np.vstack([np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)]))


def _large(values: NDArray[np.floating]) -> NDArray[np.float32]:
    return np.asarray(cv2.resize(np.asarray(values, np.float32), (128, 128)), np.float32)


def _tinted(crop: NDArray[np.uint8], visible: NDArray[np.float32], weight: NDArray[np.float32]) -> NDArray[np.uint8]:
    colour = np.stack([np.zeros_like(visible), visible * weight, (1 - visible) * weight], -1)
    return (crop * 0.6 + colour * 102).astype(np.uint8)
