"""``rtswap personas``: who is in the box, as words and as a picture. Nothing is opened."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np

from rtswap.commands.inspect.sheet import fitting
from rtswap.commands.reports.drawing import BOLD, GREY, PAPER, text
from rtswap.core.errors import OutputError
from rtswap.core.types import Image
from rtswap.source.personas import Persona, list_personas, persona_photo
from rtswap.vision.images import read_image

COLUMNS, SIDE, GAP, WORDS = 6, 200, 12, 46


def personas(*, sheet: str | None = None, overwrite: bool = False, as_json: bool = False) -> str:
    """The command: the list, for people or as JSON; with ``sheet`` also the picture. Raises OutputError."""
    everyone = list_personas()
    if sheet is not None:
        save_sheet(Path(sheet).expanduser(), everyone, overwrite=overwrite)
    if as_json:
        rows = [asdict(persona) | {"source": persona.source} for persona in everyone]
        return json.dumps({"personas": rows, "sheet": sheet}, ensure_ascii=False)
    width = max(len(persona.source) for persona in everyone)
    lines = [f"{persona.source:{width}}  {persona.description}" for persona in everyone]
    lines.append("\nThey do not exist: for them nobody need be asked. Use one: rtswap --source persona:random")
    return "\n".join(lines + ([f"Pictures: {sheet}"] if sheet is not None else []))


def save_sheet(path: Path, people: Sequence[Persona], *, overwrite: bool = False) -> None:
    """Write the contact sheet. Raises OutputError; a file that exists is replaced only with ``overwrite``."""
    if path.suffix.lower() not in (".png", ".jpg", ".jpeg", ".webp"):
        raise OutputError(f"cannot write {path}", expected="a name that ends in .png, .jpg or .webp")
    if path.exists() and not overwrite:
        raise OutputError(f"{path} exists", do="Name another file, or add --overwrite.")
    _, data = cv2.imencode(path.suffix.lower(), draw_people(people))
    try:
        path.write_bytes(data.tobytes())
    except OSError as error:
        raise OutputError(f"cannot write {path}", got=error.strerror or str(error)) from None


def draw_people(people: Sequence[Persona]) -> Image:
    """Everybody, with name and description below."""
    rows = -(-len(people) // COLUMNS)
    picture = np.full((GAP + rows * (SIDE + WORDS + GAP), GAP + COLUMNS * (SIDE + GAP), 3), PAPER, np.uint8)
    for number, persona in enumerate(people):
        x, y = GAP + number % COLUMNS * (SIDE + GAP), GAP + number // COLUMNS * (SIDE + WORDS + GAP)
        photo = read_image(persona_photo(persona.name))
        picture[y : y + SIDE, x : x + SIDE] = cv2.resize(photo, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        text(picture, persona.name, (x, y + SIDE + 18), size=16, weight=BOLD)
        text(picture, fitting(persona.description, SIDE), (x, y + SIDE + 37), size=13, color=GREY)
    return picture
