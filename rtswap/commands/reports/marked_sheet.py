"""Mark and write contact sheets and plots: they are published like any other picture."""

from __future__ import annotations

import time
from pathlib import Path

from rtswap.core.errors import OutputError
from rtswap.core.types import Frame, Image, MarkedImage
from rtswap.disclosure import Disclosure
from rtswap.media.output_names import IMAGE_SUFFIXES
from rtswap.media.outputs.image import ImageOutput


def mark_sheet(sheet: Image, disclosure: Disclosure) -> MarkedImage:
    """Embed the invisible mark into the whole of a sheet, in place. Each swap in it carries ``disclosure``'s marks as
    well, which stay with it where it is cut out."""
    return _release(sheet, disclosure.without_badge())


def without_swap(sheet: Image) -> MarkedImage:
    """A sheet or a plot in which no face is swapped."""
    return _release(sheet, Disclosure(None, reason="no face is swapped in it"))


def save_sheet(path: Path, sheet: MarkedImage, *, overwrite: bool = False) -> None:
    """Write a sheet. Raises OutputError."""
    if path.suffix.lower() not in IMAGE_SUFFIXES or path.is_dir():
        raise OutputError(f"cannot write {path}", expected="a name that ends in .png, .jpg or .webp")
    ImageOutput(path, overwrite=overwrite).send(sheet)


def _release(sheet: Image, disclosure: Disclosure) -> MarkedImage:
    return disclosure.mark(sheet, frame=Frame(sheet, 0, time.perf_counter(), 0.0), swapped=0, stages={})
