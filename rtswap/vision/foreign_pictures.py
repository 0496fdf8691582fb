"""Pictures that rtswap does not read, recognised so that a message can say what they are."""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Collection, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from rtswap.core.files import natural_key, open_regular
from rtswap.core.text import plural
from rtswap.vision.picture_kinds import looks_like_picture

_RAW = "a camera's raw picture"
_RAW_SUFFIXES = frozenset(
    {".dng", ".cr2", ".cr3", ".nef", ".nrw", ".arw", ".orf", ".raf", ".rw2", ".pef", ".srw", ".3fr"}
)
"""Most begin like a TIFF, and what a reader of TIFF finds in them is a thumbnail."""
_SUFFIXES = {".tga": "a Targa picture", ".pcx": "a PCX picture", ".sgi": "an SGI picture", ".dds": "a DDS texture"}
"""What begins like many other files."""
_BEGINNINGS = {
    b"8BPS": "a Photoshop document",
    b"\xff\x0a": "a JPEG XL picture",
    b"\0\0\0\x0cJXL ": "a JPEG XL picture",
    b"v/1\x01": "an OpenEXR picture",
    b"#?RADIANCE": "a Radiance HDR picture",
    b"#?RGBE": "a Radiance HDR picture",
    b"%PDF": "a PDF document",
    b"gimp xcf": "a GIMP picture",
    b"\0\0\x01\0": "an icon",
    **{b"P%d%c" % (kind, space): "a Netpbm picture" for kind in range(1, 8) for space in b" \t\n\r"},
}
_NO_PHOTOS = "a PDF document", "an icon"
"""Nobody misses these among photos."""
_PIXEL_BITS, _PIXEL_NUMBERS = 258, 339
"""Tags of TIFF 6.0: BitsPerSample, SampleFormat."""
_NUMBERS = {2: "signed", 3: "floating-point"}
_READ_BITS = frozenset({1, 2, 4, 8, 16})
_MOST_LOOKED_AT, _HEAD_BYTES = 1000, 512
"""Files of a folder, and bytes of each, by which a message says what is passed over."""
DAMAGED = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RuntimeError,
    struct.error,
)
"""What Pillow raises for damaged images."""


def foreign_kind(path: Path, data: bytes) -> str:
    """Return what kind of picture a file is that rtswap does not read, such as ``a PDF document``; empty for every
    other file. ``data``: its content, or the beginning of it."""
    if path.suffix.lower() in _RAW_SUFFIXES:
        return _RAW
    if kind := _SUFFIXES.get(path.suffix.lower()):
        return kind
    if b"<svg" in data[:512]:
        return "an SVG drawing"
    return next((kind for head, kind in _BEGINNINGS.items() if data.startswith(head)), "")


def passed_over(folder: Path, read: Collection[str]) -> tuple[int, str]:
    """Return how many pictures of a folder have none of the suffixes ``read``, and what the first of them is, such as
    ``a camera's raw picture (a.NEF)``; 0 and an empty text for none, or if the folder cannot be read."""
    try:
        found = list(_unread(folder, read))
    except (OSError, ValueError):
        return 0, ""
    return len(found), found[0] if found else ""


def say_passed_over(folder: Path, read: Collection[str]) -> str:
    """Return ``passed_over`` as a message; empty if there is nothing to say."""
    count, first = passed_over(folder, read)
    return f"{folder}: {plural(count, 'picture')} passed over: {first}{' and others' * (count > 1)}" if count else ""


def _unread(folder: Path, read: Collection[str]) -> Iterator[str]:
    others = (one for one in folder.iterdir() if one.suffix.lower() not in read and not one.name.startswith("."))
    for path in sorted(islice(filter(Path.is_file, others), _MOST_LOOKED_AT), key=natural_key):
        with open_regular(path) as file:
            head = file.read(_HEAD_BYTES)
        if (kind := foreign_kind(path, head)) and kind not in _NO_PHOTOS:
            yield f"{kind} ({path.name})"
        elif looks_like_picture(head):
            yield f"a picture without its suffix ({path.name})"


def unread_tiff(data: bytes) -> str:
    """Return what a TIFF is whose pixels are not whole numbers of at most 16 bits; empty for every other file. Pillow
    reads some of them, if they are grey."""
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    if data[:4] not in (b"II*\0", b"MM\0*"):
        return ""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            tags = ImageFileDirectory_v2(data[:8])
            file = io.BytesIO(data)
            file.seek(tags.next)
            tags.load(file)
            bits, numbers = _most(tags.get(_PIXEL_BITS, 1)), _most(tags.get(_PIXEL_NUMBERS, 1))
        except DAMAGED:
            return ""
    if bits in _READ_BITS and numbers not in _NUMBERS:
        return ""
    return f"a TIFF of {bits}-bit {_NUMBERS.get(numbers, 'whole')} numbers"


def _most(values: Any) -> int:
    """The largest of a tag's values, of which there is one per channel."""
    return max(values) if isinstance(values, tuple) else int(values)
