"""Convert pictures in any colour space of ITU-T H.273 to 8-bit BGR for an SDR display with BT.709's primaries.

A conversion is a chain of matrices and tables, which OpenCV applies to 16-bit pictures: code values -> matrix ->
signal -> table -> linear light -> matrix -> table -> BGR.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.types import Image
from rtswap.vision import colour_spaces as spaces
from rtswap.vision.colour_spaces import Array, ColourSpace

SDR_WHITE_NITS = 203.0
"""Diffuse white of HDR pictures (BT.2408, 2.2), which becomes the white of the SDR picture."""
PQ_PEAK_NITS = 1000.0
"""The brightest light in a PQ stream that does not say."""
_HLG_PEAK_NITS, _HLG_GAMMA = 1000.0, 1.2
"""The display of BT.2100 for which HLG's OOTF has this gamma."""
_LUMINANCE = np.array([[0.2627, 0.6780, 0.0593]], np.float32)
_SDR_GAMMA = 2.4
"""BT.1886."""
_LEVELS = 65536
_SIGNAL: Array = np.linspace(-0.5, 1.5, _LEVELS)
"""The signal of each 16-bit code between the matrices: a matrix may lead out of 0..1 and the next one back."""
_LIGHT = np.linspace(0, 1, _LEVELS) ** 2
"""The light of each 16-bit code of a square root, which keeps dark steps apart."""
_CONSTANT_LUMINANCE = (spaces.BT2020_CL, spaces.DERIVED_CL)
_LMS = (spaces.ICTCP, spaces.IPT_C2)
_LIKE_BT709 = (0, 1, 2, 3, 6, 11, 12, 14, 15)
_LIKE_SRGB = (4, 13)
_LIKE_BT709_PRIMARIES = (0, 1, 2, 3, 5, 6, 7, 22)


class ColourConverter:
    """Converts pictures of one colour space. ``bits``: size of the code values, 8 to 16. ``peak_nits``: the brightest
    light in a PQ stream."""

    def __init__(self, space: ColourSpace, *, bits: int, peak_nits: float = PQ_PEAK_NITS) -> None:
        self._buffers: dict[str, Any] = {}
        self._hlg = space.transfer == spaces.HLG
        self._differences = _differences(space, bits)
        decode = _signals_of_codes(space, bits) if self._differences is None else np.eye(3, 4)
        decode = _combine(space, decode)
        shown = _encode(_LIGHT, space.transfer)
        self._light: NDArray[np.float32] | None = None
        if has_plain_colours(space) and space.matrix not in (*_CONSTANT_LUMINANCE, *_LMS):
            decode, shown = decode[::-1], _SIGNAL
        else:
            self._light = _light_of_signal(space, peak_nits).astype(np.float32)
        self._decode = decode * 32767.5 + np.array([0, 0, 0, 16383.75])
        """cv2.transform keeps the type, so that the matrix also scales to the 16-bit code of the signal."""
        self._rgb = _rgb_of_light(space).astype(np.float32)
        self._bt709 = _bt709_of_rgb(space)[::-1].astype(np.float32)
        self._shown = np.round(np.clip(shown, 0, 1) * 255).astype(np.uint8)
        compressed = spaces.compress_highlights(_LIGHT * _HLG_PEAK_NITS, _HLG_PEAK_NITS, SDR_WHITE_NITS)
        self._compressed = (compressed / SDR_WHITE_NITS).astype(np.float32)

    def convert(self, codes: NDArray[np.uint16]) -> Image:
        """Convert (H, W, 3) code values of Y, Cb, Cr (or what the matrix has instead) to BGR."""
        if self._differences is None:
            signal = self._in("signal", cv2.transform, codes, self._decode)
        else:
            signal = self._round(cv2.transform(cv2.LUT(codes, self._differences), self._decode))
        if self._light is not None:
            signal = self._roots(self._in_bt709(self._in("light", cv2.LUT, signal, self._light)))
        return np.asarray(cv2.LUT(signal, self._shown), np.uint8)

    def _in_bt709(self, light: Any) -> Any:
        if not self._hlg:
            return self._in("mapped", cv2.transform, light, self._bt709 @ self._rgb)
        scene = self._in("scene", cv2.transform, light, self._rgb)
        return self._in("mapped", cv2.transform, self._display(scene), self._bt709)

    def _display(self, scene: Any) -> Any:
        """Return the display light of HLG's scene light, tone-mapped: the OOTF of BT.2100, table 5."""
        luminance = self._in("luminance", cv2.transform, scene, _LUMINANCE)
        gain = cv2.pow(np.maximum(luminance, 1e-6, out=luminance), _HLG_GAMMA - 1, luminance)
        shown = cv2.multiply(scene, self._in("gain", cv2.merge, [gain] * 3), scene)
        return self._in("light", cv2.LUT, self._roots(shown), self._compressed)

    def _roots(self, light: Any) -> Any:
        return self._round(cv2.sqrt(np.maximum(light, 0, out=light), light), 65535.0)

    def _round(self, values: Any, scale: float = 1.0) -> Any:
        """Scale, round and saturate to 16 bits."""
        return self._in("signal", partial(cv2.multiply, dtype=cv2.CV_16U), values, scale)

    def _in(self, name: str, step: Callable[..., Any], *values: Any) -> Any:
        """Run a step of OpenCV with a buffer of that name as its destination: new ones take as long as the steps."""
        self._buffers[name] = step(*values, dst=self._buffers.get(name))
        return self._buffers[name]


def has_plain_colours(space: ColourSpace) -> bool:
    """Whether primaries and transfer are those of SDR video, so that the decoded signal is shown as it is. The
    primaries of BT.601 count as BT.709's, as in most players."""
    return space.primaries in _LIKE_BT709_PRIMARIES and space.transfer in (*_LIKE_BT709, *_LIKE_SRGB)


