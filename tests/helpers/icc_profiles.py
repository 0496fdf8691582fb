"""Small ICC profiles (ICC.1:2001-04) and chunks of PNG, written byte by byte."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

ADOBE_RGB = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
"""X, Y, Z of the primaries, adapted to D50 (Adobe RGB (1998), annex)."""
_D50 = (0.9642, 1.0, 0.8249)


def _xyz(values: Sequence[float]) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(v * 65536)) for v in values)


def _gamma(gamma: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"


def _text(kind: bytes, text: bytes) -> bytes:
    if kind == b"text":
        return b"text\0\0\0\0" + text + b"\0"
    return b"desc\0\0\0\0" + struct.pack(">I", len(text) + 1) + text + b"\0" + bytes(78)


def _profile(space: bytes, connection: bytes, device: bytes, tags: dict[bytes, bytes]) -> bytes:
    tags = {b"desc": _text(b"desc", b"test"), b"cprt": _text(b"text", b"none"), b"wtpt": _xyz(_D50)} | tags
    at = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        table += name + struct.pack(">II", at + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    illuminant = _xyz(_D50)[8:]
    header = struct.pack(
        ">I4sI4s4s4s12x4s28x", at + len(body), b"lcms", 0x02100000, device, space, connection, b"acsp"
    )
    return header + illuminant + bytes(128 - len(header) - 12) + table + body


def rgb_profile(primaries: Sequence[Sequence[float]], gamma: float) -> bytes:
    curves = dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), _gamma(gamma))
    colours = {name: _xyz(xyz) for name, xyz in zip((b"rXYZ", b"gXYZ", b"bXYZ"), primaries, strict=True)}
    return _profile(b"RGB ", b"XYZ ", b"mntr", colours | curves)


def grey_profile(gamma: float) -> bytes:
    return _profile(b"GRAY", b"XYZ ", b"mntr", {b"kTRC": _gamma(gamma)})


def cmyk_profile(lab_of_inks: Sequence[tuple[int, int, int]]) -> bytes:
    """``lab_of_inks``: L* 0..100, a*, b* of the 16 corners, C slowest, K fastest."""
    identity = bytes(range(256))
    corners = b"".join(bytes((round(lab * 2.55), a + 128, b + 128)) for lab, a, b in lab_of_inks)
    unit = b"".join(struct.pack(">i", 65536 * (i % 4 == 0)) for i in range(9))
    table = b"mft1\0\0\0\0" + bytes((4, 3, 2, 0)) + unit + identity * 4 + corners + identity * 3
    return _profile(b"CMYK", b"Lab ", b"prtr", {b"A2B0": table})


def with_chunk(png: bytes, kind: bytes, data: bytes) -> bytes:
    """Put a chunk after the header."""
    chunk = struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return png[:33] + chunk + png[33:]
