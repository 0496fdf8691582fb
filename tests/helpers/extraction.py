"""Run ``rtswap extract`` in a test, with networks that are quick."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
from people import face_models

from rtswap.app.console import Console
from rtswap.app.networks import FaceModels
from rtswap.commands.extract.options import ExtractOptions
from rtswap.commands.extract.run import extract


def open_quick_models() -> FaceModels:
    """Face models without dlib, and with a detector that is quick because it ignores small faces."""
    return face_models()._replace(photo_detector=face_models().detector, embedder=lambda: None)


def run(out: Path, *inputs: Path, seeing=open_quick_models, **more) -> dict:
    """Extract and return the summary."""
    wanted = ExtractOptions(tuple(map(str, inputs)), out, **more)
    return extract(wanted, seeing, console=Console(stream=io.StringIO()))[0]


def contents(folder: Path) -> dict[str, bytes]:
    """Name -> bytes."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def save(path: Path, image: np.ndarray, *options: int) -> Path:
    """Write a picture and return its path."""
    assert cv2.imwrite(str(path), image, list(options))
    return path
