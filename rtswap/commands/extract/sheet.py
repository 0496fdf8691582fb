"""Draw ``sheet.png``: the stored faces by person, best first, and what their masks leave out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from rtswap.commands.extract.album import StoredFace
from rtswap.commands.reports.drawing import GREY
from rtswap.commands.reports.sheet import Section, Tile, draw_sheet
from rtswap.core.errors import InputError
from rtswap.core.text import plural
from rtswap.core.types import Image
from rtswap.faceset.record import NOBODY
from rtswap.vision.images import read_image

MOST = 240
"""Most faces on the sheet, which is held in memory."""
COLUMNS, SIDE = 8, 160
MASKED = 0.35
"""Brightness of what a mask leaves out."""


def draw_faces(folder: Path, faces: Sequence[StoredFace]) -> Image:
    """Return the sheet, (H, W, 3) BGR uint8. Deleted pictures are skipped. Everybody gets as many places as there is
    room for, those with many faces the rest."""
    people = [*sorted({face.person for face in faces} - {NOBODY}), NOBODY]
    of = {person: [face for face in faces if face.person == person] for person in people}
    room = MOST
    sections: list[Section] = []
    for left, person in zip(range(len(people), 0, -1), sorted(people, key=lambda one: len(of[one])), strict=True):
        best = sorted(of[person], key=lambda face: -face.score)
        tiles = _tiles(folder, best, max(1, room // left))
        room -= len(tiles)
        sections.append(Section(_title(person, len(best)), tiles))
    order = {_title(person, len(of[person])): place for place, person in enumerate(people)}
    sections.sort(key=lambda section: order[section.title])
    shown = sum(len(section.tiles) for section in sections)
    which = "the best first" if shown == len(faces) else f"the best {shown} of them"
    note = f"{which}; dark: what the mask leaves out; score, height in the photo, yaw"
    return draw_sheet(plural(len(faces), "face"), [note], sections, columns=COLUMNS)


def _title(person: int, count: int) -> str:
    return f"{'not assigned' if person == NOBODY else f'person {person}'}: {plural(count, 'face')}"


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
    return Tile(np.asarray(shown.round(), np.uint8), figures, face.file, color=GREY)
