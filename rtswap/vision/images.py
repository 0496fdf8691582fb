"""Load an image file as BGR: any bit depth, any colour model, upright, in sRGB.

OpenCV does the hard part (checked in tests/vision/test_images.py): it scales 16 bits to 8, converts palettes to BGR,
applies EXIF orientation, drops alpha, and takes the first frame of an animation. Pillow reads what OpenCV does not
(HEIC, CMYK with a profile, floating point), and converts colours by their profile. This module refuses non-images
with a one-line error before allocating memory.
"""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.errors import InputError
from rtswap.core.files import open_regular
from rtswap.core.isolation import pip_install
from rtswap.core.native_logs import quiet_opencv
from rtswap.core.types import Image
from rtswap.core.urls import shown_if_missing
from rtswap.vision.foreign_pictures import DAMAGED, foreign_kind, unread_tiff
from rtswap.vision.heif_items import heif_pixels
from rtswap.vision.picture_contents import count_pages, has_video, says_how_it_was_taken
from rtswap.vision.picture_kinds import is_heif, kind_of, looks_like_picture
from rtswap.vision.picture_parts import JPEG, is_cut_off, refuse_many_parts, tile_size
from rtswap.vision.resample import lay_over

if TYPE_CHECKING:
    from PIL import Image as Pillow

_HEIF_SUFFIXES = (".heic", ".heif", ".hif")
PICTURE_SUFFIXES = frozenset(
    {".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".avif"}
    | {".jp2", *_HEIF_SUFFIXES}
)
MAX_BYTES = 200 * 1024 * 1024
MAX_PIXELS = 100_000_000
_ORIENTATION = 0x0112
"""The tag of EXIF."""
PHOTO_PIXELS = 40_000_000
"""Enough of a photo that only gives a face, of which 512 x 512 pixels are used."""
_REDUCED_JPEG = (
    cv2.IMREAD_COLOR,
    cv2.IMREAD_REDUCED_COLOR_2,
    cv2.IMREAD_REDUCED_COLOR_4,
    cv2.IMREAD_REDUCED_COLOR_8,
)
KINDS = "a PNG, JPEG, WebP, TIFF, BMP, GIF, AVIF or HEIC image"
"""What is read."""
_DAMAGED, _AGAIN = "a truncated or damaged image", "Save or download it again."
CONVERT = "Convert it to PNG or JPEG."
_VIDEO = "Save one of its frames as PNG, or cut its faces out: rtswap extract VIDEO --out FOLDER"
_OTHER = "Check the file, or convert it to PNG or JPEG."
_FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "AVIF", "JPEG2000")
"""Pillow's names of the formats."""


def read_image(path: str | Path, *, most_pixels: int = MAX_PIXELS) -> Image:
    """Load an image, (H, W, 3) BGR uint8, upright, sRGB. One with more than ``most_pixels`` is halved up to three
    times, a JPEG while it is decoded, which takes a fraction of the memory. Raises InputError if the file is missing,
    too large, damaged or not an image."""
    path = Path(path)
    return _image_of(path, *read_checked(path), most_pixels)


def decode_photo(data: bytes, name: str) -> Image:
    """Decode a photo that only gives a face, as ``read_photo``. ``name``: for messages. Raises InputError."""
    return _image_of(Path(name), data, _count_pixels(Path(name), data), PHOTO_PIXELS)


def _image_of(path: Path, data: bytes, pixels: int, most_pixels: int) -> Image:
    """``pixels``: their number by the header. ``path``: for messages. Raises InputError."""
    if foreign := foreign_kind(path, data):
        raise InputError(f"cannot decode {path}", expected=KINDS, got=foreign, do=CONVERT)
    halvings = next((n for n in range(3) if pixels <= most_pixels * 4**n), 3)
    known = looks_like_picture(data[:32])  # OpenCV reads more, whose size is not checked above
    image = _decode(path, data, halvings) if known and not is_cut_off(data) else None
    if image is None and known and (foreign := unread_tiff(data)):
        raise InputError(f"cannot decode {path}", expected=KINDS, got=foreign, do=CONVERT)
    if image is None:
        kind = kind_of(data)
        raise InputError(
            f"cannot decode {path}",
            expected=KINDS,
            got=_DAMAGED if known else kind,
            do=_AGAIN if known else _VIDEO if kind == "a video" else _OTHER,
        )
    return image


