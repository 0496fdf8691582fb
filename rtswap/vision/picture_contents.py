"""What a picture's file holds besides the pixels that are read, so that its loss can be told."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from rtswap.vision.foreign_pictures import DAMAGED

if TYPE_CHECKING:
    from PIL import Image as Pillow

_TAKEN = frozenset({271, 272, 306, 315, 33432, 34853})
"""Tags of EXIF 3.0: make, model, time, artist, copyright, place."""
_SUBFILE, _COPY_OR_MASK = 254, 0b101
"""TIFF 6.0's NewSubfileType, and its bits of a smaller copy and of a transparency mask."""
_MOST_PAGES = 1000


def says_how_it_was_taken(picture: Pillow.Image) -> bool:
    """Whether EXIF says where, when, by whom or with what a picture was taken."""
    with suppress(*DAMAGED):
        return not _TAKEN.isdisjoint(picture.getexif())
    return False


def count_pages(picture: Pillow.Image) -> int:
    """Number of pictures in a TIFF or HEIC, at most 1000, without the smaller copies and masks of TIFF; 1 for every
    other file, also for an animation. Leaves ``picture`` at the last one."""
    if picture.format not in ("TIFF", "HEIF"):
        return 1
    pages = 0
    with suppress(*DAMAGED):
        for index in range(min(int(getattr(picture, "n_frames", 1)), _MOST_PAGES)):
            picture.seek(index)
            pages += not getattr(picture, "tag_v2", {}).get(_SUBFILE, 0) & _COPY_OR_MASK
    return pages
