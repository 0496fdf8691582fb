"""Faces turned further than the landmark training turns them: up to the profile, and nodding deeply."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from training.arrays import Bytes, Floats
from training.landmarks.rendering import View
from training.landmarks.teacher import load_people
from training.landmarks.views import Views, build, one_view, yaw_of

VIEWS = 3
"""Per person: the picture, and two turned heads."""


def open_views(faces: Path, folder: Path) -> tuple[Views, Views]:
    """Views of the people who are taught and of those who are kept out; rendered once into ``folder``."""
    labels, taught, others = load_people(faces, None, folder / "labels.npz")
    return (
        build(faces, labels, taught, VIEWS, folder / "views-train", turn_far),
        build(faces, labels, others, VIEWS, folder / "views-validation", turn_far),
    )


def turn_far(image: Bytes, mesh: Floats, rng: np.random.Generator) -> View:
    """The face up to its profile, or nodding deeply."""
    yaw = rng.choice([-1, 1]) * rng.uniform(25, 90) if rng.random() < 0.7 else rng.normal(0, 15)
    pitch = rng.normal(0, 15) if rng.random() < 0.6 else rng.uniform(-70, 70)
    if abs(pitch) > 35:
        yaw *= 0.4
    return one_view(image, mesh, float(yaw) + yaw_of(mesh), float(pitch), rng)
