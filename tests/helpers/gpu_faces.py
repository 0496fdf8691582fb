"""Faces cropped as on a GPU canvas, with torch on the CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from rtswap.compositing.canvas.face_table import side_for
from rtswap.compositing.canvas.host import HostCanvas
from rtswap.core.protocols import GpuSwapper
from rtswap.core.types import BatchedTarget, Image, Points, Target, TargetBatch, View
from rtswap.vision.geometry import transform

SEEN = np.ones(468, np.float32)


def crop_target(
    swapper: GpuSwapper, image: Image, landmarks: Points, max_px: int, time_s: float, track_id: int = 1
) -> Target:
    view = View(*swapper.view(landmarks, max_px))
    crop = HostCanvas(image).crop(*view)
    return Target(track_id, crop, transform(view.matrix, landmarks), SEEN, time_s)


def squares(faces: list[Target]) -> Any:
    """(N, S, S, 3), each crop's last pixels repeated."""
    sizes = [View(np.zeros((2, 3), np.float32), face.crop.shape[1::-1]) for face in faces]
    side = side_for(sizes)
    crops = [
        np.pad(face.crop, ((0, side - face.crop.shape[0]), (0, side - face.crop.shape[1]), (0, 0)), mode="edge")
        for face in faces
    ]
    return torch.from_numpy(np.stack(crops))


def on_device(face: Target, track_id: int | None = None) -> BatchedTarget:
    height, width = face.crop.shape[:2]
    track_id = face.track_id if track_id is None else track_id
    return BatchedTarget(track_id, face.landmarks, face.visibility, face.time_s, (width, height))


def batch_of(faces: list[Target]) -> TargetBatch:
    return TargetBatch(tuple(on_device(face) for face in faces), squares(faces))
