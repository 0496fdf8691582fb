"""A thing before a face is a layer: a picture and how opaque it is. How layers are shaded, smeared and laid on; hair;
and what lies on a face without hiding it: make-up, beards, cast shadows, an open mouth's tongue."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.vision.resample import lay_over, warped
from rtswap.vision.topology import LEFT_BROW, LEFT_EYE, LIPS_INNER, LIPS_OUTER, RIGHT_BROW, RIGHT_EYE
from training.arrays import Bytes, Floats
from training.camera import motion


@dataclass(frozen=True)
class Layer:
    picture: Bytes
    """(S, S, 3) BGR"""
    alpha: Bytes
    """(S, S) 255 = opaque"""


def fixed(points: Floats) -> NDArray[np.int32]:
    """Sub-pixel points for OpenCV's drawing with 4 fractional bits."""
    return (np.asarray(points) * 16).astype(np.int32)


def line(mask: Bytes, start: Floats, end: Floats, value: int, width: float) -> None:
    a, b = (int(start[0] * 16), int(start[1] * 16)), (int(end[0] * 16), int(end[1] * 16))
    cv2.line(mask, a, b, value, max(1, round(width)), cv2.LINE_AA, 4)


def curve(start: Floats, middle: Floats, end: Floats, count: int) -> Floats:
    """(count, 2) a quadratic Bezier curve."""
    share = np.linspace(0, 1, count)[:, None]
    return (1 - share) ** 2 * start + 2 * share * (1 - share) * middle + share**2 * end


def unit(angle: float) -> NDArray[np.float64]:
    return np.array([np.cos(angle), np.sin(angle)])


def shade_with(shade: Bytes, colour: Floats, scrap: Bytes | None, rng: np.random.Generator) -> Bytes:
    """(S, S, 3) one colour times ``shade`` (S, S) / 200, a slope of light over it, and some of a scrap's texture."""
    size = len(shade)
    slope = (rng.uniform(0.7, 1.3, (2, 2)) * 200).astype(np.uint8)
    light = cv2.multiply(shade, cv2.resize(slope, (size, size), interpolation=cv2.INTER_LINEAR), scale=1 / 255)
    if scrap is not None:
        grey = cv2.cvtColor(scrap, cv2.COLOR_BGR2GRAY)
        share = float(rng.uniform(0.05, 0.35))
        gain = cv2.convertScaleAbs(grey, alpha=share * 200 / max(cv2.mean(grey)[0], 1.0), beta=(1 - share) * 200)
        light = cv2.multiply(light, gain, scale=1 / 200)
    tint = np.asarray(colour) * rng.uniform(0.75, 1.25) * rng.normal(1, 0.04, 3) / 157
    return np.asarray(cv2.merge([cv2.convertScaleAbs(light, alpha=float(max(part, 0.0))) for part in tint]), np.uint8)


def lay(crop: Bytes, hidden: Bytes, layer: Layer, rng: np.random.Generator) -> None:
    """Put ``layer`` over ``crop``, at times smeared by its motion, and its shadow under it; note where in ``hidden``.

    Both are changed in place.
    """
    picture, alpha = layer.picture, layer.alpha
    if rng.random() < 0.25:
        kernel = motion(int(rng.integers(2, 8)) * 2 + 1, rng)
        alpha = np.asarray(cv2.filter2D(alpha, -1, kernel), np.uint8)
        picture = np.asarray(cv2.filter2D(picture, -1, kernel), np.uint8)
    else:
        alpha = np.asarray(cv2.GaussianBlur(alpha, (0, 0), float(rng.uniform(0.3, 1.3))), np.uint8)
    if rng.random() < 0.5:
        _shadow(crop, alpha, rng)
    lay_over(crop, picture, alpha)
    np.maximum(hidden, alpha, out=hidden)


def _shadow(crop: Bytes, alpha: Bytes, rng: np.random.Generator) -> None:
    shift = np.array([[1, 0, rng.normal(0, 7)], [0, 1, rng.normal(3, 6)]])
    cast = warped(alpha, shift, alpha.shape[::-1], zero=True)
    cast = cv2.GaussianBlur(cast, (0, 0), float(rng.uniform(0.8, 6)))
    depth = float(rng.uniform(0.15, 0.6))
    light = cv2.LUT(np.asarray(cast, np.uint8), (255 - depth * np.arange(256)).astype(np.uint8))
    cv2.multiply(crop, cv2.merge([light] * 3), dst=crop, scale=1 / 255)