def _decode(path: Path, data: bytes, halvings: int) -> Image | None:
    """Decode and convert to sRGB; None if that fails."""
    from rtswap.vision import colour_profiles as profiles

    with open_with_pillow(data) as picture:
        profile = profiles.profile_of(picture) if picture is not None else None
        if picture is None or not (_is_turned(picture) or profiles.needs_pillow(picture.mode, profile)):
            convert = None if picture is None else profiles.conversion(data, picture, profile)
            deep = convert is not None and profile is None and profiles.has_deep_colours(data)
            image = _by_opencv(path, data, halvings, cv2.IMREAD_ANYDEPTH if deep else 0)
            if image is not None and convert is not None:
                return convert(image)
            if image is not None or picture is None:
                return image
        return _by_pillow(data, picture, halvings)


def _is_turned(picture: Pillow.Image) -> bool:
    """Whether a picture may be turned as HEIF says it, by a box (``irot``, ``imir``), which OpenCV does not read."""
    return picture.format == "HEIF" or (picture.format == "AVIF" and picture.getexif().get(_ORIENTATION, 1) != 1)


def _by_opencv(path: Path, data: bytes, halvings: int, depth: int) -> NDArray[Any] | None:
    """Decode with OpenCV, halved. Raises InputError if it refuses."""
    try:
        with quiet_opencv():
            flag = _REDUCED_JPEG[halvings] if data.startswith(JPEG) else cv2.IMREAD_COLOR | depth
            image = cv2.imdecode(np.frombuffer(data, np.uint8), flag)
    except cv2.error as error:
        raise InputError(f"cannot decode {path}", got=str(error.err), do="Save it again as PNG or JPEG.") from None
    if image is None:
        return None
    return np.asarray(image) if data.startswith(JPEG) else _halve(np.asarray(image), halvings)


def _by_pillow(data: bytes, picture: Pillow.Image, halvings: int) -> Image | None:
    """Decode with Pillow, halved; None if it fails."""
    from PIL import ImageOps

    from rtswap.vision import colour_profiles as profiles

    profile = profiles.profile_of(picture)
    try:
        ImageOps.exif_transpose(picture, in_place=True)
        readable = _of_bytes(picture)
        if readable is None:
            return None
        readable = readable.reduce(2**halvings) if halvings else readable
    except DAMAGED:
        return None
    space = profiles.stated_space(data) if profile is None else None
    image = profiles.bgr_of(readable, profile)
    return image if space is None else profiles.from_stated_space(image, space)


def _of_bytes(picture: Pillow.Image) -> Pillow.Image | None:
    """``picture``, with 0 to 255 for 0 to 1 of a floating-point one; None if its numbers are beyond 255."""
    if picture.mode not in ("F", "I"):
        return picture
    largest = float(np.asarray(picture).max())
    if largest > 255:
        return None
    return picture.point(lambda value: value * 255) if picture.mode == "F" and largest <= 1 else picture


def _halve(image: NDArray[Any], halvings: int) -> NDArray[Any]:
    if not halvings:
        return image
    size = (max(1, image.shape[1] >> halvings), max(1, image.shape[0] >> halvings))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA))


def read_photo(path: str | Path) -> Image:
    """Load a photo that only gives a face: as ``read_image``, halved until it has at most ``PHOTO_PIXELS``."""
    return read_image(path, most_pixels=PHOTO_PIXELS)


def read_checked(path: Path) -> tuple[bytes, int]:
    """Return the file's content, and the number of pixels by its header, 0 if the header does not state it. Raises
    InputError, before reading, for anything but a file and for a file that is too large."""
    data = _read_bytes(path)
    return data, _count_pixels(path, data)


def read_shown(path: Path) -> tuple[Image, tuple[str, ...]]:
    """Load an image as ``read_image``, as it looks on white paper: what programs keep under transparent places is not
    meant to be seen. Also returns what of the file is lost, a text for each. Raises InputError."""
    return _shown(path, *read_checked(path))


def decode_shown(data: bytes, name: str) -> Image:
    """Decode the content of an image file as ``read_shown``. ``name``: for messages. Raises InputError."""
    return _shown(Path(name), data, _count_pixels(Path(name), data))[0]


def _shown(path: Path, data: bytes, pixels: int) -> tuple[Image, tuple[str, ...]]:
    image, losses = _image_of(path, data, pixels, MAX_PIXELS), list[str]()
    with open_with_pillow(data) as picture:
        if picture is None:
            return image, ()
        if (opacity := opacity_of(picture)) is not None:
            image = on_white(image, opacity)
            losses.append("transparency is not kept; transparent places become white")
        if says_how_it_was_taken(picture):
            losses.append("EXIF data (camera, time, place) is not kept")
        if (pages := count_pages(picture, data)) > 1:
            losses.append(f"only the first of its {pages} pictures is read")
        if has_video(picture, data):
            losses.append("the video of this motion photo is not read")
    return image, tuple(losses)


