"""What kind of file it is, by its first bytes."""

from __future__ import annotations

from pathlib import Path

from rtswap.core.files import open_regular
from rtswap.vision.picture_parts import JPEG, PNG

_TIFF = b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_VIDEOS = b"\x1a\x45\xdf\xa3", b"FLV\1"
"""How Matroska, WebM and FLV begin."""


def looks_like_picture(head: bytes) -> bool:
    """True if a file that begins with ``head`` (at least 12 bytes) has a known image format."""
    if head.startswith((PNG, JPEG, b"GIF87a", b"GIF89a", b"BM", *_TIFF, b"\xff\x4f\xff\x51")):
        return True
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return True
    return is_heif(head) or head[4:12] in (b"ftypavif", b"ftypavis", b"jP  \r\n\x87\n")


def is_picture(path: Path) -> bool:
    """Whether a file that can be read has a known image format, whatever its name."""
    try:
        with open_regular(path) as file:
            return looks_like_picture(file.read(32))
    except (OSError, ValueError):
        return False


def is_heif(head: bytes) -> bool:
    """``mif1`` is also the first brand of some AVIF files, which then name ``avif`` among the others."""
    return head[4:8] == b"ftyp" and head[8:12] in _HEIF_BRANDS and b"avif" not in head[16:32]


def kind_of(data: bytes) -> str:
    """Return what the content of a file that is not an image looks like."""
    head = data[:512]
    if head[4:8] == b"ftyp" or head.startswith(_VIDEOS) or head[8:12] == b"AVI ":
        return "a video"
    text = not any(byte < 9 or 13 < byte < 32 for byte in head)
    return "a web page" if text and b"<html" in head.lower() else "text" if text else "another format"
