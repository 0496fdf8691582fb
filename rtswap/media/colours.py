"""Convert decoded frames to BGR, whatever colour space of ITU-T H.273 their stream states.

Ordinary SDR video is converted by swscale alone. HDR, wide gamuts and matrices that swscale lacks take a longer way
(``vision.colour_conversion``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import av
import cv2
import numpy as np
from av.video.reformatter import Interpolation

from rtswap.core.types import Image
from rtswap.vision import colour_spaces as spaces
from rtswap.vision.colour_conversion import PQ_PEAK_NITS, SDR_WHITE_NITS, ColourConverter, has_plain_colours
from rtswap.vision.colour_profiles import strips
from rtswap.vision.colour_spaces import ColourSpace, known_primaries, known_transfer

_SWSCALE_MATRICES = (1, 4, 5, 6, 7, 9)
_FULL = 2
"""AVCOL_RANGE_JPEG."""
_HD_WIDTH, _SD_HEIGHT = 1280, 576
_DEPTHS = (8, 9, 10, 12, 14, 16)
"""Of FFmpeg's planar formats without subsampling."""
Converter = Callable[[av.VideoFrame, tuple[int, int]], Image]


class FrameColours:
    """Converts the frames of one stream to BGR. A stream may change its colour space. ``on_event`` reports, once
    each, what is tone-mapped and what is guessed."""

    def __init__(self, on_event: Callable[[str], None]) -> None:
        self._on_event = on_event
        self._key: tuple[object, ...] = ()
        self._convert: Converter
        self._said: set[str] = set()

    def to_bgr(self, frame: av.VideoFrame, size: tuple[int, int]) -> Image:
        """Return the frame as a writable (H, W, 3) image that owns its memory, scaled to ``size`` (width, height)."""
        colours = (frame.colorspace, frame.color_range, frame.color_primaries, frame.color_trc)
        key = (frame.format.name, *colours, frame.width, frame.height)
        if key != self._key:  # only one is kept: each frame may have another size
            self._convert = self._converter(frame)
            self._key = key
        return self._convert(frame, size)

    def _converter(self, frame: av.VideoFrame) -> Converter:
        """Choose the conversion for frames like this one."""
        stated = stated_space(frame)
        space, guesses = guessed_space(frame, stated)
        if any(component.is_alpha for component in frame.format.components):
            guesses.append("transparency is not kept")
        for line in [*guesses, *_changes(space, peak := _peak_nits(frame))]:
            if line not in self._said:
                self._said.add(line)
                self._on_event(line)
        rgb = _is_rgb(frame)
        if has_plain_colours(space) and (rgb or space.matrix in _SWSCALE_MATRICES):
            return lambda frame, size: _by_swscale(frame, size, None if rgb else space.matrix)
        depth = next((d for d in _DEPTHS if d >= max(c.bits for c in frame.format.components)), 16)
        layout = f"{'gbrp' if rgb else 'yuv444p'}{'' if depth == 8 else f'{depth}le'}"
        converter = ColourConverter(space, bits=depth, peak_nits=peak)

        def convert(frame: av.VideoFrame, size: tuple[int, int]) -> Image:
            image, planes = np.empty((frame.height, frame.width, 3), np.uint8), _code_values(frame, layout)
            for rows in strips(*image.shape[:2]):
                image[rows] = converter.convert(np.asarray(cv2.merge([plane[rows] for plane in planes]), np.uint16))
            return image if size == (frame.width, frame.height) else np.asarray(cv2.resize(image, size), np.uint8)

        return convert


def stated_space(frame: av.VideoFrame) -> ColourSpace:
    """Return what the frame says of its colours."""
    full = frame.color_range == _FULL or frame.format.name.startswith("yuvj")
    if frame.format.is_rgb:
        full = frame.color_range != 1
    return ColourSpace(int(frame.colorspace), full, int(frame.color_primaries), int(frame.color_trc))


