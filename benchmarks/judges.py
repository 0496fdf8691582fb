"""Landmark judge that is independent of the swap, if its weights are available; and the crops it is given."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rtswap.app.networks import FaceModels
from rtswap.commands.evaluate.landmark_judge import LandmarkJudge, own_judge
from rtswap.networks.landmarks import MeshLandmarks

ROOM = 1.5 / 1.3
"""MediaPipe's network needs a wider margin around the face than ours."""


def open_judge(teacher: Path | None, models: FaceModels) -> LandmarkJudge:
    """Return the judge. ``teacher``: MediaPipe's face mesh as ONNX; without it our own network is used."""
    if teacher is None:
        return own_judge(models)
    sys.path.append(str(Path(__file__).parents[1]))
    from training.landmarks.teacher import SIZE, Teacher

    return LandmarkJudge(MeshLandmarks(Teacher(teacher), SIZE), ROOM, "MediaPipe face mesh, frame by frame")


def arguments_of(doc: str | None) -> argparse.Namespace:
    """Parse ``clips``, ``source``, ``teacher`` and ``out`` of a benchmark with this docstring."""
    parser = argparse.ArgumentParser(description=(doc or "").split("\n")[0])
    parser.add_argument("--clips", type=Path, required=True)
    parser.add_argument("--source", type=Path, nargs="+", required=True)
    parser.add_argument("--teacher", type=Path)
    parser.add_argument("--out", type=Path)
    return parser.parse_args()
