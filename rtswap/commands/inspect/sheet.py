"""``sheet.png``: frames of a clip as a contact sheet, each with its time and why it is there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rtswap.commands.inspect.figures import JUMP
from rtswap.commands.inspect.moments import Moment
from rtswap.commands.inspect.panels import clock
from rtswap.commands.reports.drawing import BOLD, GREY, INK, PALE, PAPER, RED, text, text_width
from rtswap.core.types import Image

COLUMNS, GAP, HEAD, TITLE = 6, 14, 78, 44
ALARMING = ("lost", "covered", "unsure")


def draw_sheet(clip: str, subtitle: str, evenly: Sequence[Moment], worst: Sequence[Moment]) -> Image:
    """All moments have pictures of one size."""
    high, wide = (evenly or worst)[0].picture.shape[:2] if (evenly or worst) else (200, 200)
    columns = COLUMNS if wide < 1.5 * high else COLUMNS // 2
    sections = [("Evenly spaced", evenly), ("Worst moments", worst)]
    width = GAP + columns * (wide + GAP)
    rows = [_section(title, moments, columns, (wide, high)) for title, moments in sections if moments]
    picture = np.full((HEAD, width, 3), PAPER, np.uint8)
    text(picture, clip, (GAP, 38), size=24, weight=BOLD)
    text(picture, subtitle, (GAP, 62), size=15, color=GREY)
    return np.vstack([picture, *rows])


def fitting(words: str, width: int) -> str:
    """As much of the words as fits."""
    if text_width(words, 14) <= width:
        return words
    while words and text_width(words + "...", 14) > width:
        words = words[:-1]
    return words + "..."


def _section(title: str, moments: Sequence[Moment], columns: int, size: tuple[int, int]) -> Image:
    wide, high = size
    count = -(-len(moments) // columns)
    below = 46 if any(moment.why for moment in moments) else 24
    several = len({moment.face for moment in moments}) > 1
    image = np.full((TITLE + count * (high + below + GAP), GAP + columns * (wide + GAP), 3), PAPER, np.uint8)
    image[10:11, GAP:-GAP] = PALE
    text(image, title, (GAP, 34), size=17, weight=BOLD)
    for number, moment in enumerate(moments):
        x = GAP + number % columns * (wide + GAP)
        y = TITLE + number // columns * (high + below + GAP)
        image[y : y + high, x : x + wide] = moment.picture
        text(image, clock(moment.time_s), (x, y + high + 18), size=15, weight=BOLD)
        text(image, f"frame {moment.frame}", (x + wide, y + high + 18), size=13, color=GREY, align=1)
        alarming = moment.kind in ALARMING or (moment.kind == "jump" and moment.badness >= JUMP)
        words = moment.why + (f" (face {moment.face})" if several and moment.kind != "lost" else "")
        text(image, fitting(words, wide), (x, y + high + 38), size=14, color=RED if alarming else INK)
    return image