def guessed_space(frame: av.VideoFrame, stated: ColourSpace) -> tuple[ColourSpace, list[str]]:
    """Return the colour space to decode with, and a line for each reserved or impossible number in ``stated``, which
    is replaced by what players assume. Unspecified colours are replaced without a line."""
    space, lines = stated, []
    if _is_rgb(frame):
        space = replace(space, matrix=spaces.RGB)
    elif stated.matrix == spaces.RGB and not _has_full_chroma(frame):
        lines.append(f"colour matrix 0 (RGB) does not fit {frame.format.name}")
    elif stated.matrix == 3 or stated.matrix > spaces.YCGCO_RO:
        lines.append(f"colour matrix {stated.matrix} is reserved")
    if lines or space.matrix == spaces.UNSPECIFIED:
        hd = frame.width >= _HD_WIDTH or frame.height > _SD_HEIGHT
        space = replace(space, matrix=spaces.BT709 if hd else spaces.BT601)
        lines = [f"{line}: decoded as {'BT.709' if hd else 'BT.601'}" for line in lines]
    if not known_primaries(space.primaries):
        if space.primaries not in (0, spaces.UNSPECIFIED):
            lines.append(f"colour primaries {space.primaries} are reserved: shown as BT.709's")
        space = replace(space, primaries=spaces.BT2020 if space.is_hdr else spaces.BT709)
    if not known_transfer(space.transfer):
        if space.transfer not in (0, spaces.UNSPECIFIED):
            lines.append(f"transfer characteristics {space.transfer} are reserved: shown as BT.709's")
        space = replace(space, transfer=spaces.PQ if space.matrix == spaces.ICTCP else spaces.BT709)
    return space, lines


def _changes(space: ColourSpace, peak_nits: float) -> list[str]:
    """Return a line that says what is lost of an HDR or wide-gamut picture."""
    if space.transfer == spaces.HLG:
        return ["HDR video (HLG) is tone-mapped to SDR (BT.2390, 1000 nits)"]
    if space.transfer == spaces.PQ:
        return [f"HDR video (PQ) is tone-mapped to SDR (BT.2390, {peak_nits:.0f} nits)"]
    return [] if has_plain_colours(space) else ["the video's colours are converted to BT.709, that of SDR video"]


def _peak_nits(frame: av.VideoFrame) -> float:
    """Return the maximum content light level of an HDR10 stream; 1000 if it states none."""
    data = side_data(frame, "CONTENT_LIGHT_LEVEL")
    stated = int(np.frombuffer(bytes(data), np.uint32)[0]) if data is not None else 0
    return float(min(max(stated, SDR_WHITE_NITS), 10_000)) if stated else PQ_PEAK_NITS


def side_data(frame: av.VideoFrame, name: str) -> Any:
    """Return a frame's side data, or None. PyAV reads none of a frame that has any of a kind newer than PyAV's list,
    such as the view of a spatial video or the EXIF of a camera's picture."""
    try:
        return frame.side_data.get(name)
    except ValueError:
        return None


def _is_rgb(frame: av.VideoFrame) -> bool:
    """Whether swscale needs no YCbCr matrix: RGB, palettes, and XYZ, which it converts to sRGB."""
    return frame.format.is_rgb or frame.format.has_palette or frame.format.name.startswith(("xyz", "mono"))


def _has_full_chroma(frame: av.VideoFrame) -> bool:
    return frame.format.name.startswith(("yuv444", "yuvj444", "yuva444"))


def _by_swscale(frame: av.VideoFrame, size: tuple[int, int], matrix: int | None) -> Image:
    """Convert in one step, without a further copy: swscale writes into a new buffer that NumPy wraps; only frames
    that the codec decodes to BGR are copied."""
    if matrix is not None:
        frame.colorspace = matrix
    if size == (frame.width, frame.height):
        image = frame.to_ndarray(format="bgr24")
    else:
        image = frame.to_ndarray(format="bgr24", width=size[0], height=size[1], interpolation=Interpolation.BICUBIC)
    if frame.format.name == "bgr24" or not image.flags.c_contiguous:
        image = image.copy()
    return np.asarray(image, np.uint8)


def _code_values(frame: av.VideoFrame, layout: str) -> list[Any]:
    """Return the frame's code values, three planes of (H, W), uint8 or uint16. swscale only interpolates chroma: it
    is given a matrix and a range that it knows, the same before and after."""
    stated = frame.colorspace, frame.color_range
    frame.colorspace, frame.color_range = spaces.RGB if layout.startswith("gbrp") else spaces.BT709, _FULL
    try:
        converted = frame.reformat(format=layout, interpolation=Interpolation.BICUBIC, dst_color_range=_FULL)
        planes: list[Any] = []
        for plane in converted.planes:
            rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[: frame.height]
            width = frame.width if layout in ("gbrp", "yuv444p") else 2 * frame.width
            planes.append(rows[:, :width].view(np.uint8 if width == frame.width else np.uint16))
        return planes
    finally:
        frame.colorspace, frame.color_range = stated
