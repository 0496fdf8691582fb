"""Small facesets for tests: the canonical mesh as landmarks, noise as pictures, an ellipse as mask."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from people import place_mesh

from rtswap.faceset.record import FaceRecord, line_of
from rtswap.faceset.table import TableWriter
from rtswap.vision.geometry import keypoints_of, points68_of
from rtswap.vision.pose import pose_of


def make_record(number: int = 0, size: int = 64, **more: object) -> FaceRecord:
    """A face turned by ``10 * number`` degrees."""
    mesh = place_mesh(0.6 * size, (size / 2, size / 2), yaw=10.0 * number)
    made = FaceRecord(
        file=f"clip_{number}.png",
        mask=f"clip_{number}_mask.png",
        size=size,
        matrix=np.array([[0.5, 0, 3.25], [0, 0.5, -7]], np.float32),
        keypoints=keypoints_of(mesh),
        landmarks=mesh,
        points68=points68_of(mesh),
        pose=pose_of(mesh),
        person=number % 2,
        clip="clip.mp4",
        sha256="ab" * 32,
        frame=15 * number,
        time_s=0.5 * number,
        score=0.5,
        quality={"sharpness": 0.01},
        licence="CC0",
        provenance="made for a test",
    )
    return replace(made, **more)


def make_faceset(folder: Path, count: int = 4, size: int = 64) -> list[FaceRecord]:
    """Write a faceset of two people and return its records."""
    folder.mkdir(parents=True, exist_ok=True)
    records = [make_record(number, size) for number in range(count)]
    draw = np.random.default_rng(0)
    with TableWriter(folder, {"size": size, "template": "whole"}) as table:
        for record in records:
            picture = draw.integers(0, 256, (size, size, 3), np.uint8)
            mask = np.zeros((size, size), np.uint8)
            cv2.fillConvexPoly(mask, cv2.convexHull(np.round(record.landmarks[:, :2]).astype(np.int32)), 255)
            assert cv2.imwrite(str(folder / record.file), picture)
            assert cv2.imwrite(str(folder / record.mask), mask)
            table.append(line_of(record))
    return records