HAIR = np.array(
    [[12, 12, 14], [25, 35, 50], [35, 55, 85], [60, 95, 140], [120, 165, 205], [150, 150, 155], [30, 50, 130]]
)
"""Black, browns, blonds, grey, red (BGR)."""


def hair_colour(own: Floats, rng: np.random.Generator) -> Floats:
    """The person's own, or somebody's, or dyed."""
    kind = rng.random()
    if kind < 0.5:
        return own
    return HAIR[rng.integers(len(HAIR))] if kind < 0.92 else rng.uniform(20, 230, 3)


def strands(size: int, points: Floats, colour: Floats, rng: np.random.Generator) -> Layer:
    """One or more locks from the hairline down over forehead, eyes or cheeks."""
    alpha, shade = np.zeros((size, size), np.uint8), np.full((size, size), 150, np.uint8)
    roots = points[[10, 338, 297, 332, 284, 251, 389, 356, 454, 109, 67, 103, 54, 21, 162, 127, 234], :2]
    face = float(np.linalg.norm(points[10, :2] - points[152, :2]))
    for _ in range(int(rng.integers(1, 5))):
        root = roots[rng.integers(len(roots))] + rng.normal(0, 0.06, 2) * face - np.array([0, 0.05 * face])
        sway = np.array([rng.normal(0, 0.25), rng.uniform(0.15, 0.9)]) * face
        bend = root + 0.5 * sway + rng.normal(0, 0.1, 2) * face
        width = rng.uniform(0.002, 0.07) * face
        for _ in range(int(rng.integers(1, 6) + width)):
            start, end = root + rng.normal(0, width, 2), root + sway + rng.normal(0, width * rng.uniform(0.2, 1.5), 2)
            lock = fixed(curve(start, bend + rng.normal(0, width, 2), end, 8))
            thick = 1 if rng.random() < 0.7 else 2
            cv2.polylines(alpha, [lock], False, int(rng.integers(150, 256)), thick, cv2.LINE_AA, 4)
            cv2.polylines(shade, [lock], False, int(rng.integers(100, 256)), 1, cv2.LINE_AA, 4)
    return Layer(shade_with(shade, colour, None, rng), alpha)


def fringe(size: int, points: Floats, colour: Floats, rng: np.random.Generator) -> Layer:
    """A fringe from above the forehead down to the brows or the eyes, straight or to one side, ragged below."""
    alpha, shade = np.zeros((size, size), np.uint8), np.full((size, size), 170, np.uint8)
    left, right = points[int(rng.choice([127, 21, 103])), :2], points[int(rng.choice([356, 251, 332])), :2]
    top, brows, eyes = points[10, :2], points[9, :2], points[168, :2]
    down = brows - top
    level = rng.uniform(0.3, 1.15) * np.linalg.norm(eyes - top)
    tilt = rng.normal(0, 0.35) if rng.random() < 0.6 else 0.0
    along = right - left
    down_unit = down / max(float(np.linalg.norm(down)), 1e-3)
    for share in np.linspace(-0.15, 1.15, int(rng.integers(20, 45))):
        if rng.random() < 0.04:
            continue
        start = left + along * share - down_unit * 0.35 * np.linalg.norm(along)
        start = start + (top - (left + right) / 2) * (1 - (2 * share - 1) ** 2)
        long = level * (1 + tilt * (2 * share - 1)) * rng.uniform(0.85, 1.1) + 0.35 * np.linalg.norm(along)
        end = start + down_unit * long + along * rng.normal(0, 0.03)
        line(alpha, start, end, int(rng.integers(190, 256)), rng.uniform(3, 8))
        line(shade, start, end, int(rng.integers(110, 240)), 1)
    return Layer(shade_with(shade, colour, None, rng), alpha)


def glare(crop: Bytes, points: Floats, rng: np.random.Generator) -> None:
    """A bright, half transparent streak over an eye, as on a lens. It hides nothing. In place."""
    eye = points[int(rng.choice([159, 386])), :2]
    layer = np.zeros(crop.shape[:2], np.uint8)
    reach = fixed(np.array(rng.uniform(2, 10, 2))).tolist()
    cv2.ellipse(
        layer,
        fixed(eye + rng.normal(0, 4, 2)).tolist(),
        reach,
        float(rng.uniform(0, 180)),
        0,
        360,
        int(rng.integers(60, 200)),
        -1,
        cv2.LINE_AA,
        4,
    )
    cv2.add(crop, cv2.merge([cv2.GaussianBlur(layer, (0, 0), 1.0)] * 3), dst=crop)


