"""``rtswap inspect --source me.jpg``: show which parts of a photo are used, and which are filled in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from rtswap.app.config import Config
from rtswap.app.console import Console
from rtswap.app.marking import confirm_sources
from rtswap.app.overwriting import one_file, refuse
from rtswap.app.program import Program
from rtswap.commands.reports.marked_sheet import save_sheet, without_swap
from rtswap.core.types import Image, Mask
from rtswap.core.urls import expanded
from rtswap.disclosure import Disclosure
from rtswap.drawing.sheet import Section, Tile, draw_sheet
from rtswap.drawing.strokes import PAPER, Color
from rtswap.swappers.mesh import build
from rtswap.swappers.mesh.swapper import MeshSwapModel
from rtswap.swappers.mesh.uv_chart import SIZE, inwards, to_chart
from rtswap.vision.resample import resized

FILLED, UNKNOWN = (200, 60, 170), (60, 150, 250)
"""Colors of what was filled in, and of what is left to the target."""


def inspect_photo(config: Config, *, console: Console, path: str | None, overwrite: bool) -> dict[str, Any]:
    """Write one picture: the photo, what of it is used, and the texture that is swapped. Returns its ``picture`` and
    the shares 0..1 of the face that are ``filled`` and ``unknown``. Raises RtswapError."""
    photos = config.source.photos
    target = expanded(path) if path else Path(f"{Path(photos[0]).stem.replace(':', '_')}_inspect.png")
    refuse([(photo, "a photo of the source") for photo in photos], [one_file(target)])
    confirm_sources(config, console.event)
    program = Program(config, on_event=console.event, disclosure=Disclosure(None, reason="nothing is swapped"))
    source = program.load(photos)
    model = build(program.context(live=False))
    assert isinstance(model, MeshSwapModel)
    texture = model.texture(source)
    unwrapped = to_chart(source.portrait, source.landmarks).image
    used = _tint(_tint(unwrapped, texture.shown, FILLED), texture.face, UNKNOWN)
    outside = np.asarray(255 * (inwards() > 0), np.uint8)
    filled, unknown = texture.shares
    tiles = [
        Tile(resized(source.portrait, (SIZE, SIZE), cv2.INTER_AREA), "photo"),
        Tile(
            _tint(used, outside, PAPER, 1.0),
            "mask",
            "Violet: filled in. Orange: unknown, the target's own is shown.",
        ),
        Tile(
            _tint(texture.full, outside, PAPER, 1.0),
            "texture",
            "As it is swapped, in even light: from the photo, the mirrored half, or smooth skin.",
        ),
    ]
    line = f"{filled:.0%} of the face filled in, {unknown:.0%} left to the target."
    sheet = draw_sheet(source.name, [line], [Section("", tiles)], columns=3)
    save_sheet(target, without_swap(sheet), overwrite=overwrite)
    return {"picture": str(target), "filled": round(filled, 4), "unknown": round(unknown, 4), "line": line}


def _tint(image: Image, shown: Mask, color: Color, most: float = 0.75) -> Image:
    """The image, tinted where ``shown`` is 0."""
    share = most * (1 - resized(shown, (SIZE, SIZE))[..., None] / np.float32(255))
    return np.asarray(np.round(image * (1 - share) + np.array(color, np.float32) * share), np.uint8)
