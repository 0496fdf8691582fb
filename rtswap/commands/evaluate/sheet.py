"""Draw the contact sheet: the worst pairs of each figure, then the pairs from worst to best."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from rtswap.commands.evaluate.figures import PAIRS, Figure, Row, worst, worst_first
from rtswap.core.types import Image, Points
from rtswap.drawing.sheet import Section, Tile, draw_sheet, fitting
from rtswap.drawing.strokes import BOLD, INK, NIGHT, PAPER, RED, Color, FrameView, label
from rtswap.vision.geometry import box_of

SIDE, GAP = 256, 4
SHOWN = 1.75
"""Side of a tile's view, as a multiple of the longer side of the face's box."""
COLUMNS, WORST, SORTED = 2, 4, 48
ORDER = tuple(figure for figure in PAIRS if figure.key in ("margin", "chroma", "light", "step"))
"""Figures whose mean rank sorts the pairs."""
CHROMA = next(figure for figure in PAIRS if figure.key == "chroma")


def thumbnail(image: Image, mesh: Points) -> Image:
    """Return the face with a margin, (SIDE, SIDE, 3)."""
    x1, y1, x2, y2 = box_of(mesh)
    middle, side = np.array([(x1 + x2) / 2, (y1 + y2) / 2]), SHOWN * float(max(x2 - x1, y2 - y1))
    return FrameView.around(middle, side, (SIDE, SIDE)).picture(image)


def draw_pairs(
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
    """Return the sheet, (H, W, 3) BGR uint8. ``results`` and ``rows``: per contender, in the order of ``pairs``;
    ``selves``: pair -> its target swapped with itself. ``mark`` marks the pictures that show a swap."""

    def tile(n: int, figure: Figure, color: Color, *, itself: bool = False) -> Tile:
        source, target = photos[n]
        shown = [of_one.get(n, target) for of_one in selves] if itself else [of_one[n] for of_one in results]
        pictures = [target if itself else source, target, *(mark(image.copy()) for image in shown)]
        name = f"{pairs[n][1]} on itself" if itself else f"{pairs[n][0]} on {pairs[n][1]}"
        return Tile(_strip(pictures, ["source", "target", *names]), name, _why(figure, rows, names, n), color=color)

    sections = []
    for figure in PAIRS:
        own = figure.key.startswith("self_")
        tiles = [tile(n, figure, RED, itself=own) for n in worst(figure, rows[0], WORST)]
        sections.append(Section(f"Worst: {figure.label}", tiles))
    order = worst_first(ORDER, rows[0])
    places = sorted({round(n) for n in np.linspace(0, len(order) - 1, SORTED).tolist()})
    every = "" if len(places) == len(order) else f" ({len(places)} of {len(order)}, evenly spaced)"
    sections.append(Section(f"From worst to best{every}", [tile(order[n], CHROMA, INK) for n in places]))
    return draw_sheet(title, notes, sections, columns=COLUMNS)


def _why(figure: Figure, rows: Sequence[Sequence[Row]], names: Sequence[str], n: int) -> str:
    values = [f"{of_one[n].get(figure.key, float('nan')):.{figure.digits}f}" for of_one in rows]
    if len(values) == 1:
        return f"{figure.label} {values[0]}"
    return f"{figure.label}: " + ", ".join(f"{name} {value}" for name, value in zip(names, values, strict=True))


def _strip(pictures: Sequence[Image], names: Sequence[str]) -> Image:
    """Return the pictures side by side, each with its name small in the corner."""
    strip = np.full((SIDE, len(pictures) * (SIDE + GAP) - GAP, 3), PAPER, np.uint8)
    for number, (picture, name) in enumerate(zip(pictures, names, strict=True)):
        part = strip[:, number * (SIDE + GAP) :][:, :SIDE]
        part[:] = picture
        label(part, fitting(name, SIDE - 10, 12, BOLD), (0, 0), NIGHT, 12)
    return strip
