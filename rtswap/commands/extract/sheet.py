"""``sheet.png``: the faces that were kept, the best first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from rtswap.commands.inspect.sheet import fitting
from rtswap.commands.reports.drawing import BOLD, GREY, PAPER, text
from rtswap.core.errors import InputError
from rtswap.core.types import Image
from rtswap.vision.images import read_image

MOST = 240
"""More faces than this are not drawn: the sheet is looked at, and lies in memory."""
COLUMNS, SIDE, GAP, WORDS, HEAD = 8, 160, 10, 40, 64


def draw_sheet(folder: Path, faces: Sequence[Mapping[str, Any]]) -> Image:
    """(H, W, 3). Pictures that somebody has deleted since are left out."""
    best = sorted(faces, key=lambda face: -float(face["score"]))
    tiles: list[Image] = []
    for face in best:
        if len(tiles) == MOST:
            break
        try:
            tiles.append(_tile(read_image(folder / face["file"]), face))
        except InputError:
            continue
    rows = max(1, -(-len(tiles) // COLUMNS))
    high = SIDE + WORDS + GAP
    sheet = np.full((HEAD + rows * high, GAP + COLUMNS * (SIDE + GAP), 3), PAPER, np.uint8)
    text(sheet, f"{len(faces)} faces", (GAP, 32), size=22, weight=BOLD)
    told = "the best first" if len(tiles) == len(faces) else f"the best {len(tiles)} of them"
    text(sheet, f"{told}; score, height in the photo, which way it looks", (GAP, 53), size=14, color=GREY)
    for number, tile in enumerate(tiles):
        x, y = GAP + number % COLUMNS * (SIDE + GAP), HEAD + number // COLUMNS * high
        sheet[y : y + SIDE + WORDS, x : x + SIDE] = tile
    return sheet


def _tile(picture: Image, face: Mapping[str, Any]) -> Image:
    tile = np.full((SIDE + WORDS, SIDE, 3), PAPER, np.uint8)
    tile[:SIDE] = cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    quality = face.get("quality", {})
    figures = f"{face['score']:.2f}  {quality.get('face_px', 0):.0f} px  {quality.get('yaw', 0):+.0f} deg"
    text(tile, figures, (0, SIDE + 17), size=14, weight=BOLD)
    text(tile, fitting(str(face["file"]), SIDE), (0, SIDE + 34), size=12, color=GREY)
    return tile
