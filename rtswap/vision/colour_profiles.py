"""Convert photos to sRGB: by their ICC profile, by EXIF (cameras' Adobe RGB), or by the numbers of ITU-T H.273 in PNG
and HEIC files."""

from __future__ import annotations

import io
import math
import struct
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.types import Image
from rtswap.vision.colour_conversion import ColourConverter, has_plain_colours
from rtswap.vision.colour_spaces import (
    ADOBE_GAMMA,
    ADOBE_RGB,
    RGB,
    ColourSpace,
    Primaries,
    known_primaries,
    srgb_signal,
    to_bt709,
)

if TYPE_CHECKING:
    from PIL import Image as Pillow
    from PIL.ImageCms import ImageCmsProfile

_INTEROP, _INTEROP_INDEX, _ADOBE = 0xA005, 1, "R03"
_PNG = b"\x89PNG\r\n\x1a\n"
_MOST_HEAD = 1 << 16
_STRIP_PIXELS = 1 << 18
_GAMMAS, _GAMMA_TOLERANCE = (0.05, 5.0), 0.05
"""Of PNG: what is credible, and how far from a screen's 1/2.2 nothing is converted (libpng's threshold)."""
_SRGB_CHROMATICITY = (0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)
"""White, red, green, blue, as PNG orders them."""
_CHANNELS = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}
"""Colour space of a profile -> Pillow's mode."""
_MODES = {"RGB": ("RGB", "RGBA", "RGBX", "P", "PA"), "GRAY": ("L", "LA", "1"), "CMYK": ("CMYK",)}
"""Colour space of a profile -> Pillow's modes of a picture that it may describe."""


def profile_of(picture: Pillow.Image) -> ImageCmsProfile | None:
    """Return the embedded ICC profile; None if there is none, it is damaged, or it is sRGB."""
    from PIL import ImageCms

    data = picture.info.get("icc_profile")
    if not data:
        return None
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(data))
        description = profile.profile.profile_description or ""
        known = profile.profile.xcolor_space.strip() in _CHANNELS
    except (OSError, ImageCms.PyCMSError, ValueError):
        return None
    return profile if known and not description.startswith("sRGB") else None


def needs_pillow(mode: str, profile: ImageCmsProfile | None) -> bool:
    """Whether the profile is for inks, of which OpenCV leaves only BGR, or the ``mode`` LAB, for whose white OpenCV
    takes that of a screen."""
    return mode == "LAB" or (profile is not None and profile.profile.xcolor_space.strip() == "CMYK")


def to_srgb(image: Image, profile: ImageCmsProfile) -> Image:
    """Convert BGR to sRGB by its profile, relative to the white point, in place. A profile that cannot be used
    changes nothing."""
    from PIL import Image as Pillow

    convert = _converter(profile)
    for rows in strips(*image.shape[:2]):
        image[rows] = convert(Pillow.fromarray(image[rows][..., ::-1]))
    return image


def bgr_of(picture: Pillow.Image, profile: ImageCmsProfile | None = None) -> Image:
    """Return Pillow's picture as (H, W, 3) BGR, in sRGB by its profile if there is one, as ``to_srgb``."""
    convert = _plain_bgr if profile is None else _converter(profile)
    image = np.empty((picture.height, picture.width, 3), np.uint8)
    for rows in strips(*image.shape[:2]):
        image[rows] = convert(picture.crop((0, rows.start, picture.width, rows.stop)))
    return image


def strips(height: int, width: int) -> Iterator[slice]:
    """Yield the rows of a picture, at most ``_STRIP_PIXELS`` or one at a time, and about as many each time: what
    converts all of a large one at once takes up to twenty times its memory, and is no faster."""
    most = max(1, _STRIP_PIXELS // max(1, width))
    rows = max(1, math.ceil(height / max(1, math.ceil(height / most))))
    return (slice(top, min(top + rows, height)) for top in range(0, height, rows))


def _converter(profile: ImageCmsProfile) -> Callable[[Pillow.Image], Image]:
    """Return what converts a part of a picture to BGR in sRGB."""
    from PIL import ImageCms

    mode = _CHANNELS[profile.profile.xcolor_space.strip()]
    intent, flags = ImageCms.Intent.RELATIVE_COLORIMETRIC, ImageCms.Flags.BLACKPOINTCOMPENSATION
    try:
        transform = ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), mode, "RGB", intent, flags)
    except (ImageCms.PyCMSError, ValueError):
        return lambda part: _plain_bgr(part.convert(mode))
    return lambda part: _plain_bgr(transform.apply(part if part.mode == mode else part.convert(mode)))


def in_srgb(upright: Pillow.Image, picture: Pillow.Image) -> Image:
    """Convert ``upright``, which shows ``picture``, to (H, W, 3) BGR in sRGB, by what is said of the colours of
    ``picture``. A program may have converted it and kept the profile of the file: such a profile is ignored."""
    profile = profile_of(picture)
    if profile is not None and picture.mode in _MODES[profile.profile.xcolor_space.strip()]:
        return bgr_of(upright, profile)
    if profile is None and (power := stated_power(picture)) is not None:
        return from_power(bgr_of(upright), *power)
    return from_adobe_rgb(bgr_of(upright)) if profile is None and is_adobe_rgb(picture) else bgr_of(upright)