def sheen(crop: Bytes, points: Floats, rng: np.random.Generator) -> None:
    """White or coloured light that forehead, nose and cheeks mirror, most of all dark ones. In place."""
    mask, tall = np.zeros(crop.shape[:2], np.uint8), float(np.ptp(points[:, 1]))
    for row in rng.choice(_SHINY, int(rng.integers(1, 4))):
        reach = fixed(tall * rng.uniform(0.04, 0.2, 2)).tolist()
        cv2.ellipse(
            mask, fixed(points[row, :2]).tolist(), reach, rng.uniform(0, 180), 0, 360, 255, -1, cv2.LINE_AA, 4
        )
    colour = rng.uniform(140, 255) * np.exp(rng.normal(0, 0.08, 3))
    _tint(crop, mask, colour, float(rng.uniform(0.15, 0.75)), tall * float(rng.uniform(0.02, 0.1)))


_SHINY = (10, 151, 9, 67, 297, 5, 50, 280)
_BEARD = [234, 93, 132, 58, 172, 136, 150, 149, 152, 378, 379, 365, 397, 288, 361, 323, 454, 425, 2, 205]


def decorate(crop: Bytes, points: Floats, bank: Floats, rng: np.random.Generator) -> None:
    """Now and then one or several of them, in place."""
    for share, paint in (
        (0.12, make_up), (0.08, partial(beard, bank=bank)), (0.15, pale_rings), (0.15, patches),
        (0.1, freckles), (0.15, creases), (0.2, sheen), (0.2, cast_shadow), (0.5, tongue),
    ):  # fmt: skip
        if rng.random() < share:
            paint(crop, points, rng=rng)


def _tint(crop: Bytes, mask: Bytes, colour: Floats, share: float, sigma: float) -> None:
    layer = np.empty_like(crop)
    layer[:] = np.clip(colour, 0, 255)
    soft = cv2.convertScaleAbs(cv2.GaussianBlur(mask, (0, 0), sigma), alpha=share)
    lay_over(crop, layer, np.asarray(soft, np.uint8))


def make_up(crop: Bytes, points: Floats, rng: np.random.Generator) -> None:
    """Lips, lids, brows or cheeks in some colour."""
    mask = np.zeros(crop.shape[:2], np.uint8)
    rings = [
        [LIPS_OUTER],
        [LEFT_EYE, RIGHT_EYE],
        [LEFT_BROW, RIGHT_BROW],
        [[50, 101, 205, 187], [280, 330, 425, 411]],
    ]
    for ring in rings[int(rng.integers(len(rings)))]:
        cv2.fillPoly(mask, [fixed(points[ring, :2])], 255, cv2.LINE_AA, 4)
        if rng.random() < 0.4:
            cv2.polylines(mask, [fixed(points[ring, :2])], True, 255, int(rng.integers(1, 5)), cv2.LINE_AA, 4)
    colour = rng.uniform(0, 255, 3) * np.array([0.8, 0.5, 1.0])
    _tint(crop, mask, colour, float(rng.uniform(0.2, 0.85)), float(rng.uniform(0.6, 2)))


def pale_rings(crop: Bytes, points: Floats, rng: np.random.Generator) -> None:
    """Paler or darker skin around the eyes, as vitiligo, a tan or tiredness makes it: no glasses. In place."""
    mask = np.zeros(crop.shape[:2], np.uint8)
    growth, drop = rng.uniform([1.4, 1.8], [2.1, 4.5]), rng.uniform(-0.05, 0.15)
    for ring in (LEFT_EYE, RIGHT_EYE):
        eye = points[ring, :2]
        middle = eye.mean(0)
        wide = middle + growth * (eye - middle) + rng.normal(0, 0.6, eye.shape)
        wide[:, 1] += drop * np.ptp(eye[:, 0])
        cv2.fillPoly(mask, [cv2.convexHull(fixed(wide))], 255, cv2.LINE_AA, 4)
    if rng.random() < 0.5:  # and over the nose
        ends = points[[133, 362], :2].astype(int)
        cv2.line(mask, ends[0].tolist(), ends[1].tolist(), 255, int(rng.integers(2, 8)))
    share = cv2.GaussianBlur(mask, (0, 0), float(rng.uniform(0.6, 4)))[..., None].astype(np.float32) / 255
    gain = rng.uniform(1.1, 1.7) if rng.random() < 0.7 else rng.uniform(0.6, 0.9)
    paler = crop.astype(np.float32) * (1 + share * (gain * rng.uniform([1.0, 0.97, 0.92], [1.15, 1.05, 1.0]) - 1))
    crop[:] = np.clip(paler, 0, 255).astype(np.uint8)


