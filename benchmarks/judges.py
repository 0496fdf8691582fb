"""The judge of landmarks that has no part in the swap, where its weights are at hand; and what it is shown."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rtswap.app.networks import FaceModels
from rtswap.commands.evaluate.landmark_judge import LandmarkJudge, own_judge
from rtswap.networks.landmarks import MeshLandmarks

ROOM = 1.5 / 1.3
"""MediaPipe's network wants more room around the face than ours."""


def open_judge(teacher: Path | None, models: FaceModels) -> LandmarkJudge:
    """``teacher``: MediaPipe's face mesh as ONNX; without it our own network judges."""
    if teacher is None:
        return own_judge(models)
    sys.path.append(str(Path(__file__).parents[1]))
    from training.landmarks.teacher import SIZE, Teacher

    return LandmarkJudge(MeshLandmarks(Teacher(teacher), SIZE), ROOM, "MediaPipe face mesh, frame by frame")


def arguments_of(doc: str | None) -> argparse.Namespace:
    """``clips``, ``source``, ``teacher`` and ``out`` of a benchmark with that docstring."""
    parser = argparse.ArgumentParser(description=(doc or "").split("\n")[0])
    parser.add_argument("--clips", type=Path, required=True)
    parser.add_argument("--source", type=Path, nargs="+", required=True)
    parser.add_argument("--teacher", type=Path)
    parser.add_argument("--out", type=Path)
    return parser.parse_args()
