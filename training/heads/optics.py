"""What light, lenses and codecs do to a whole scene, further than a webcam should go: deep dark, one-coloured lamps,
negatives, storms of noise."""

from __future__ import annotations

import cv2
import numpy as np

from rtswap.training.pictures import as_jpeg
from training.arrays import Bytes, Floats
from training.camera import motion
from training.heads.shadows import shadows

SHADOWED = 0.15
"""Share of the scenes that are not left as they are on which shadows with a pattern fall."""


class Optics:
    """``bank``: unit noise, see ``training.camera.noise_bank``."""

    def __init__(self, bank: Floats) -> None:
        self._bank = bank

    def __call__(self, scene: Bytes, rng: np.random.Generator) -> tuple[Bytes, float]:
        """The picture, and how many pixels taller a face has to be than without all this to be told from nothing."""
        if rng.random() < 0.3:
            return scene, 0.0
        x = scene.astype(np.float32)
        soft = 0.0
        if rng.random() < 0.25:
            soft = float(rng.uniform(0.4, 3.0) if rng.random() < 0.6 else rng.uniform(0.4, 1.2))
            x = np.asarray(cv2.GaussianBlur(x, (0, 0), soft), np.float32)
        elif rng.random() < 0.12:
            length = int(rng.integers(2, 8)) * 2 + 1
            soft = length / 5
            x = np.asarray(cv2.filter2D(x, -1, motion(length, rng)), np.float32)
        if rng.random() < 0.07:
            x = 255 - x
        if rng.random() < 0.08:
            x = np.repeat(x.mean(-1, keepdims=True), 3, -1)
        if rng.random() < 0.3:
            grid = np.exp(rng.uniform(-1.2, 0.4, (int(rng.integers(1, 4)), int(rng.integers(1, 4))))).astype(
                np.float32
            )
            x *= cv2.resize(grid, (x.shape[1], x.shape[0]))[..., None]
        if rng.random() < SHADOWED:
            x *= shadows(x.shape[0], x.shape[1], rng)[..., None]
        x = 255 * np.clip(x / 255, 0, 1) ** float(np.exp(rng.normal(0, 0.25)))
        gain = float(np.exp(rng.normal(0, 0.2)) if rng.random() < 0.7 else np.exp(rng.uniform(np.log(0.04), 0.4)))
        colours = np.exp(rng.normal(0, 0.1, 3))
        if rng.random() < 0.12:
            colours = rng.uniform(0, 1, 3) ** 2.5
            colours[int(rng.integers(3))] = 1.0
        x *= (gain * colours).astype(np.float32)
        if rng.random() < 0.15:
            x = (x - 128) * float(rng.uniform(0.3, 1.2)) + 128
        grain = 0.0
        if rng.random() < 0.6:
            grain = float(rng.uniform(0.3, 5) if rng.random() < 0.75 else np.exp(rng.uniform(np.log(5), np.log(45))))
            noise = self._bank[int(rng.integers(len(self._bank)))]
            up, left = (
                rng.integers(0, noise.shape[0] - x.shape[0] + 1),
                rng.integers(0, noise.shape[1] - x.shape[1] + 1),
            )
            x += noise[up : up + x.shape[0], left : left + x.shape[1]] * grain
        picture = np.clip(x + 0.5, 0, 255).astype(np.uint8)
        if rng.random() < 0.15:
            picture = as_jpeg(picture, int(rng.integers(12, 80)))
        brightest = gain * float(colours.max())
        return picture, 2.5 * soft + 14 * (grain + 0.6) / max(60 * min(brightest, 1.5), 1.0)
