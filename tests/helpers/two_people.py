"""Facesets of two people who do not exist, for trainings of seconds."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import cv2
import numpy as np
from facesets import make_record
from people import person

from rtswap.faceset.record import line_of
from rtswap.faceset.table import TableWriter
from rtswap.swappers.onnx.crops import outline
from rtswap.vision.geometry import keypoints_of, points68_of
from rtswap.vision.resample import warped
from rtswap.vision.templates import placement

SIZE = 80


def write_person(folder: Path, name: str, count: int = 40, template: str = "whole") -> Path:
    """A faceset of one persona, ``count`` times, each turned and enlarged a little."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(7)
    source = person(name)
    with TableWriter(folder, {"size": SIZE, "template": template}) as table:
        for number in range(count):
            matrix = placement(keypoints_of(source.landmarks), template, SIZE)
            spin = cv2.getRotationMatrix2D((SIZE / 2, SIZE / 2), rng.uniform(-8, 8), rng.uniform(0.92, 1.08))
            matrix = (spin @ np.vstack([matrix, [0, 0, 1]])).astype(np.float32)
            mesh = source.landmarks.copy()
            mesh[:, :2] = mesh[:, :2] @ matrix[:, :2].T + matrix[:, 2]
            record = make_record(
                number % 3, SIZE, file=f"{name}_{number}.png", mask=f"{name}_{number}_mask.png", matrix=matrix,
                landmarks=mesh, keypoints=keypoints_of(mesh), points68=points68_of(mesh), person=0, frame=number,
            )  # fmt: skip
            cv2.imwrite(str(folder / record.file), warped(source.portrait, matrix, (SIZE, SIZE), how=cv2.INTER_AREA))
            cv2.imwrite(str(folder / record.mask), outline(mesh, SIZE))
            table.append(line_of(record))
    return folder


@cache
def two_people(folder: Path) -> tuple[Path, Path]:
    """Facesets of ada, the source, and ben, the target."""
    return write_person(folder / "ada", "ada"), write_person(folder / "ben", "ben")
