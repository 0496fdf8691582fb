"""Draw ``sheet.png``: the stored faces by person, best first, and what their masks leave out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from rtswap.commands.extract.album import StoredFace
from rtswap.core.errors import InputError
from rtswap.core.text import plural
from rtswap.core.types import Image
from rtswap.drawing.sheet import Section, Tile, draw_sheet
from rtswap.drawing.strokes import GREY
from rtswap.faceset.record import NOBODY
from rtswap.vision.images import read_image

MOST = 240
"""Most faces on the sheet, which is held in memory."""
COLUMNS, SIDE = 8, 160
LEAST = 4
"""Faces of a person that have a section of their own."""
FEW, NOT_ASSIGNED = "people with few faces", "not assigned to a person"
MASKED = 0.35
"""Brightness of what a mask leaves out."""


def draw_faces(folder: Path, faces: Sequence[StoredFace]) -> Image:
    """Return the sheet, (H, W, 3) BGR uint8. Deleted pictures are skipped. Everybody gets as many places as there is
    room for, those with many faces the rest. People with few faces share a section."""
    numbers = Counter(face.person for face in faces)
    groups: dict[str, list[StoredFace]] = {}
    for face in sorted(faces, key=lambda face: (face.person == NOBODY, face.person, -face.score)):
        groups.setdefault(_title(face.person, numbers[face.person]), []).append(face)
    room = MOST
    tiles: dict[str, list[Tile]] = {}
    for left, title in zip(range(len(groups), 0, -1), sorted(groups, key=lambda one: len(groups[one])), strict=True):
        tiles[title] = _tiles(folder, groups[title], max(1, room // left))
        room -= len(tiles[title])
    order = sorted(groups, key=lambda title: (title == NOT_ASSIGNED, title == FEW))
    shown = sum(map(len, tiles.values()))
    which = "the best first" if shown == len(faces) else f"the best {shown} of them"
    note = f"{which}; dark: what the mask leaves out; score, height in the photo, yaw, person"
    return draw_sheet(
        plural(len(faces), "face"), [note], [Section(title, tiles[title]) for title in order], columns=COLUMNS
    )


def _title(person: int, count: int) -> str:
    if person == NOBODY:
        return NOT_ASSIGNED
    return f"person {person}: {plural(count, 'face')}" if count >= LEAST else FEW


def _tiles(folder: Path, faces: Sequence[StoredFace], most: int) -> list[Tile]:
    tiles: list[Tile] = []
    for face in faces:
        if len(tiles) == most:
            break
        try:
            tiles.append(_tile(read_image(folder / face.file), read_image(folder / face.mask), face))
        except InputError:
            continue
    return tiles


def _tile(picture: Image, mask: Image, face: StoredFace) -> Tile:
    figures = f"{face.score:.2f}  {face.face_px:.0f} px  {face.yaw:+.0f}°"
    small, seen = (cv2.resize(one, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for one in (picture, mask))
    shown = small * (MASKED + (1 - MASKED) * (seen / 255))
    return Tile(
        np.asarray(shown.round(), np.uint8),
        figures,
        face.file,
        "" if face.person == NOBODY else str(face.person),
        GREY,
    )
