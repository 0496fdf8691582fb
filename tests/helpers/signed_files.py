"""Recordings to sign, and the content of their manifests."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from media_files import mark_picture

from rtswap.core.parts import OutputRequest
from rtswap.disclosure.manifest import ManifestFacts, ManifestReport, read_manifest
from rtswap.media.outputs.video import VideoWriter

FACTS = ManifestFacts("1.2.3")
VIDEOS = ("clip.mp4", "clip.mov", "clip.mkv")
PICTURES = ("face.png", "face.jpg", "face.jpeg", "face.webp", "face.tif", "face.tiff", "face.bmp")


def recording(path: Path) -> Path:
    """As rtswap's own outputs write it."""
    if path.suffix in (".mp4", ".mov", ".mkv"):
        writer = VideoWriter(path, OutputRequest(fps=25))
        for index in range(12):
            writer.send(mark_picture(index))
        writer.close()
    else:
        cv2.imwrite(str(path), np.random.default_rng(3).integers(0, 255, (48, 64, 3), np.uint8))
    return path


def report(path: Path) -> ManifestReport:
    found = read_manifest(path)
    assert found is not None
    return found
