"""Draw contact sheets: rows of pictures, each with a name and a short text below it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from rtswap.core.types import Image
from rtswap.drawing.strokes import BOLD, GREY, INK, PALE, PAPER, Color, text, text_width

MARGIN, GAP, HEAD, TITLE, LINE = 16, 12, 58, 44, 20
"""Pixels: outer margin, gap between pictures, sheet title, section title, line of text."""


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """One picture of a sheet with its text."""

    picture: Image
    name: str = ""
    words: str = ""
    aside: str = ""
    """Grey text to the right of the name."""
    color: Color = INK
    """Color of ``words``."""


@dataclass(frozen=True, slots=True, eq=False)
class Section:
    """A group of pictures of one size under a title."""

    title: str
    tiles: Sequence[Tile]


def draw_sheet(title: str, notes: Sequence[str], sections: Sequence[Section], *, columns: int) -> Image:
    """Return the sheet, (H, W, 3) BGR uint8. Empty sections are skipped; all pictures must have the same width."""
    shown = [section for section in sections if section.tiles]
    wide = shown[0].tiles[0].picture.shape[1] if shown else 200
    width = 2 * MARGIN + columns * (wide + GAP) - GAP
    parts = [_head(title, notes, width), *(_section(section, columns, width) for section in shown)]
    return np.vstack(parts)


def fitting(words: str, width: int, size: int = 14, weight: int = 450) -> str:
    """Truncate ``words`` to ``width`` px with an ellipsis."""
    if text_width(words, size, weight) <= width:
        return words
    while words and text_width(words + "...", size, weight) > width:
        words = words[:-1]
    return words.rstrip(" ,;") + "..."


def wrap(words: str, width: int, most: int = 2) -> list[str]:
    """Wrap ``words`` into at most ``most`` lines of ``width`` px; truncate the last line."""
    lines: list[str] = []
    for word in words.split():
        if lines and (len(lines) == most or text_width(f"{lines[-1]} {word}", 14) <= width):
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return [fitting(line, width) for line in lines]


def draw_pictures(pictures: Iterable[Image], *, columns: int) -> Image:
    """Return a sheet of pictures alone."""
    return draw_sheet("", [], [Section("", [Tile(picture) for picture in pictures])], columns=columns)


def _head(title: str, notes: Sequence[str], width: int) -> Image:
    image = np.full(((HEAD if title else MARGIN) + LINE * len(notes), width, 3), PAPER, np.uint8)
    text(image, fitting(title, width - 2 * MARGIN, 24, BOLD), (MARGIN, 40), size=24, weight=BOLD)
    for number, note in enumerate(notes):
        text(image, fitting(note, width - 2 * MARGIN), (MARGIN, 64 + LINE * number), size=14, color=GREY)
    return image


def _section(section: Section, columns: int, width: int) -> Image:
    high, wide = section.tiles[0].picture.shape[:2]
    words = [wrap(tile.words, wide) for tile in section.tiles]
    named = any(tile.name or tile.aside or tile.words for tile in section.tiles)
    step = high + GAP + (4 + LINE * (1 + max(map(len, words))) if named else 0)
    top = TITLE if section.title else 0
    image = np.full((top + -(-len(section.tiles) // columns) * step, width, 3), PAPER, np.uint8)
    if section.title:
        image[6:7, MARGIN:-MARGIN] = PALE
        text(image, section.title, (MARGIN, 32), size=17, weight=BOLD)
    for number, tile in enumerate(section.tiles):
        x, y = MARGIN + number % columns * (wide + GAP), top + number // columns * step
        image[y : y + high, x : x + wide] = tile.picture
        base = y + high + 17
        aside = text(image, tile.aside, (x + wide, base), size=13, color=GREY, align=1) if tile.aside else 0
        text(image, fitting(tile.name, wide - aside - 8, 15, BOLD), (x, base), size=15, weight=BOLD)
        for row, line in enumerate(words[number], 1):
            text(image, line, (x, base + LINE * row), size=14, color=tile.color)
    return image