def patches(crop: Bytes, points: Floats, rng: np.random.Generator) -> None:
    """Patches without pigment (vitiligo) or with more of it, ragged, mostly alike on both halves and around the eyes
    or the mouth: no glasses. In place."""
    size = crop.shape[0]
    coarse = rng.normal(0, 1, (2, int(rng.integers(4, 14)), int(rng.integers(4, 14)))).astype(np.float32)
    field, ragged = (cv2.resize(one, (size, size), interpolation=cv2.INTER_CUBIC) for one in coarse)
    middle = points[[168, 4, 152], :2].mean(0)
    if rng.random() < 0.8:  # the halves are alike
        there = np.array([[-1.0, 0, 2 * middle[0]], [0, 1, 0]])
        field = (field + warped(field, there, (size, size))) / 1.4
    field = field + rng.uniform(0, 0.5) * ragged
    across = float(np.linalg.norm(points[33, :2] - points[263, :2]))
    near = np.zeros((size, size), np.uint8)
    for rings in [(LEFT_EYE, RIGHT_EYE), (LIPS_OUTER,)] if rng.random() < 0.3 else [(LEFT_EYE, RIGHT_EYE)]:
        for ring in rings:
            cv2.fillPoly(near, [fixed(points[ring, :2])], 255, cv2.LINE_AA, 4)
    wide = max(3, int(across * rng.uniform(0.1, 0.5))) | 1
    near = cv2.dilate(near, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (wide, wide)))
    prior = cv2.GaussianBlur(near, (0, 0), 0.3 * wide).astype(np.float32) / 255
    mask = ((field + rng.uniform(1.0, 4.0) * prior > rng.uniform(0.9, 2.0)) * 255).astype(np.uint8)
    share = cv2.GaussianBlur(mask, (0, 0), float(rng.uniform(0.4, 2.0)))[..., None].astype(np.float32) / 255
    gain = rng.uniform(1.1, 1.7) if rng.random() < 0.75 else rng.uniform(0.5, 0.9)
    tint = rng.uniform([1.0, 0.95, 0.9], [1.3, 1.1, 1.0]) if gain > 1 else rng.uniform(0.9, 1.0, 3)
    palest = np.maximum(rng.uniform(0.75, 1.0) * np.array([205, 210, 240]), crop)
    other = np.minimum(crop.astype(np.float32) * gain * tint, palest)
    crop[:] = np.clip(crop + share * (other - crop), 0, 255).astype(np.uint8)


def freckles(crop: Bytes, points: Floats, rng: np.random.Generator) -> None:
    """Freckles and moles. In place."""
    mask = np.zeros(crop.shape[:2], np.uint8)
    for _ in range(int(rng.integers(5, 200))):
        at = points[rng.integers(468), :2] + rng.normal(0, 4, 2)
        cv2.circle(mask, fixed(at).tolist(), int(rng.uniform(5, 18)), int(rng.integers(60, 256)), -1, cv2.LINE_AA, 4)
    _tint(crop, mask, np.array([30, 50, 90]) * rng.uniform(0.5, 1.6), float(rng.uniform(0.2, 0.7)), 0.5)


