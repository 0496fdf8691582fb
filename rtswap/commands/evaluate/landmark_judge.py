"""Who looks for landmarks in the results: frame by frame, without memory and without smoothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rtswap.app.networks import FaceModels
from rtswap.commands.evaluate.pose import Meshes
from rtswap.core.protocols import LandmarkModel
from rtswap.core.types import Image, Points

GUIDE_SIGMA = 2.0
"""Frames over which the places of the judge's crops are smoothed."""


class LandmarkJudge:
    """A landmark network. ``room``: by how much its crops are widened."""

    def __init__(self, model: LandmarkModel, room: float, name: str) -> None:
        self._model, self._room, self.name = model, room, name

    def look(self, image: Image, guide: Points) -> Points:
        """(468, 3) what it sees in the crop around ``guide`` (5, 2) or (468, 3)."""
        middle = guide[:, :2].mean(0)
        wide = guide[:, :2] if len(guide) == 5 else middle + self._room * (guide[:, :2] - middle)
        return self._model.find(image, [np.asarray(wide, np.float32)])[0].points

    def guides(self, images: Sequence[Image], first: Points) -> Meshes:
        """Where the face is, smoothed over time. Each frame is looked at twice, from where it was in the last."""
        meshes, guide = [], first
        for image in images:
            for _ in range(2):
                guide = self.look(image, guide)
            meshes.append(guide)
        return smooth(np.array(meshes, np.float32), GUIDE_SIGMA)

    def through(self, images: Sequence[Image], guides: Meshes) -> Meshes:
        """What it sees in each picture, each through its own guide."""
        return np.array([self.look(image, guide) for image, guide in zip(images, guides, strict=True)], np.float32)

    def through_several(self, images: Sequence[Image], guides: Meshes, widths: Sequence[float]) -> Meshes:
        """The mean of looks through crops of several ``widths``, relative to the usual: its own noise counts less."""
        middle = guides.mean(1, keepdims=True)
        looks = [self.through(images, middle + width * (guides - middle)) for width in widths]
        return np.asarray(np.mean(looks, axis=0), np.float32)


def own_judge(models: FaceModels) -> LandmarkJudge:
    """The network that the swap itself was made with: what it does not see in either picture it cannot tell."""
    return LandmarkJudge(models.landmarks, 1.0, "rtswap's own network, frame by frame")


def smooth(meshes: Meshes, sigma: float) -> Meshes:
    """Gaussian over time, the ends repeated."""
    reach = int(np.ceil(3 * sigma))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    padded = np.pad(meshes, ((reach, reach), (0, 0), (0, 0)), mode="edge")
    windows = [w * padded[n : n + len(meshes)] for n, w in enumerate(weights / weights.sum())]
    return np.asarray(sum(windows), np.float32)
