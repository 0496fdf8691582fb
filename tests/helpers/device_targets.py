"""Faces on the host and as batches of a device, and how masks of both are compared."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import torch
from people import place_mesh

from rtswap.core.types import BatchedTarget, Quality, SwappedBatch, SwappedFace, Target, TargetBatch

SIDE = 256
SIZES = [(160, 200), (256, 240), (88, 104)]


def faces(time_s: float, visible: np.ndarray) -> tuple[list[Target], list[SwappedFace]]:
    rng = np.random.default_rng(1)
    targets, swapped = [], []
    for index, (width, height) in enumerate(SIZES):
        crop = np.asarray(cv2.resize(rng.integers(0, 256, (9, 9, 3), np.uint8), (width, height)), np.uint8)
        landmarks = place_mesh(0.75 * width, (width / 2 + 3, height / 2), yaw=10 * index, roll=-20 * index)
        targets.append(Target(index, crop, landmarks, visible, time_s))
        swapped.append(SwappedFace(255 - crop, np.full((height, width), 250, np.uint8)))
    return targets, swapped


def on_device(targets: list[Target], swapped: list[SwappedFace]) -> tuple[SwappedBatch, TargetBatch]:
    known = tuple(
        BatchedTarget(one.track_id, one.landmarks, one.visibility, one.time_s, one.crop.shape[1::-1])
        for one in targets
    )
    crops, made = (torch.zeros((len(targets), SIDE, SIDE, 3), dtype=torch.uint8) for _ in range(2))
    masks = torch.zeros((len(targets), SIDE, SIDE), dtype=torch.uint8)
    for row, (target, face) in enumerate(zip(targets, swapped, strict=True)):
        height, width = face.mask.shape
        crops[row, :height, :width] = torch.from_numpy(target.crop)
        made[row, :height, :width] = torch.from_numpy(face.crop)
        masks[row, :height, :width] = torch.from_numpy(face.mask)
    return SwappedBatch(made, masks), TargetBatch(known, crops)


def on_download(tensor: Any, then: Any) -> None:
    raise AssertionError("nothing is asked of the host")


def compare(host: Any, device: Any, time_s: float, visible: np.ndarray) -> tuple[float, float]:
    """Largest and mean difference of the masks; what lies beyond the crops stays 0."""
    targets, swapped = faces(time_s, visible)
    given, known = on_device(targets, swapped)
    found = device.apply_all(given, known, Quality(), on_download).masks.numpy().astype(int)
    differences = []
    for row, (target, face) in enumerate(zip(targets, swapped, strict=True)):
        wanted = host.apply(face, target, Quality()).mask
        height, width = wanted.shape
        differences.append(np.abs(found[row, :height, :width] - wanted).ravel())
        assert not found[row, height:].any()
        assert not found[row, :, width:].any()
    together = np.concatenate(differences)
    return float(together.max()), float(together.mean())
