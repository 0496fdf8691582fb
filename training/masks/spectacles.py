"""Glasses: acetate, wire, half rims, rimless and translucent frames, lenses that are clear, dark or mirror a window.

Drawn four times as large and averaged down, so that a wire may be half a pixel wide.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from training.arrays import Bytes, Floats
from training.masks.layers import Layer, curve, fixed, shade_with

FINER = 4
"""Side of the drawing, in crop sides."""
KINDS = {"acetate": 0.22, "wire": 0.3, "browline": 0.08, "half rim": 0.12, "rimless": 0.12, "translucent": 0.16}
WIDTHS = {
    "acetate": (1.2, 4.0),
    "wire": (0.5, 1.3),
    "browline": (1.2, 3.5),
    "half rim": (0.7, 2.2),
    "rimless": (0.5, 1.0),
    "translucent": (1.5, 4.0),
}
"""Pixels of a crop of ``CROP`` pixels."""
CROP = 128
METALS = np.array([[60, 150, 190], [90, 130, 160], [190, 195, 200], [110, 110, 115], [35, 35, 40]])
"""Gold, copper, silver, steel, black (BGR)."""
DARK_LENSES, MIRRORED = 0.25, 0.35
"""How often lenses are dark, and how often one or both mirror something."""
FAINT = 60
"""Of 255: a fainter edge of a rimless lens is not asked for."""
HIDES = 0.5
"""Opacity from which what a lens mirrors counts as before the face."""


@dataclass(frozen=True)
class Spectacles:
    frame: Layer
    lenses: Layer
    opaque: Bytes
    """(S, S) where a lens hides the face: as opaque as it is there, 0 elsewhere."""
    hides: Bytes
    """(S, S) 255 where the frame lies, however faint; otherwise ``opaque``."""


def spectacles(size: int, points: Floats, rng: np.random.Generator, kind: str = "") -> Spectacles:
    """``points`` (468, 2 or 3) pixels of a crop of ``size``. ``kind``: of ``KINDS``; empty: any of them."""
    kind = kind or str(rng.choice(list(KINDS), p=list(KINDS.values())))
    width = rng.uniform(*WIDTHS[kind]) * size / CROP
    rims = _rims(points, rng)
    frame = _frame(size, points, rims, kind, width, rng)
    lens = _draw(size, [cv2.convexHull(fixed(FINER * rim)) for rim in rims], None)
    opacity = rng.uniform(0.25, 0.6) if kind == "translucent" else rng.uniform(0.75, 1.0)
    picture = _material(size, kind, rng)
    hides = np.asarray(cv2.threshold(frame, FAINT, 255, cv2.THRESH_BINARY)[1], np.uint8)
    lenses = _lenses(size, lens, rng)
    opaque = np.where(lenses.alpha > 255 * HIDES, lenses.alpha, 0).astype(np.uint8)
    layer = Layer(picture, np.asarray(cv2.convertScaleAbs(frame, alpha=opacity), np.uint8))
    return Spectacles(layer, lenses, opaque, np.maximum(hides, opaque))


def _rims(points: Floats, rng: np.random.Generator) -> list[Floats]:
    """(24, 2) outline of either lens: round to rectangular, with a slant and a drop like an aviator's."""
    left, right = points[[33, 133], :2], points[[263, 362], :2]
    across = right.mean(0) - left.mean(0)
    apart = max(float(np.linalg.norm(across)), 6.0)
    x, y = across / apart, np.array([-across[1], across[0]]) / apart
    wide, tall = apart * rng.uniform(0.31, 0.46), apart * rng.uniform(0.18, 0.4)
    power, drop, slant = rng.uniform(0.35, 1.0), rng.uniform(-0.15, 0.35), rng.uniform(-0.15, 0.15)
    down = apart * rng.uniform(-0.02, 0.14) * y + apart * rng.normal(0, 0.015, 2)
    turn = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    u, v = (np.sign(f(turn)) * np.abs(f(turn)) ** power for f in (np.cos, np.sin))
    u, v = u * (1 + drop * np.minimum(v, 0) * 0.4), v - slant * u
    outwards = rng.uniform(-0.02, 0.08) * apart
    rims = []
    for side, eye in ((-1, left.mean(0)), (1, right.mean(0))):
        middle = eye + side * outwards * x + down
        rims.append(middle + side * wide * u[:, None] * x + tall * v[:, None] * y)
    return rims


