"""The contact sheet: for each figure the worst pairs, then some taken evenly. People look at failures first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from rtswap.commands.evaluate.figures import PAIRS, Figure, Row, worst
from rtswap.commands.inspect.sheet import fitting
from rtswap.commands.reports.drawing import BOLD, GREY, INK, NIGHT, PALE, PAPER, RED, FrameView, text, text_width
from rtswap.core.types import Image, Points
from rtswap.vision.geometry import box_of

SIDE, GAP, BELOW, TITLE, HEAD = 176, 6, 46, 46, 84
SHOWN = 1.75
"""Side of what a tile shows, in sides of the face's box."""
COLUMNS, WORST, EVENLY = 2, 4, 12


class Shown(NamedTuple):
    """A pair on the sheet."""

    pictures: Sequence[Image]
    """Source, target, and the result of each contender."""
    name: str
    why: str
    bad: bool


def thumbnail(image: Image, mesh: Points) -> Image:
    """(SIDE, SIDE, 3) the face with room around it."""
    x1, y1, x2, y2 = box_of(mesh)
    middle, side = np.array([(x1 + x2) / 2, (y1 + y2) / 2]), SHOWN * float(max(x2 - x1, y2 - y1))
    return FrameView.around(middle, side, (SIDE, SIDE)).picture(image)


def draw_sheet(
    title: str,
    notes: Sequence[str],
    names: Sequence[str],
    pairs: Sequence[tuple[str, str]],
    photos: Sequence[tuple[Image, Image]],
    results: Sequence[Sequence[Image]],
    selves: Sequence[Mapping[int, Image]],
    rows: Sequence[Sequence[Row]],
    mark: Callable[[Image], Image],
) -> Image:
    """``results`` and ``rows``: of each contender, in the order of ``pairs``; ``selves``: pair -> its target on
    itself. ``mark`` is called on what shows a swap."""

    def pictures(n: int, *, itself: bool = False) -> list[Image]:
        source, target = photos[n]
        if not itself:
            return [source, target, *(mark(of_one[n].copy()) for of_one in results)]
        return [target, target, *(mark(of_one.get(n, target).copy()) for of_one in selves)]

    def named(n: int, *, itself: bool = False) -> str:
        return f"{pairs[n][1]} on itself" if itself else " > ".join(pairs[n])

    sections = []
    for figure in PAIRS:
        own = figure.key.startswith("self_")
        tiles = [
            Shown(pictures(n, itself=own), named(n, itself=own), _why(figure, rows, names, n), True)
            for n in worst(figure, rows[0], WORST)
        ]
        sections.append((f"Worst: {figure.label}", tiles))
    evenly = sorted({round(n) for n in np.linspace(0, len(pairs) - 1, EVENLY).tolist()})
    margins = PAIRS[2]
    tiles = [Shown(pictures(n), named(n), _why(margins, rows, names, n), False) for n in evenly]
    sections.append(("In the order in which they were drawn, evenly", tiles))
    width = COLUMNS * ((2 + len(names)) * (SIDE + GAP) + 3 * GAP) + GAP
    parts = [_head(title, notes, width)]
    parts += [_section(words, tiles, ["source", "target", *names], width) for words, tiles in sections if tiles]
    return np.vstack(parts)


def _why(figure: Figure, rows: Sequence[Sequence[Row]], names: Sequence[str], n: int) -> str:
    values = [f"{of_one[n].get(figure.key, float('nan')):.{figure.digits}f}" for of_one in rows]
    if len(values) == 1:
        return f"{figure.label} {values[0]}"
    return f"{figure.label}: " + ", ".join(f"{name} {value}" for name, value in zip(names, values, strict=True))


def _head(title: str, notes: Sequence[str], width: int) -> Image:
    picture = np.full((HEAD + 20 * max(0, len(notes) - 1), width, 3), PAPER, np.uint8)
    text(picture, title, (2 * GAP, 36), size=24, weight=BOLD)
    for n, words in enumerate(notes):
        text(picture, fitting(words, width - 4 * GAP), (2 * GAP, 62 + 20 * n), size=14, color=GREY)
    return picture


def _section(words: str, tiles: Sequence[Shown], heads: Sequence[str], width: int) -> Image:
    count = -(-len(tiles) // COLUMNS)
    image = np.full((TITLE + count * (SIDE + BELOW), width, 3), PAPER, np.uint8)
    image[4:5, 2 * GAP : -2 * GAP] = PALE
    text(image, words, (2 * GAP, 30), size=17, weight=BOLD)
    block = len(heads) * (SIDE + GAP) + 3 * GAP
    for number, shown in enumerate(tiles):
        x, y = 2 * GAP + number % COLUMNS * block, TITLE + number // COLUMNS * (SIDE + BELOW)
        for n, picture in enumerate(shown.pictures):
            left = x + n * (SIDE + GAP)
            image[y : y + SIDE, left : left + SIDE] = picture
            _label(image, heads[n], (left, y))
        text(image, fitting(shown.name, block - 3 * GAP), (x, y + SIDE + 16), size=14, weight=BOLD)
        color = RED if shown.bad else INK
        text(image, fitting(shown.why, block - 3 * GAP), (x, y + SIDE + 34), size=14, color=color)
    return image


def _label(image: Image, words: str, at: tuple[int, int]) -> None:
    """Small, in the corner: what is to be seen is the face."""
    x, y = at
    words = fitting(words, SIDE - 8)
    part = image[y : y + 15, x : x + text_width(words, 12) + 8]
    part[:] = cv2.addWeighted(part, 0.3, np.full_like(part, NIGHT), 0.7, 0)
    text(image, words, (x + 4, y + 11), size=12, color=PAPER)
