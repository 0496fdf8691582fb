"""Colour spaces by their numbers in ITU-T H.273 (07/2024): primaries, transfer characteristics, YCbCr matrices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Primaries = tuple[tuple[float, float], ...]
"""x, y of red, green, blue and white."""
Curve = Callable[[Any], Array]

BT709, UNSPECIFIED, RGB, BT601, YCGCO, BT2020, BT2020_CL, YDZDX = 1, 2, 0, 6, 8, 9, 10, 11
DERIVED, DERIVED_CL, ICTCP, IPT_C2, YCGCO_RE, YCGCO_RO = 12, 13, 14, 15, 16, 17
"""MatrixCoefficients (H.273, table 4). BT.709 and BT.2020 have the same number among the primaries."""
LINEAR, PQ, HLG = 8, 16, 18
"""TransferCharacteristics (H.273, table 3)."""

_XYZ = 10
_D65, _C, _E, _DCI = (0.3127, 0.3290), (0.310, 0.316), (1 / 3, 1 / 3), (0.314, 0.351)
_NTSC = ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), _D65)
_PRIMARIES: dict[int, Primaries] = {
    1: ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060), _D65),
    4: ((0.67, 0.33), (0.21, 0.71), (0.14, 0.08), _C),
    5: ((0.64, 0.33), (0.29, 0.60), (0.15, 0.06), _D65),
    6: _NTSC,
    7: _NTSC,
    8: ((0.681, 0.319), (0.243, 0.692), (0.145, 0.049), _C),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), _D65),
    10: ((1.0, 0.0), (0.0, 1.0), (0.0, 0.0), _E),
    11: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _DCI),
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _D65),
    22: ((0.630, 0.340), (0.295, 0.605), (0.155, 0.077), _D65),
}
"""ColourPrimaries (H.273, table 2)."""
ADOBE_RGB = ((0.640, 0.330), (0.210, 0.710), (0.150, 0.060), _D65)
"""Adobe RGB (1998), 4.3.1.1 and 4.3.1.2."""
ADOBE_GAMMA = 563 / 256

_LUMA = {1: (0.2126, 0.0722), 4: (0.30, 0.11), 5: (0.299, 0.114), 6: (0.299, 0.114), 7: (0.212, 0.087)}
_LUMA |= {9: (0.2627, 0.0593), 10: (0.2627, 0.0593)}
"""Matrix -> (KR, KB)."""
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])

LMS_OF_ICTCP_PQ = np.linalg.inv(np.array([[2048, 2048, 0], [6610, -13613, 7003], [17933, -17390, -543]]) / 4096)
LMS_OF_ICTCP_HLG = np.linalg.inv(np.array([[2048, 2048, 0], [3625, -7465, 3840], [9500, -9212, -288]]) / 4096)
RGB_OF_LMS: Array = np.asarray(
    np.linalg.inv(np.array([[1688, 2146, 262], [683, 2951, 462], [99, 309, 3688]]) / 4096), np.float64
)
"""BT.2100, table 7: I CT CP -> L'M'S', and linear L M S -> linear R G B of BT.2020."""
LMS_OF_IPT = np.array([[8192, 799, 1681], [8192, -933, 1091], [8192, 267, -5545]]) / 8192
RGB_OF_LMS_C2 = np.array([[3.06441879, -2.16597676, 0.10155818], [-0.65612108, 1.78554118, -0.12943749]])
RGB_OF_LMS_C2 = np.vstack([RGB_OF_LMS_C2, [[0.01736321, -0.04725154, 1.03004253]]])
"""SMPTE ST 2128 (IPT-PQ-C2): I P T -> L'M'S', and with a crosstalk of 2 % linear L M S -> R G B of BT.2020."""


@dataclass(frozen=True, slots=True)
class ColourSpace:
    """What a stream says of its colours, by the numbers of H.273; 2 = unspecified."""

    matrix: int
    full_range: bool
    primaries: int
    transfer: int

    @property
    def is_hdr(self) -> bool:
        return self.transfer in (PQ, HLG)


def known_primaries(number: int) -> bool:
    """Whether H.273 defines these primaries."""
    return number in _PRIMARIES


def known_transfer(number: int) -> bool:
    """Whether H.273 defines these transfer characteristics."""
    return 1 <= number <= HLG and number not in (UNSPECIFIED, 3)


def xyz_of_rgb(primaries: Primaries) -> Array:
    """Return the (3, 3) matrix from linear R G B to X Y Z adapted to D65 (Bradford). SMPTE RP 177."""
    white, d65 = _xyz(*primaries[3]), _xyz(*_D65)
    cones = (_BRADFORD @ d65) / (_BRADFORD @ white)
    return np.asarray(np.linalg.inv(_BRADFORD) @ np.diag(cones) @ _BRADFORD @ _own_xyz_of_rgb(primaries))


def _own_xyz_of_rgb(primaries: Primaries) -> Array:
    """As ``xyz_of_rgb``, without adapting the white point."""
    columns = np.array([[x, y, 1 - x - y] for x, y in primaries[:3]]).T
    return np.asarray(columns * np.linalg.solve(columns, _xyz(*primaries[3])))


def _xyz(x: float, y: float) -> Array:
    return np.array([x / y, 1, (1 - x - y) / y])