def _frame(size: int, points: Floats, rims: list[Floats], kind: str, width: float, rng: np.random.Generator) -> Bytes:
    """(S, S) 0..255: rims as the kind has them, bridge, temples, and now and then pads."""
    inner = [rims[0][_nearest(rims[0], rims[1].mean(0))], rims[1][_nearest(rims[1], rims[0].mean(0))]]
    outer = [rims[0][_nearest(rims[0], points[234, :2])], rims[1][_nearest(rims[1], points[454, :2])]]
    rise = 0.25 * (rims[0].mean(0) - points[1, :2]) * rng.uniform(0, 0.5)
    strokes = [curve(inner[0], (inner[0] + inner[1]) / 2 + rise, inner[1], 8)]
    if rng.random() < 0.15:
        strokes.append(np.stack([rims[0][18], rims[1][18]]))  # the second bar of an aviator's bridge
    for end, ear in zip(outer, (234, 454), strict=True):
        strokes.append(np.stack([end, points[ear, :2] + rng.normal(0, 0.05, 2) * np.ptp(rims[0][:, 0])]))
    alpha = _draw(size, [fixed(FINER * one) for one in strokes], width)
    closed = [fixed(FINER * np.concatenate([rim, rim[:1]])) for rim in rims]
    if kind == "rimless":
        edge = _draw(size, closed, 0.5 * size / CROP)
        return np.maximum(alpha, cv2.convertScaleAbs(edge, alpha=rng.uniform(0.1, 0.5)))
    if kind in ("half rim", "browline"):
        upper = [fixed(FINER * np.roll(rim, -12, 0)[:13]) for rim in rims]
        strength = rng.uniform(0.6, 1.0) if kind == "browline" else rng.uniform(0.0, 0.4)
        edge = _draw(size, closed, rng.uniform(0.5, 0.9) * size / CROP)
        alpha = np.maximum(alpha, cv2.convertScaleAbs(edge, alpha=strength))
        return np.maximum(alpha, _draw(size, upper, width))
    return np.maximum(alpha, _draw(size, closed, width))


def _material(size: int, kind: str, rng: np.random.Generator) -> Bytes:
    """(S, S, 3): metal gleams here and there, acetate is mostly dark, what is translucent is pale."""
    shade = np.full((size, size), 200, np.uint8)
    if kind == "translucent":
        tone = rng.uniform(150, 250) * rng.uniform(0.8, 1.0, 3)
    elif kind == "acetate":
        tone = rng.uniform(0, 70, 3) if rng.random() < 0.7 else rng.uniform(40, 230, 3)
    else:
        tone = METALS[rng.integers(len(METALS))] * rng.uniform(0.6, 1.2)
    if kind != "acetate" or rng.random() < 0.3:
        gleam = rng.uniform(90, 255, (6, 12)).astype(np.uint8)
        shade = np.asarray(cv2.resize(gleam, (size, size), interpolation=cv2.INTER_CUBIC), np.uint8)
    return shade_with(shade, tone, None, rng)


def _lenses(size: int, lens: Bytes, rng: np.random.Generator) -> Layer:
    """What lies on the lenses (S, S): nothing, a dark tint, or what they mirror."""
    full = np.full((size, size), 200, np.uint8)
    if rng.random() < DARK_LENSES:
        dark = rng.uniform(5, 60, 3) if rng.random() < 0.8 else rng.uniform(60, 250, 3)
        return Layer(shade_with(full, dark, None, rng), cv2.convertScaleAbs(lens, alpha=rng.uniform(0.75, 1.0)))
    mirrored = np.zeros_like(lens)
    if rng.random() < MIRRORED:
        ys, xs = np.nonzero(lens)
        for _ in range(int(rng.integers(1, 4))):
            at = rng.integers(len(xs)) if len(xs) else 0
            middle = np.array([xs[at], ys[at]]) if len(xs) else np.zeros(2)
            reach = size * rng.uniform(0.02, 0.12, 2)
            corners = middle + np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * reach + rng.normal(0, 2, (4, 2))
            cv2.fillConvexPoly(mirrored, fixed(corners), int(rng.integers(40, 255)), cv2.LINE_AA, 4)
        mirrored = cv2.min(np.asarray(cv2.GaussianBlur(mirrored, (0, 0), float(rng.uniform(0.5, 2.5)))), lens)
    sky = rng.uniform(150, 255) * np.array([1.0, rng.uniform(0.75, 1.0), rng.uniform(0.6, 1.0)])
    return Layer(shade_with(full, sky, None, rng), np.asarray(mirrored, np.uint8))


def _nearest(rim: Floats, place: Floats) -> int:
    return int(np.linalg.norm(rim - place[:2], axis=1).argmin())


def _draw(size: int, strokes: list[Bytes], width: float | None) -> Bytes:
    """(S, S) the strokes (N, 2), fixed points of the finer drawing, ``width`` pixels wide; None: filled."""
    fine = np.zeros((FINER * size, FINER * size), np.uint8)
    if width is None:
        for one in strokes:
            cv2.fillPoly(fine, [one], 255, cv2.LINE_8, 4)
    else:
        cv2.polylines(fine, strokes, False, 255, max(1, round(FINER * width)), cv2.LINE_8, 4)
    return np.asarray(cv2.resize(fine, (size, size), interpolation=cv2.INTER_AREA), np.uint8)