def _signals_of_codes(space: ColourSpace, bits: int) -> Array:
    """Return (3, 4): code values and 1 -> Y 0..1, Cb and Cr -0.5..0.5 (H.273, equations 23 to 31)."""
    unit, half, most = 2.0 ** (bits - 8), 2.0 ** (bits - 1), 2.0**bits - 1
    luma, black, chroma = (1 / most, 0.0, 1 / most) if space.full_range else (1 / 219 / unit, 16.0, 1 / 224 / unit)
    if space.matrix == spaces.YCGCO and not space.full_range:
        chroma = luma  # equations 44 to 47 apply to R G B of 219 levels
    if space.matrix in (spaces.YCGCO_RE, spaces.YCGCO_RO):  # R G B have fewer bits than the code values
        luma = chroma = 1 / (2.0 ** (bits - (2 if space.matrix == spaces.YCGCO_RE else 1)) - 1)
        black = 0.0
    if space.matrix == spaces.RGB:
        return np.hstack([np.eye(3) * luma, np.full((3, 1), -black * unit * luma)])
    rows: Array = np.diag([luma, chroma, chroma])
    return np.hstack([rows, [[-black * unit * luma], [-half * chroma], [-half * chroma]]])


def _differences(space: ColourSpace, bits: int) -> NDArray[np.float32] | None:
    """Return the (65536, 1, 3) table from code values to Y', B' - Y' and R' - Y' for constant luminance, where it is
    not linear (H.273, equations 52 to 67); None for other matrices."""
    if space.matrix not in _CONSTANT_LUMINANCE:
        return None
    scale = _signals_of_codes(space, bits)
    table = np.arange(_LEVELS)[:, None] * np.diag(scale[:, :3]) + scale[:, 3]
    for channel, weight in enumerate(reversed(spaces.luma_weights(space.matrix, space.primaries)), 1):
        below = spaces.signal(space.transfer, 1 - weight)
        above = 1 - spaces.signal(space.transfer, weight)
        table[:, channel] *= np.where(table[:, channel] < 0, 2 * below, 2 * above)
    return table.astype(np.float32)[:, None]


def _combine(space: ColourSpace, scaled: Array) -> Array:
    """Return the matrix after ``scaled`` that gives R'G'B', L'M'S', or R'Y'B' for constant luminance."""
    matrix = space.matrix
    kr, kb = spaces.luma_weights(matrix, space.primaries)
    red, blue = 2 * (1 - kr), 2 * (1 - kb)
    rows = [[1, 0, red], [1, -blue * kb / (1 - kr - kb), -red * kr / (1 - kr - kb)], [1, blue, 0]]
    if matrix == spaces.RGB:
        rows = [[0, 0, 1], [1, 0, 0], [0, 1, 0]]
    elif matrix in (spaces.YCGCO, spaces.YCGCO_RE, spaces.YCGCO_RO):
        half = 1.0 if matrix == spaces.YCGCO else 0.5
        rows = [[1, -half, half], [1, half, 0], [1, -half, -half]]
    elif matrix == spaces.YDZDX:
        rows = [[0.991902, 0, 2], [1, 0, 0], [1 / 0.986566, 2 / 0.986566, 0]]
    elif matrix in _CONSTANT_LUMINANCE:
        rows = [[1, 0, 1], [1, 0, 0], [1, 1, 0]]
    elif matrix == spaces.ICTCP:
        return (spaces.LMS_OF_ICTCP_HLG if space.transfer == spaces.HLG else spaces.LMS_OF_ICTCP_PQ) @ scaled
    elif matrix == spaces.IPT_C2:
        return spaces.LMS_OF_IPT @ scaled
    return np.array(rows) @ scaled


def _light_of_signal(space: ColourSpace, peak_nits: float) -> Array:
    """Return the table from signal to linear light, 1 = white; PQ is tone-mapped here, HLG after its OOTF."""
    light = spaces.linear(space.transfer)(_SIGNAL)
    if space.transfer != spaces.PQ:
        return light
    peak_nits = min(max(peak_nits, SDR_WHITE_NITS), 10_000.0)
    return spaces.compress_highlights(light * 10_000, peak_nits, SDR_WHITE_NITS) / SDR_WHITE_NITS


def _rgb_of_light(space: ColourSpace) -> Array:
    if space.matrix == spaces.ICTCP:
        return spaces.RGB_OF_LMS
    if space.matrix == spaces.IPT_C2:
        return spaces.RGB_OF_LMS_C2
    if space.matrix in _CONSTANT_LUMINANCE:
        kr, kb = spaces.luma_weights(space.matrix, space.primaries)
        return np.array([[1.0, 0, 0], [-kr / (1 - kr - kb), 1 / (1 - kr - kb), -kb / (1 - kr - kb)], [0, 0, 1]])
    return np.eye(3)


def _bt709_of_rgb(space: ColourSpace) -> Array:
    primaries = space.primaries
    if space.matrix in _LMS or (space.is_hdr and not spaces.known_primaries(primaries)):
        primaries = spaces.BT2020
    return np.eye(3) if primaries in _LIKE_BT709_PRIMARIES else spaces.to_bt709(primaries)


def _encode(light: Array, transfer: int) -> Array:
    """Return the signal for linear light: by the curve of the input if it is one of SDR video, else sRGB's; BT.1886
    for tone-mapped light."""
    if transfer in (spaces.PQ, spaces.HLG):
        return np.asarray(light ** (1 / _SDR_GAMMA))
    return spaces.bt709_signal(light) if transfer in _LIKE_BT709 else spaces.srgb_signal(light)
