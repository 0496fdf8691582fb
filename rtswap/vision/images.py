"""Load an image file as BGR: any bit depth, any colour model, upright.

OpenCV 5 does the hard part (checked in tests/vision/test_images.py): it scales 16 bits to 8, converts CMYK and
palettes to BGR, applies EXIF orientation, drops alpha, and takes the first frame of an animation. This module refuses
non-images with a one-line error before allocating memory.
"""

from __future__ import annotations

import io
import os
import warnings
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
_FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "AVIF", "JPEG2000")
"""Pillow's names of the formats."""


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
    try:
        width, height = stated_size(data) or (0, 0)
        got = f"{width}x{height}" if width * height > MAX_PIXELS else ""
    except ValueError as error:
        got = str(error)
    if got:
        expected = f"at most {MAX_PIXELS // 1_000_000} megapixels"
        raise InputError(f"{path} is too large", expected=expected, got=got, do="Scale it down first.")


def stated_size(data: bytes) -> tuple[int, int] | None:
    """Size (width, height) in the header, read without decoding the pixels; None if there is none. Raises ValueError
    for an image far above ``MAX_PIXELS``."""
    from PIL import Image as Pillow  # 50 ms, and only photos need it

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Pillow.DecompressionBombWarning)
            with Pillow.open(io.BytesIO(data), formats=_FORMATS) as picture:
                return picture.size
    except Pillow.DecompressionBombError as error:
        raise ValueError(str(error)) from None
    except (OSError, ValueError, OverflowError, EOFError):
        return None