def to_bt709(primaries: int | Primaries) -> Array:
    """Return the (3, 3) matrix from linear R G B with these primaries, by number or x, y, to those of BT.709."""
    if primaries == _XYZ:  # not an RGB space: its white point is not that of the picture
        return np.asarray(np.linalg.inv(xyz_of_rgb(_PRIMARIES[BT709])))
    found = _PRIMARIES[primaries] if isinstance(primaries, int) else primaries
    return np.asarray(np.linalg.inv(xyz_of_rgb(_PRIMARIES[BT709])) @ xyz_of_rgb(found))


def luma_weights(matrix: int, primaries: int) -> tuple[float, float]:
    """Return (KR, KB). Those of the matrices 12 and 13 follow from the primaries (H.273, equations 32 to 37)."""
    if matrix in _LUMA:
        return _LUMA[matrix]
    share = _own_xyz_of_rgb(_PRIMARIES.get(primaries, _PRIMARIES[BT709]))[1]
    return float(share[0]), float(share[2])


def _positive(values: Any) -> Array:
    return np.maximum(np.asarray(values, np.float64), 0)


def pq_to_nits(signal: Any) -> Array:
    """SMPTE ST 2084: 0..1 -> 0..10,000 candela per square metre."""
    power = np.minimum(_positive(signal), 1) ** (32 / 2523)
    return np.asarray(
        10_000 * (np.maximum(power - 3424 / 4096, 0) / (2413 / 128 - 2392 / 128 * power)) ** (8192 / 1305)
    )


def nits_to_pq(nits: Any) -> Array:
    """The inverse of ``pq_to_nits``."""
    power = (_positive(nits) / 10_000) ** (1305 / 8192)
    return np.asarray(((3424 / 4096 + 2413 / 128 * power) / (1 + 2392 / 128 * power)) ** (2523 / 32))


def bt709_signal(linear: Any) -> Array:
    """The curve of BT.709, 601 and 2020: linear 0..1 -> signal 0..1."""
    x = _positive(linear)
    return np.where(x < 0.018053968510807, 4.5 * x, 1.09929682680944 * x**0.45 - 0.09929682680944)


def _bt709_linear(signal: Any) -> Array:
    x = _positive(signal)
    return np.where(x < 0.081242858298635, x / 4.5, ((x + 0.09929682680944) / 1.09929682680944) ** (1 / 0.45))


def _smpte240_linear(signal: Any) -> Array:
    x = _positive(signal)
    return np.where(x < 4 * 0.0228, x / 4, ((x + 0.1115) / 1.1115) ** (1 / 0.45))


def srgb_linear(signal: Any) -> Array:
    """IEC 61966-2-1: signal 0..1 -> linear 0..1."""
    x = _positive(signal)
    return np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)


def srgb_signal(light: Any) -> Array:
    """The inverse of ``srgb_linear``."""
    x = _positive(light)
    return np.where(x <= 0.0031308, 12.92 * x, 1.055 * x ** (1 / 2.4) - 0.055)


def _hlg_linear(signal: Any) -> Array:
    """BT.2100: to scene light, 0..1."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    x = np.minimum(_positive(signal), 1)
    return np.where(x <= 0.5, x**2 / 3, (np.exp((x - c) / a) + b) / 12)


def _power(exponent: float, white: float = 1.0) -> Curve:
    return lambda signal: np.asarray(white * _positive(signal) ** exponent)


def _log(decades: float) -> Curve:
    def light(signal: Any) -> Array:
        x = np.minimum(_positive(signal), 1)
        return np.where(x <= 0, 0.0, 10.0 ** (decades * (x - 1)))

    return light


_LINEAR: dict[int, Curve] = {
    4: _power(2.2),
    5: _power(2.8),
    7: _smpte240_linear,
    LINEAR: _power(1.0),
    9: _log(2.0),
    10: _log(2.5),
    13: srgb_linear,
    PQ: lambda signal: pq_to_nits(signal) / 10_000,
    17: _power(2.6, 52.37 / 48),
    HLG: _hlg_linear,
}


def linear(transfer: int) -> Curve:
    """Return the curve from signal to linear light, both 0..1 (PQ: 1 = 10,000 nits). BT.709's, as for 1, 6, 14 and
    15, for numbers that have none."""
    return _LINEAR.get(transfer, _bt709_linear)


def signal(transfer: int, light: float) -> float:
    """Return the signal of one linear value by inverting ``linear``."""
    grid = np.linspace(0, 1, 100_001)
    return float(np.interp(light, linear(transfer)(grid), grid))


def compress_highlights(nits: Any, peak: float, white: float) -> Array:
    """Tone-map for a display whose white has ``white`` nits: the EETF of BT.2390-11, 5.4.1, without black lift.
    Unchanged up to the knee, then a Hermite spline that takes ``peak`` to ``white``."""
    top, most = float(nits_to_pq(peak)), float(nits_to_pq(white) / nits_to_pq(peak))
    level = np.clip(nits_to_pq(nits) / top, 0, 1)
    knee = max(1.5 * most - 0.5, 0.0)
    if most >= 1:
        return np.asarray(np.clip(nits, 0, white))
    t = np.clip((level - knee) / (1 - knee), 0, 1)
    spline = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (3 * t**2 - 2 * t**3) * most
    return np.asarray(pq_to_nits(np.where(level < knee, level, spline) * top))
