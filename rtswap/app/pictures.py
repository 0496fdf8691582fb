"""Pictures as Python programs hold them: paths, NumPy arrays and Pillow images."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from rtswap.core.errors import InputError, UsageError, reason
from rtswap.core.types import Image
from rtswap.core.urls import expanded
from rtswap.source.personas import PREFIX
from rtswap.vision.images import decode_shown, on_white, opacity_of, read_shown

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

Picture: TypeAlias = "str | os.PathLike[str] | bytes | Image | PillowImage"
"""A path; the content of an image file; a (H, W, 3) BGR uint8 array; or a Pillow image of any 8-bit mode, converted
to sRGB. Transparent places become white."""
ARRAY = "uint8, height x width x 3, BGR"
"""What an array must be, for messages."""
_EXPECTED = "a path, an image file's bytes, a height x width x 3 uint8 array (BGR) or a Pillow image"
_BYTES = bytes | bytearray | memoryview
_MODES = ("RGB", "RGBA", "RGBX", "L", "LA", "P", "PA", "1", "CMYK", "YCbCr", "HSV", "LAB")


def is_path(value: object) -> bool:
    """Whether ``value`` names a file or a folder."""
    return isinstance(value, str | os.PathLike)


def is_picture(value: object) -> bool:
    """Whether ``value`` looks like one picture, right or wrong, and not like several."""
    single = is_path(value) or isinstance(value, np.ndarray | _BYTES) or hasattr(value, "read")
    return single or not isinstance(value, Iterable)


def pixels(picture: Picture, name: str = "the picture") -> Image:
    """The picture, (H, W, 3) BGR uint8: an array as it is, anything else in an array of its own. ``name``: for
    messages. Raises UsageError for a wrong type or form, InputError for a file that cannot be read."""
    if isinstance(picture, np.ndarray):
        return _check(picture, name)
    if isinstance(picture, str | os.PathLike):
        if str(picture).startswith(PREFIX) and not os.path.lexists(picture):
            raise UsageError(
                f"{picture} is a source", expected="the picture first: swap(picture, source)", got="a persona first"
            )
        return read_shown(expanded(picture))[0]
    if isinstance(picture, _BYTES):
        return decode_shown(bytes(picture), name)
    from PIL import Image as pillow

    if isinstance(picture, pillow.Image):
        return _from_pillow(picture, name)
    what = f"{name} is of the wrong type"
    raise UsageError(what, expected=_EXPECTED, got=type(picture).__name__, do=conversion_of(picture))


def conversion_of(value: object) -> str:
    """What to do with something that is no picture, for messages; empty if nobody knows."""
    if value is None:
        return "OpenCV gives None for what it cannot read: check the path, or the camera."
    if isinstance(value, list | tuple):
        return "Make it an array: numpy.array(picture, numpy.uint8)."
    if hasattr(value, "numpy"):
        return "Make it an array of height x width x 3: tensor.cpu().numpy()."
    return "Pass what is in the file: file.read()." if hasattr(value, "read") else ""


def _check(array: Any, name: str) -> Image:
    shape = array.shape
    if array.dtype == np.uint8 and len(shape) == 3 and shape[2] == 3 and array.size:
        image: Image = array
        return image
    do = ""
    if not array.size:
        do = "Check that it was read: an empty array is often a failed read or an empty crop."
    elif array.dtype.kind == "f":
        do = "Convert it: (image * 255).round().clip(0, 255).astype(numpy.uint8) where 1.0 is white."
    elif array.dtype != np.uint8:
        do = "Scale it to 0..255 and convert it with astype(numpy.uint8)."
    elif len(shape) == 2 or (len(shape) == 3 and shape[2] == 1):
        do = "Convert it: cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)."
    elif len(shape) == 3 and shape[2] == 4:
        do = "Drop alpha: image[..., :3]; if it is RGBA, also reverse the channels."
    elif len(shape) == 3 and shape[0] == 3:
        do = "Put the channels last: image.transpose(1, 2, 0)."
    elif len(shape) == 4:
        do = "Pass one picture at a time, or use Swapper.swap_many."
    raise UsageError(
        f"{name} is the wrong kind of array",
        expected=ARRAY,
        got=f"{array.dtype}, {' x '.join(map(str, shape)) or 'a single number'}",
        do=do,
    )


def _from_pillow(picture: PillowImage, name: str) -> Image:
    from PIL import ImageOps

    from rtswap.vision.colour_profiles import in_srgb

    if picture.mode not in _MODES:
        raise UsageError(
            f"{name} has the wrong Pillow mode",
            expected="a mode of 8 bits",
            got=picture.mode,
            do="Scale it to 0..255 and convert it to RGB.",
        )
    try:
        opacity, image = opacity_of(picture), in_srgb(ImageOps.exif_transpose(picture), picture)
    except (OSError, ValueError, SyntaxError) as error:  # Pillow decodes late; SyntaxError: a broken PNG
        raise InputError(f"cannot decode {name}", got=reason(error), do="Save or download it again.") from None
    return _check(image, name) if opacity is None else on_white(_check(image, name), opacity)
