"""Encode R'G'B' as ITU-T H.273 writes it, so that decoders can be checked: its equations, not rtswap's."""

from __future__ import annotations

import av
import numpy as np

KR_KB = {1: (0.2126, 0.0722), 4: (0.30, 0.11), 5: (0.299, 0.114), 6: (0.299, 0.114), 7: (0.212, 0.087)}
KR_KB |= {2: (0.299, 0.114), 9: (0.2627, 0.0593), 10: (0.2627, 0.0593), 12: (0.2126, 0.0722), 13: (0.2126, 0.0722)}
"""12 and 13: with BT.709's primaries, 2: of a small picture."""


def bt709(linear: np.ndarray) -> np.ndarray:
    return np.where(linear < 0.018, 4.5 * linear, 1.099 * np.maximum(linear, 1e-9) ** 0.45 - 0.099)


def bt709_linear(signal: np.ndarray) -> np.ndarray:
    return np.where(signal < 0.081, signal / 4.5, ((signal + 0.099) / 1.099) ** (1 / 0.45))


def pq(nits: np.ndarray) -> np.ndarray:
    power = (nits / 10_000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375


def hlg(scene: np.ndarray) -> np.ndarray:
    high = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), high)


def analogue(rgb: np.ndarray, matrix: int) -> np.ndarray:
    """(..., 3) R'G'B' 0..1 -> Y', C1, C2 before quantisation, for the matrices that are defined on R'G'B'."""
    r, g, b = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    if matrix == 0:
        return np.stack([g, b, r], -1)
    if matrix == 8:
        return np.stack([g / 2 + (r + b) / 4, g / 2 - (r + b) / 4, (r - b) / 2], -1)
    if matrix == 11:
        return np.stack([g, (0.986566 * b - g) / 2, (r - 0.991902 * g) / 2], -1)
    kr, kb = KR_KB[matrix]
    if matrix in (10, 13):
        r_, g_, b_ = (bt709_linear(c) for c in (r, g, b))
        y = bt709(kr * r_ + (1 - kr - kb) * g_ + kb * b_)
        scales = [(bt709(np.array(1 - k)), 1 - bt709(np.array(k))) for k in (kb, kr)]
        c1, c2 = (
            np.where(c < y, (c - y) / 2 / below, (c - y) / 2 / above)
            for c, (below, above) in zip((b, r), scales, strict=True)
        )
        return np.stack([y, c1, c2], -1)
    y = kr * r + (1 - kr - kb) * g + kb * b
    return np.stack([y, (b - y) / 2 / (1 - kb), (r - y) / 2 / (1 - kr)], -1)


def ictcp(rgb: np.ndarray, curve: str) -> np.ndarray:
    """(..., 3) linear BT.2020 (nits for pq, scene light 0..1 for hlg) -> I, CT, CP (BT.2100, table 7)."""
    lms = rgb @ (np.array([[1688, 2146, 262], [683, 2951, 462], [99, 309, 3688]]) / 4096).T
    rows = (
        [[6610, -13613, 7003], [17933, -17390, -543]] if curve == "pq" else [[3625, -7465, 3840], [9500, -9212, -288]]
    )
    matrix = np.array([[2048, 2048, 0], *rows]) / 4096
    return (pq(lms) if curve == "pq" else hlg(lms)) @ matrix.T


def quantise(ycc: np.ndarray, matrix: int, *, bits: int, full: bool) -> np.ndarray:
    """-> integer code values (H.273, equations 23 to 31)."""
    unit, half, most = 1 << (bits - 8), 1 << (bits - 1), (1 << bits) - 1
    luma = most * ycc if full else unit * (219 * ycc + 16)
    chroma = (most * ycc if full else unit * (219 if matrix == 8 else 224) * ycc) + half
    codes = luma if matrix == 0 else np.concatenate([luma[..., :1], chroma[..., 1:]], -1)
    return np.clip(np.round(codes), 0, most).astype(np.uint16)


def frame_of(
    codes: np.ndarray, layout: str, matrix: int, full: bool, *, primaries: int = 2, transfer: int = 2
) -> av.VideoFrame:
    """A frame of (H, W, 3) code values in a planar layout without subsampling."""
    frame = av.VideoFrame(codes.shape[1], codes.shape[0], layout)
    for channel, plane in enumerate(frame.planes):
        item = np.uint16 if layout.endswith("le") else np.uint8
        rows = np.zeros((plane.buffer_size // plane.line_size, plane.line_size // item().itemsize), item)
        rows[: codes.shape[0], : codes.shape[1]] = codes[..., channel]
        plane.update(rows.tobytes())
    frame.colorspace, frame.color_range = matrix, 2 if full else 1
    frame.color_primaries, frame.color_trc = primaries, transfer
    return frame
