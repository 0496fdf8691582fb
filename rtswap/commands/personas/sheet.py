"""Draw the contact sheet of the built-in personas."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from rtswap.commands.reports.marked_sheet import save_sheet, without_swap
from rtswap.core.text import plural
from rtswap.core.types import Image
from rtswap.drawing.sheet import Section, Tile, draw_sheet
from rtswap.drawing.strokes import GREY
from rtswap.source.personas import Persona, persona_photo
from rtswap.vision.images import read_image

COLUMNS, SIDE = 6, 200


def save_people(path: Path, people: Sequence[Persona], *, overwrite: bool = False) -> None:
    """Write the contact sheet. Raises OutputError, also for an existing file unless ``overwrite``."""
    save_sheet(path, without_swap(draw_people(people)), overwrite=overwrite)


def draw_people(people: Sequence[Persona]) -> Image:
    """Return the contact sheet, (H, W, 3) BGR uint8: each persona with name and description."""
    title, note = plural(len(people), "persona"), "None of these people exists: no consent needed."
    return draw_sheet(title, [note], [Section("", [_tile(persona) for persona in people])], columns=COLUMNS)


def _tile(persona: Persona) -> Tile:
    photo = cv2.resize(read_image(persona_photo(persona.name)), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return Tile(np.asarray(photo, np.uint8), persona.name, persona.description, color=GREY)
