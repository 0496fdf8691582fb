"""Draw ``sheet.png``: the stored faces, best first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from rtswap.commands.reports.drawing import GREY
from rtswap.commands.reports.sheet import Section, Tile, draw_sheet
from rtswap.core.errors import InputError
from rtswap.core.text import plural
from rtswap.core.types import Image
from rtswap.vision.images import read_image

MOST = 240
"""Most faces on the sheet, which is held in memory."""
COLUMNS, SIDE = 8, 160


def draw_faces(folder: Path, faces: Sequence[Mapping[str, Any]]) -> Image:
    """Return the sheet, (H, W, 3) BGR uint8. Deleted pictures are skipped."""
    tiles: list[Tile] = []
    for face in sorted(faces, key=lambda face: -float(face["score"])):
        if len(tiles) == MOST:
            break
        try:
            tiles.append(_tile(read_image(folder / face["file"]), face))
        except InputError:
            continue
    shown = "the best first" if len(tiles) == len(faces) else f"the best {len(tiles)} of them"
    note = f"{shown}; score, height in the photo, yaw"
    return draw_sheet(plural(len(faces), "face"), [note], [Section("", tiles)], columns=COLUMNS)


def _tile(picture: Image, face: Mapping[str, Any]) -> Tile:
    quality = face.get("quality", {})
    figures = f"{face['score']:.2f}  {quality.get('face_px', 0):.0f} px  {quality.get('yaw', 0):+.0f}°"
    small = cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return Tile(np.asarray(small, np.uint8), figures, str(face["file"]), color=GREY)
