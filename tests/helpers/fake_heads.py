"""Networks of the second detector that find what they are told to, and pictures for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

from rtswap.core.types import Image
from rtswap.networks.heads import CELLS, MAPS, HeadModel
from rtswap.tracking.lookout import FAINT
from rtswap.tracking.neighbours import SIDE


class Marked:
    """A network that finds a head in the cell of ``fine`` at (row, column) = (2, 3), 2 cells tall."""

    name = "fake"

    def __init__(self, spoil: str = "") -> None:
        self._spoil = spoil
        self.runs = 0

    def run(self, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        self.runs += 1
        _, height, width, _ = inputs["picture"].shape
        cells = zip(MAPS, CELLS, strict=True)
        maps = {name: np.zeros((1, 4, height // cell, width // cell), np.float32) for name, cell in cells}
        for values in maps.values():
            values[:, 0, 0, 0] = 0.01
        maps["fine"][0, :, 2, 3] = (0.9, 0.25, -0.5, 2.0)
        if self._spoil == "nan":
            maps["middle"][0, 1, 0, 0] = np.nan
        elif self._spoil == "constant":
            maps["coarse"][:] = 0.5
        elif self._spoil == "shape":
            maps["fine"] = maps["fine"][:, :, 1:]
        elif self._spoil == "missing":
            del maps["coarse"]
        return maps


def scene(seed: int, size: tuple[int, int] = (640, 360)) -> Image:
    grid = np.random.default_rng(seed).uniform(0, 255, (9, 16, 3)).astype(np.float32)
    return np.clip(cv2.resize(grid, size, interpolation=cv2.INTER_CUBIC), 0, 255).astype(np.uint8)


class FromAfar(HeadModel):
    """Finds small heads in the whole picture, faintly, and one of this score and place in a close-up."""

    def __init__(self, score: float, middle: float = SIDE / 2, afar: float = FAINT + 0.05) -> None:
        self._score, self._middle, self._afar = score, middle, afar
        self.heads = [(40, 60)]
        self.close_ups = 0

    def find(self, picture: Image, threshold: float) -> np.ndarray:
        if picture.shape[:2] != (SIDE, SIDE):
            rows = [[x, y, x + 16, y + 16, self._afar] for x, y in self.heads]
            found = np.array(rows, np.float32).reshape(-1, 5)
        else:
            self.close_ups += 1
            found = np.array([[self._middle - 25, 40, self._middle + 25, 90, self._score]], np.float32)
        return found[found[:, 4] > threshold]
