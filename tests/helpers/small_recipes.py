"""The recipes of ``rtswap train`` so small that they learn in seconds, and made-up people to learn from."""

from __future__ import annotations

import argparse

import numpy as np

from rtswap.training.people import Person

_SHARED = {"device": "cpu", "rate": 1e-3, "half": False, "begin_from": None, "seed": 0, "workers": 0}
_DEEPFACELAB = {
    "batch": 4, "resolution": 32, "options": "ud", "ae_dims": 16, "e_dims": 8, "d_dims": 8, "d_mask_dims": 4,
    "no_features_priority": False, "random_color": True, "uniform_yaw": True, "true_face_power": 0.0,
    "face_style_power": 0.0, "bg_style_power": 0.0, "gan_power": 0.0, "resets": 0,
}  # fmt: skip
_FACESWAP_GAN = {
    "batch": 2, "resolution": 64, "capacity": "lite", "norm": "none", "attention": 0, "critic_dims": 8,
    "code_dims": 16, "alpha": "guided", "learn_parts": None, "exchange": True, "cycle": False,
    "uniform_yaw": False, "template": "whole",
}  # fmt: skip

_STYLES = {"teacher": "none", "prior_layout": "small", "prior": None, "pull": 1.0, "adversarial": 0.05}
_ONE_SHOT: dict[str, dict[str, object]] = {
    "faceshifter": {
        "layout": "small", "identity_weight": 1.0, "critic_weight": 0.1, "variant": "faithful", "hear": 0.0,
        "teacher": "none",
    },
    "fsgan": {"capacity": "lite", "faithful": False},
    "fslsd": {**_STYLES, "structure": 5, "steady": False},
    "megafs": {**_STYLES, "kept": 2, "encoder": "pyramid"},
}  # fmt: skip


def deepfacelab_arguments(**more: object) -> argparse.Namespace:
    return argparse.Namespace(**{**_SHARED, **_DEEPFACELAB, **more})


def faceswap_gan_arguments(**more: object) -> argparse.Namespace:
    return argparse.Namespace(**{**_SHARED, **_FACESWAP_GAN, **more})


def one_shot_arguments(name: str, **more: object) -> argparse.Namespace:
    """Of the recipe ``name``, for faces of 64 px."""
    usual = {**_SHARED, "batch": 4, "resolution": 64, "template": "whole", **_ONE_SHOT[name]}
    return argparse.Namespace(**{**usual, **more})


def make_person(level: int, count: int = 40, side: int = 64) -> Person:
    """Faces that differ in where a bright square lies."""
    rng = np.random.default_rng(level)
    pictures = np.full((count, side, side, 3), level, np.uint8)
    length = side // 5
    for picture in pictures:
        x, y = rng.integers(8, side - 8 - length, 2)
        picture[y : y + length, x : x + length] = (255 - level, 250, level)
    masks = np.zeros((count, side, side), np.uint8)
    masks[:, side // 8 : -side // 8, side // 8 : -side // 8] = 255
    return Person(pictures, masks, masks // 2, np.zeros(count, np.float32))
