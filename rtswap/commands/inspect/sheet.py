"""Draw ``sheet.png``: a contact sheet of frames, each with its time and the reason it was chosen."""

from __future__ import annotations

from collections.abc import Sequence

from rtswap.commands.inspect.figures import JUMP
from rtswap.commands.inspect.moments import Moment
from rtswap.core.text import clock
from rtswap.core.types import Image
from rtswap.drawing.sheet import Section, Tile, draw_sheet
from rtswap.drawing.strokes import INK, RED

COLUMNS = 6
ALARMING = ("lost", "covered", "unsure")


def draw_moments(clip: str, subtitle: str, evenly: Sequence[Moment], worst: Sequence[Moment]) -> Image:
    """Return the sheet, (H, W, 3) BGR uint8. The pictures of all moments must have one size."""
    several = len({moment.face for moment in worst}) > 1
    sections = [
        Section(title, [_tile(moment, several) for moment in moments])
        for title, moments in (("Evenly spaced", evenly), ("Worst moments", worst))
    ]
    high, wide = (*evenly, *worst)[0].picture.shape[:2] if (evenly or worst) else (1, 1)
    return draw_sheet(clip, [subtitle], sections, columns=COLUMNS if wide < 1.5 * high else COLUMNS // 2)


def _tile(moment: Moment, several: bool) -> Tile:
    alarming = moment.kind in ALARMING or (moment.kind == "jump" and moment.badness >= JUMP)
    words = moment.why + (f" (face {moment.face})" if moment.why and several and moment.kind != "lost" else "")
    aside = f"frame {moment.frame}"
    return Tile(moment.picture, clock(moment.time_s, 2), words, aside, RED if alarming else INK)
