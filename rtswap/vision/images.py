"""Load an image file as BGR: any bit depth, any colour model, upright.

OpenCV 5 does the hard part (checked in tests/vision/test_images.py): it scales 16 bits to 8, converts CMYK and
palettes to BGR, applies EXIF orientation, drops alpha, and takes the first frame of an animation. This module refuses
non-images with a one-line error before allocating memory.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from rtswap.core.errors import InputError
from rtswap.core.native_logs import quiet_opencv
from rtswap.core.types import Image

PICTURE_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".jpe", ".bmp", ".webp", ".tif", ".tiff", ".avif", ".jp2", ".gif"}
)
MAX_BYTES = 200 * 1024 * 1024
MAX_PIXELS = 100_000_000
_KINDS = "a PNG, JPEG, WebP, TIFF, BMP, GIF or AVIF image"
_HEAD = 256 * 1024
"""Bytes that must contain the size; in JPEGs, EXIF previews and colour profiles come before it."""


def read_image(path: str | Path) -> Image:
    """Load an image, (H, W, 3) BGR uint8, upright. Raises InputError if the file is missing, too large, damaged or no
    image."""
    path = Path(path)
    data = _read_bytes(path)
    _check_size(path, data)
    try:
        with quiet_opencv():
            image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise InputError(f"cannot decode {path}", got=str(error.err), do="Save it again as PNG or JPEG.") from None
    if image is None:
        known = looks_like_picture(data[:32])
        raise InputError(
            f"cannot decode {path}",
            expected=_KINDS,
            got="a truncated or damaged image" if known else "something else",
            do="Save or download it again." if known else "Convert it to PNG or JPEG.",
        )
    return np.asarray(image, np.uint8)


def looks_like_picture(head: bytes) -> bool:
    """True if a file that begins with ``head`` (at least 12 bytes) has a known image format."""
    if head.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"BM", b"II*\0", b"MM\0*")):
        return True
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return True
    return head[4:12] in (b"ftypavif", b"ftypavis", b"jP  \r\n\x87\n")


def _read_bytes(path: Path) -> bytes:
    """Read the file; refuses by type and size before reading."""
    try:
        if path.is_dir():
            raise InputError(f"{path} is a folder", expected="an image file", do="Name one of the images in it.")
        if path.exists() and not path.is_file():
            raise InputError(f"{path} is not a regular file", expected="an image file", do="Save it to a file first.")
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > MAX_BYTES:
                raise InputError(
                    f"{path} is too large",
                    expected=f"at most {MAX_BYTES >> 20} MB",
                    got=f"{size >> 20} MB",
                    do="Use a smaller image.",
                )
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise InputError(f"no such file: {path}", do="Check the path.") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"cannot read {path}", got=reason, do="Check the path and its permissions.") from None


def _check_size(path: Path, data: bytes) -> None:
    if not data:
        raise InputError(f"{path} is empty", expected=_KINDS, got="0 bytes", do="Save or download it again.")
    if len(data) > MAX_BYTES:
        raise InputError(f"{path} is too large", expected=f"at most {MAX_BYTES >> 20} MB", do="Use a smaller image.")
    width, height = stated_size(data[:_HEAD]) or (0, 0)
    if width * height > MAX_PIXELS:
        raise InputError(
            f"{path} is too large",
            expected=f"at most {MAX_PIXELS // 1_000_000} megapixels",
            got=f"{width}x{height}",
            do="Scale it down first.",
        )


def stated_size(head: bytes) -> tuple[int, int] | None:
    """Size (width, height) from the file header, without decoding; None for an unknown format."""
    for magic, parse in _HEADERS:
        if head.startswith(magic):
            try:
                return parse(head)
            except (struct.error, IndexError):
                return None
    return None


def _png_size(head: bytes) -> tuple[int, int] | None:
    width, height = struct.unpack_from(">II", head, 16)
    return int(width), int(height)


def _gif_size(head: bytes) -> tuple[int, int] | None:
    width, height = struct.unpack_from("<HH", head, 6)
    return int(width), int(height)


def _bmp_size(head: bytes) -> tuple[int, int] | None:
    width, height = struct.unpack_from("<ii", head, 18)
    return abs(int(width)), abs(int(height))


def _webp_size(head: bytes) -> tuple[int, int] | None:
    """Sizes in VP8X are stored as size - 1 in 24 bits, in VP8L in 14 bits, in VP8 in 14 bits each (RFC 9649)."""
    kind = head[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
    if kind == b"VP8L":
        bits = int(struct.unpack_from("<I", head, 21)[0])
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", head, 26)
        return int(width) & 0x3FFF, int(height) & 0x3FFF
    return None


def _jpeg_size(head: bytes) -> tuple[int, int] | None:
    """The first start-of-frame marker (C0..CF without C4, C8, CC) holds height, then width (ITU T.81, B.2.2)."""
    at = 2
    while at + 9 <= len(head):
        if head[at] != 0xFF:
            return None
        marker = head[at + 1]
        if marker == 0xFF:
            at += 1
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", head, at + 5)
            return int(width), int(height)
        elif marker in (0x01, *range(0xD0, 0xD9)):
            at += 2
        else:
            at += 2 + int(struct.unpack_from(">H", head, at + 2)[0])
    return None


_HEADERS: tuple[tuple[bytes, Callable[[bytes], tuple[int, int] | None]], ...] = (
    (b"\x89PNG\r\n\x1a\n", _png_size),
    (b"GIF8", _gif_size),
    (b"BM", _bmp_size),
    (b"RIFF", _webp_size),
    (b"\xff\xd8", _jpeg_size),
)
