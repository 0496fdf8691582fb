"""What a picture's file holds besides the pixels that are read, so that its loss can be told."""

from __future__ import annotations

import re
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
_MPF, _MP_ENTRIES, _HEAD_BYTES = b"MPF\0", 0xB002, 1 << 14
"""From where CIPA DC-007 counts; its tag of the list of a JPEG's pictures; how much of one says what it is for."""
_GAIN_MAP = re.compile(rb"hdrgm|gainmap", re.IGNORECASE)
_MOTION = re.compile(rb"(MotionPhoto|MicroVideo)(=.1.|>1<)")
"""What phones write into XMP."""
_SAMSUNG = b"MotionPhoto_Data"
"""Before the film that their older phones put behind a JPEG."""


def says_how_it_was_taken(picture: Pillow.Image) -> bool:
    """Whether EXIF says where, when, by whom or with what a picture was taken."""
    with suppress(*DAMAGED):
        return not _TAKEN.isdisjoint(picture.getexif())
    return False


def has_video(picture: Pillow.Image, data: bytes) -> bool:
    """Whether a phone has put a short film behind a photo; ``data``: the file's content."""
    xmp = picture.info.get("xmp") or b""
    return _MOTION.search(xmp if isinstance(xmp, bytes) else str(xmp).encode()) is not None or _SAMSUNG in data


def count_pages(picture: Pillow.Image, data: bytes) -> int:
    """Number of pictures in a TIFF, HEIC or JPEG (MPO), at most 1000, without smaller copies, masks and maps of the
    light of HDR; 1 for every other file, also for an animation. Leaves ``picture`` at the last one."""
    if picture.format == "MPO":
        return _count_views(picture, data)
    if picture.format not in ("TIFF", "HEIF"):
        return 1
    pages = 0
    with suppress(*DAMAGED):
        for index in range(min(int(getattr(picture, "n_frames", 1)), _MOST_PAGES)):
            picture.seek(index)
            pages += not getattr(picture, "tag_v2", {}).get(_SUBFILE, 0) & _COPY_OR_MASK
    return pages


def _count_views(picture: Pillow.Image, data: bytes) -> int:
    """Pictures of an MPO, without thumbnails and maps of the light of HDR."""
    views = 1
    with suppress(*DAMAGED):
        for entry in getattr(picture, "mpinfo", {})[_MP_ENTRIES][1:_MOST_PAGES]:
            at = data.index(_MPF) + len(_MPF) + entry["DataOffset"]
            is_map = _GAIN_MAP.search(data, at, at + _HEAD_BYTES)
            views += "Thumbnail" not in entry["Attribute"]["MPType"] and not is_map
    return views