def creases(crop: Bytes, points: Floats, rng: np.random.Generator) -> None:
    """Bags under the eyes, crow's feet and the crease of a lid: faint lines, darker or lighter, that end on the skin.
    In place."""
    mask = np.zeros(crop.shape[:2], np.uint8)
    across = float(np.linalg.norm(points[33, :2] - points[263, :2]))
    for ring, inner, outer in ((LEFT_EYE, 133, 33), (RIGHT_EYE, 362, 263)):
        eye = points[ring, :2]
        down = points[[145, 374], :2].mean(0) - points[[159, 386], :2].mean(0)
        down /= max(float(np.linalg.norm(down)), 1e-3)
        for _ in range(int(rng.integers(1, 5))):
            side = down if rng.random() < 0.75 else -down
            low = eye.mean(0) + side * across * rng.uniform(0.08, 0.26)
            ends = points[[inner, outer], :2] + side * across * rng.uniform(0.0, 0.14, (2, 1))
            path = curve(ends[0], low + rng.normal(0, 0.03 * across, 2), ends[1], 16)
            start = int(rng.integers(0, 8))
            path = path[start : start + int(rng.integers(5, 17))]
            cv2.polylines(
                mask, [fixed(path)], False, int(rng.integers(90, 256)), int(rng.integers(1, 3)), cv2.LINE_AA, 4
            )
    share = cv2.GaussianBlur(mask, (0, 0), float(rng.uniform(0.5, 1.5)))[..., None].astype(np.float32) / 255
    gain = rng.uniform(0.65, 0.95) if rng.random() < 0.7 else rng.uniform(1.05, 1.3)
    crop[:] = np.clip(crop * (1 + share * (gain - 1)), 0, 255).astype(np.uint8)


def beard(crop: Bytes, points: Floats, bank: Floats, rng: np.random.Generator) -> None:
    """Dark, grainy cheeks, chin and upper lip, lips left free."""
    mask = np.zeros(crop.shape[:2], np.uint8)
    cv2.fillPoly(mask, [fixed(points[_BEARD, :2])], 255, cv2.LINE_AA, 4)
    cv2.fillPoly(mask, [fixed(points[LIPS_OUTER, :2])], 0, cv2.LINE_AA, 4)
    size = crop.shape[0]
    grain = bank[rng.integers(len(bank)), :size, :size, 0] * 60 + 170
    mask = cv2.multiply(mask, np.clip(grain, 0, 255).astype(np.uint8), scale=1 / 255)
    _tint(
        crop,
        np.asarray(mask, np.uint8),
        rng.uniform(10, 90, 3),
        float(rng.uniform(0.3, 0.95)),
        float(rng.uniform(0.4, 1.5)),
    )


def cast_shadow(crop: Bytes, points: Floats, rng: np.random.Generator) -> None:
    """A hard or soft shadow of something that is not in the picture."""
    size = crop.shape[0]
    mask = np.zeros(crop.shape[:2], np.uint8)
    if rng.random() < 0.5:
        at, angle = points[rng.integers(468), :2], rng.uniform(0, 2 * np.pi)
        along, across = (np.array([np.cos(angle + t), np.sin(angle + t)]) * 2 * size for t in (0, np.pi / 2))
        corners = np.stack([at - along, at + along, at + along + across, at - along + across])
        cv2.fillConvexPoly(mask, fixed(corners), 255, cv2.LINE_AA, 4)
    else:
        for _ in range(int(rng.integers(1, 5))):
            corners = points[rng.integers(468), :2] + rng.normal(0, 0.2 * size, (4, 2))
            cv2.fillConvexPoly(mask, cv2.convexHull(fixed(corners)), 255, cv2.LINE_AA, 4)
    mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), float(rng.uniform(0.6, 6))), np.uint8)
    depth = rng.uniform(0.25, 0.8)
    light = cv2.LUT(mask, (255 - depth * np.arange(256)).astype(np.uint8))
    cv2.multiply(crop, cv2.merge([light] * 3), dst=crop, scale=1 / 255)


def tongue(crop: Bytes, points: Floats, rng: np.random.Generator) -> None:
    """Something pink in a mouth that is open wide enough."""
    open_by = float(np.linalg.norm(points[13, :2] - points[14, :2]))
    if open_by < 5:
        return
    mask = np.zeros(crop.shape[:2], np.uint8)
    lower = points[17 if rng.random() < 0.2 else 14, :2]
    axes = fixed(
        np.array([rng.uniform(0.15, 0.35) * np.linalg.norm(points[78, :2] - points[308, :2]), 0.5 * open_by])
    )
    cv2.ellipse(
        mask, fixed(lower - np.array([0, 0.3 * open_by])).tolist(), axes.tolist(), 0, 0, 360, 255, -1, cv2.LINE_AA, 4
    )
    inner = np.zeros_like(mask)
    cv2.fillPoly(inner, [fixed(points[LIPS_INNER, :2])], 255, cv2.LINE_AA, 4)
    _tint(
        crop, np.asarray(cv2.min(mask, inner), np.uint8), np.array([100, 90, 170]) * rng.uniform(0.5, 1.4), 0.8, 0.8
    )