def _plain_bgr(picture: Pillow.Image) -> Image:
    return np.asarray(cv2.cvtColor(np.asarray(picture.convert("RGB")), cv2.COLOR_RGB2BGR), np.uint8)


def conversion(
    data: bytes, picture: Pillow.Image, profile: ImageCmsProfile | None
) -> Callable[[NDArray[Any]], Image] | None:
    """Return what converts a decoded picture, BGR, to sRGB: by its ``profile``, or as the file says; None if it says
    nothing. ``data``: the file's content."""
    if profile is not None:
        return lambda image: to_srgb(image, profile)
    if (space := stated_space(data)) is not None:
        return lambda image: from_stated_space(image, space)
    if (power := stated_power(picture)) is not None:
        return lambda image: from_power(image, *power)
    return from_adobe_rgb if is_adobe_rgb(picture) else None


def stated_power(picture: Pillow.Image) -> tuple[float, Primaries] | None:
    """Return the exponent of light and the primaries that the chunks gAMA and cHRM of a PNG state; None for none, for
    about those of sRGB, and where another chunk says more."""
    gamma = picture.info.get("gamma") if picture.format == "PNG" else None
    if not gamma or "srgb" in picture.info or not _GAMMAS[0] <= gamma <= _GAMMAS[1]:
        return None
    white, *colours = np.reshape(picture.info.get("chromaticity") or _SRGB_CHROMATICITY, (4, 2)).tolist()
    primaries = (*map(tuple, colours), tuple(white))
    is_plain = np.allclose(primaries, np.roll(np.reshape(_SRGB_CHROMATICITY, (4, 2)), -1, 0), atol=0.005)
    if (is_plain and abs(gamma * 2.2 - 1) < _GAMMA_TOLERANCE) or not np.all(np.isfinite(primaries)):
        return None
    try:
        to_bt709(primaries)
    except (np.linalg.LinAlgError, ZeroDivisionError):
        return None
    return 1 / gamma, primaries


def is_adobe_rgb(picture: Pillow.Image) -> bool:
    """Whether EXIF says so (DCF 2.0, 4.2.2): cameras write this instead of a profile. False for damaged EXIF."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return str(picture.getexif().get_ifd(_INTEROP).get(_INTEROP_INDEX, "")).startswith(_ADOBE)
        except (OSError, ValueError, SyntaxError, TypeError, LookupError, AttributeError, struct.error):
            return False


def from_adobe_rgb(image: NDArray[Any]) -> Image:
    """Convert BGR from Adobe RGB to sRGB, as ``from_power``."""
    return from_power(image, ADOBE_GAMMA, ADOBE_RGB)


def from_power(image: NDArray[Any], exponent: float, primaries: Primaries) -> Image:
    """Convert BGR, 8 bits (in place) or 16, from that power of light and those primaries to sRGB."""
    most = np.iinfo(image.dtype).max
    shown = image if most == 255 else np.empty(image.shape, np.uint8)
    light_of = ((np.arange(most + 1) / most) ** exponent).astype(np.float32)
    matrix = to_bt709(primaries)[::-1, ::-1].astype(np.float32)
    table = np.round(srgb_signal(np.linspace(0, 1, 65536)) * 255).astype(np.uint8)
    for rows in strips(*image.shape[:2]):
        mixed = np.clip(cv2.transform(cv2.LUT(image[rows], light_of), matrix), 0, 1)
        shown[rows] = cv2.LUT((mixed * 65535 + 0.5).astype(np.uint16), table)
    return shown


def stated_space(data: bytes) -> ColourSpace | None:
    """Return the colours that a PNG's cICP chunk, or the nclx box of AVIF or HEIC, states; None for none or plain
    ones."""
    numbers: tuple[int, int] | None = None
    if data.startswith(_PNG):
        at = data.find(b"cICP", 0, data.find(b"IDAT"))
        numbers = (data[at + 4], data[at + 5]) if at >= 0 else None
    elif data[4:8] == b"ftyp" and (at := data.find(b"colrnclx", 0, _MOST_HEAD)) >= 0:
        numbers = struct.unpack_from(">HH", data, at + 8) if at + 12 <= len(data) else None
    if numbers is None:
        return None
    space = ColourSpace(RGB, True, *numbers)
    return None if has_plain_colours(space) or not known_primaries(space.primaries) else space


def has_deep_colours(data: bytes) -> bool:
    """Whether to decode all bits before ``from_stated_space``."""
    return data.startswith(_PNG)


def from_stated_space(image: NDArray[Any], space: ColourSpace) -> Image:
    """Convert BGR, 8 bits (in place) or 16, as that colour space says."""
    shown = image if image.dtype == np.uint8 else np.empty(image.shape, np.uint8)
    converter = ColourConverter(space, bits=8 * image.itemsize)
    for rows in strips(*image.shape[:2]):
        green_blue_red = np.ascontiguousarray(image[rows][..., [1, 0, 2]], np.uint16)
        shown[rows] = converter.convert(green_blue_red)
    return shown
