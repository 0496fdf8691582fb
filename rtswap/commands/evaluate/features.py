"""Faces as numbers in which sets of them can be compared (``kernel.py``).

Inception's weights may not be shipped. What is used instead is named beside every figure:

``local statistics``: no network. How strong detail is at three scales in each of 5 x 5 cells, how its strength is
distributed, and how each cell's colour differs from the face's: what blur, seams and clashing skin tones change.
``dlib stages``: what the five stages of dlib's face recognition ResNet see, averaged over the crop, from fine texture
to whole faces. Only with the extra ``identity``.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.util import find_spec
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.app.config import Config
from rtswap.commands.evaluate.kid import Features
from rtswap.core.types import Image, Points
from rtswap.engines.choose import choose_engine
from rtswap.networks.dlib_identity import SIDE, TEMPLATE
from rtswap.networks.registry import Registry
from rtswap.vision.geometry import keypoints_of, scale_of, similarity

CELLS = 5
SCALES = 3


class FeatureSet(NamedTuple):
    """A way to describe a crop."""

    name: str
    of: Callable[[Image], Features]
    """(D,) of a (150, 150, 3) crop."""


def feature_sets(config: Config) -> list[FeatureSet]:
    """All that this machine has. Raises ModelError, EngineError."""
    found = [FeatureSet("local statistics", local_statistics)]
    if find_spec("face_recognition_models") is None:
        return found
    registry = Registry()
    sample = {"image": np.zeros((1, SIDE, SIDE, 3), np.uint8)}
    engine = choose_engine(
        registry.path("dlib-stages"),
        threads=config.engine.threads or min(4, os.cpu_count() or 1),
        engine=config.engine.engine,
        cache_dir=registry.folder,
        sample=sample,
    )

    def stages(crop: Image) -> Features:
        return np.array(engine.run({"image": crop[None]})["features"][0], np.float64)

    return [*found, FeatureSet("dlib stages", stages)]


def face_crop(image: Image, mesh: Points) -> Image:
    """(150, 150, 3) the face upright, with a quarter of its size around it. For a target and what was made of it use
    the target's mesh, so that only pixels differ."""
    matrix = similarity(keypoints_of(mesh).astype(np.float64), TEMPLATE.astype(np.float64))
    scale = scale_of(matrix)
    if scale < 0.7:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), 0.45 / scale), np.uint8)
    crop = cv2.warpAffine(image, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(crop, np.uint8)


def local_statistics(crop: Image) -> Features:
    """(158,) of a square crop: 27 for each scale, 3 x 25 colours, 2 for how fine the colour is."""
    lab = np.asarray(cv2.cvtColor(crop.astype(np.float32) / 255, cv2.COLOR_BGR2LAB), np.float32)
    found: list[NDArray[np.floating]] = []
    level = np.ascontiguousarray(lab[..., 0])
    for _ in range(SCALES):
        smooth = np.asarray(cv2.GaussianBlur(level, (0, 0), 1.2), np.float32)
        detail = level - smooth
        energy = _cells(detail**2)
        found.append(np.log(energy + 0.05).ravel())
        spread = float((detail**2).mean())
        found.append(
            np.log1p([float((detail**4).mean()) / (spread**2 + 1e-6), float(energy.std()) / (spread + 0.05)])
        )
        level = np.ascontiguousarray(smooth[::2, ::2])
    means = np.stack([_cells(np.ascontiguousarray(lab[..., n])) for n in range(3)])
    whole = means.mean((1, 2), keepdims=True)
    found.append((means - whole).ravel())
    chroma = [np.ascontiguousarray(lab[..., n]) for n in (1, 2)]
    found.append(np.array([np.log(_around_own_mean(part) + 0.05) for part in chroma]))
    return np.concatenate(found).astype(np.float64)


def _around_own_mean(part: NDArray[np.float32]) -> float:
    """Energy of what is finer than a few pixels."""
    return float(((part - cv2.GaussianBlur(part, (0, 0), 2.0)) ** 2).mean())


def _cells(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """(5, 5) means."""
    return np.asarray(cv2.resize(values, (CELLS, CELLS), interpolation=cv2.INTER_AREA), np.float32)