def opacity_of(picture: Pillow.Image) -> NDArray[np.uint8] | None:
    """(H, W), upright, 255 for opaque, of a picture with places that are not; None for every other."""
    from PIL import ImageOps

    if not picture.has_transparency_data:
        return None
    try:
        upright = ImageOps.exif_transpose(picture)
        whole = upright if "A" in upright.getbands() else upright.convert("RGBA")
        opacity = np.asarray(whole.getchannel("A"))
    except DAMAGED:
        return None
    return opacity if opacity.min() < 255 else None


def on_white(image: Image, opacity: NDArray[np.uint8]) -> Image:
    """Lay an image over white paper; ``opacity``: (H, W), 255 for opaque."""
    from rtswap.vision.colour_profiles import strips

    laid = np.full_like(image, 255)
    for rows in strips(*image.shape[:2]):
        lay_over(laid[rows], image[rows], opacity[rows])
    return laid


def _read_bytes(path: Path) -> bytes:
    """Read the file; refuses by type and size before reading."""
    try:
        if path.is_dir():
            raise InputError(f"{path} is a folder", expected="an image file", do="Name one of the images in it.")
        if path.exists() and not path.is_file():
            raise InputError(f"{path} is not a regular file", expected="an image file", do="Save it to a file first.")
        with open_regular(path) as file:
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
        shown, do = shown_if_missing(path)
        raise InputError(f"no such file: {shown}", do=do) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"cannot read {path}", got=reason, do="Check the path and its permissions.") from None


def _count_pixels(path: Path, data: bytes) -> int:
    """Return the number of pixels by the header, 0 if it does not state it. Raises InputError for too many, and for
    too many parts."""
    if not data:
        raise InputError(f"{path} is empty", expected=KINDS, got="0 bytes", do=_AGAIN)
    if len(data) > MAX_BYTES:
        raise InputError(f"{path} is too large", expected=f"at most {MAX_BYTES >> 20} MB", do="Use a smaller image.")
    refuse_many_parts(path, data)
    if is_heif(data[:32]):
        _refuse_much_to_decode(path, data)
    try:
        sizes = [stated_size(data) or (0, 0), tile_size(data)]
        got = next((f"{width}x{height}" for width, height in sizes if width * height > MAX_PIXELS), "")
    except ValueError as error:
        got = str(error)
    except DAMAGED:
        raise InputError(f"cannot decode {path}", expected=KINDS, got=_DAMAGED, do=_AGAIN) from None
    if got:
        expected = f"at most {MAX_PIXELS // 1_000_000} megapixels"
        raise InputError(f"{path} is too large", expected=expected, got=got, do="Scale it down first.")
    return sizes[0][0] * sizes[0][1]


def _refuse_much_to_decode(path: Path, data: bytes) -> None:
    """Raise InputError for a HEIF file whose picture is put together of far more than it shows, and for a damaged
    one."""
    most = 4 * MAX_PIXELS  # what it is put together of, itself, and what belongs to it
    try:
        pixels = heif_pixels(data)
        got = f"{pixels / 1e6:,.0f} megapixels in its parts" if pixels > most else ""
    except ValueError as error:
        got = str(error)
    except DAMAGED:
        raise InputError(f"cannot decode {path}", expected=KINDS, got=_DAMAGED, do=_AGAIN) from None
    if got:
        raise InputError(
            f"{path} is refused", expected="a HEIC image whose parts make it up once", got=got, do=CONVERT
        )


def stated_size(data: bytes) -> tuple[int, int] | None:
    """Size (width, height) in the header, read without decoding the pixels; None if there is none. Raises ValueError
    for an image far above ``MAX_PIXELS``."""
    try:
        with open_with_pillow(data) as picture:
            return None if picture is None else picture.size
    except _TooLarge as error:
        raise ValueError(str(error)) from None


class _TooLarge(Exception):
    """An image far above ``MAX_PIXELS``."""


@contextmanager
def open_with_pillow(data: bytes) -> Iterator[Pillow.Image | None]:
    """Open an image with Pillow, which reads the header; None if it is none. Raises InputError for HEIC if its
    decoder is not installed."""
    from PIL import Image as Pillow  # 50 ms, and only photos need it

    heif = is_heif(data[:32])
    if heif:
        _register_heif()
    picture = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            picture = Pillow.open(io.BytesIO(data), formats=["HEIF"] if heif else _FORMATS)
        except Pillow.DecompressionBombError as error:
            raise _TooLarge(str(error)) from None
        except DAMAGED:
            pass
    with picture or nullcontext():
        yield picture


def _register_heif() -> None:
    try:
        import pi_heif
    except ImportError:
        raise InputError(
            "cannot read HEIC images", expected="the package pi-heif", do=f"Run: {pip_install('pi-heif')}"
        ) from None
    pi_heif.register_heif_opener(thumbnails=False)
