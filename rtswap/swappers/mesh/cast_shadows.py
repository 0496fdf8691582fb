"""Remove cast shadows from a photo's skin: edges of lightness that only one half of the face has.

Skin and features are alike in both halves, light need not be. An edge without a counterpart at the mirrored place is
one of the light: it is reduced to what the other half has there, in each colour, and the picture is integrated
again from the edges that remain (Weiss, Deriving intrinsic images from image sequences, ICCV 2001; here the sequence
is the two halves).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.types import Image, Mask
from rtswap.swappers.mesh.uv_chart import FINE, OFFSET, SIZE, Field, inwards, ramp, rings_mask
from rtswap.vision.resample import blurred, resized
from rtswap.vision.topology import LEFT_EYE, RIGHT_EYE

DISPLACED = 9
"""Fine texels within which an edge's counterpart is looked for: landmarks are not exact, nor are faces symmetric."""
PLAIN = 0.014
"""Change of log lightness per fine texel that needs no counterpart."""
UNLIKE, UNLIKE_SIGMA = (0.1, 0.22), 6.0
"""Log lightness by which the halves differ, on average over an area of this sigma in fine texels, where edges begin
to be reduced, and where they are reduced fully."""
SPOT = 9
"""Fine texels up to which a spot is a mole, and no reason to look for shadows around it."""
NEAR = 25
"""Fine texels around such an area in which its edges lie."""
BLACK, LIT = (3.2, 4.0), (0.4, 0.7)
"""Log lightness up to which a shadow has no colour of its own, and from which it has; change of the log from which it
was a shadow: the mirrored half is shown instead."""
LIGHT_SIGMA = 12.0
"""Sigma in texels of the light that the mirrored half is shown in."""
ROUNDS = 6
"""Passes in which the outside of the face is left to what is inside."""
MOST = 2.0
"""Largest change of the log."""


def without_cast_shadows(texture: Image, face: Mask) -> Image:
    """``texture`` (512, 512, 3) in even light. ``face`` (128, 128): 255 = skin."""
    skin = resized(np.asarray(face * (inwards() > 0) / np.float32(255), np.float32), (FINE, FINE))
    inside = skin > 0.5
    both = np.minimum(skin, skin[:, ::-1]) * (1 - _eyes())
    logs = np.log(np.asarray(resized(texture, (FINE, FINE), cv2.INTER_AREA), np.float32) + OFFSET)
    planes = [np.ascontiguousarray(plane) for plane in cv2.split(logs)]
    smooth = [blurred(plane, 1.0) for plane in planes]
    share = both * ramp(_around(np.max([_unlike(plane, both) for plane in smooth], axis=0), NEAR), *UNLIKE)
    if not share[inside].any():
        return texture
    light = np.mean(smooth, axis=0)
    change = cv2.merge([_change(plane, even, share, inside) for plane, even in zip(planes, smooth, strict=True)])
    lit = inside & (light >= np.median(light[inside]))
    change = np.clip(change - np.median(change[lit], axis=0), -MOST, MOST)
    brighter = resized(np.asarray(np.exp(change), np.float32), (SIZE, SIZE), cv2.INTER_LINEAR)
    even = (texture + np.float32(OFFSET)) * brighter - np.float32(OFFSET)
    black = (1 - ramp(light, *BLACK)) * ramp(change.mean(2), *LIT) * both
    black = np.asarray(_around(black, DISPLACED) * (1 - black[:, ::-1]), np.float32)
    if black.any():
        share = resized(blurred(black, 2.0), (SIZE, SIZE), cv2.INTER_LINEAR)[..., None]
        even += share * (_mirrored(even) - even)
    return np.asarray(np.clip(np.round(even), 0, 255), np.uint8)


def _change(plane: Field, smooth: Field, share: Field, inside: NDArray[np.bool_]) -> Field:
    """What the edges of a colour's log ``plane`` (H, W) without counterpart add up to, negated. ``smooth``: the same
    without noise; ``share`` (H, W): of them that is removed."""
    removed = (
        -share * _without_counterpart(seen, sign) * edge
        for seen, edge, sign in zip(_edges(smooth), _edges(plane), (-1, 1), strict=True)
    )
    return _from_edges(list(removed), inside)


def _mirrored(picture: Field) -> Field:
    """The other half's colour and details (H, W, 3) in this half's light."""
    other = np.ascontiguousarray(picture[:, ::-1])
    light = np.float32(OFFSET) + blurred(
        np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.float32), LIGHT_SIGMA
    )
    return np.asarray(other * np.clip(light / light[:, ::-1], 0.5, 2)[..., None], np.float32)


def _unlike(light: Field, both: Field) -> Field:
    """By how much ``light`` (H, W) differs from all near the mirrored place, on average over an area."""
    mirrored = np.ascontiguousarray(light[:, ::-1])
    apart = np.maximum(light - _around(mirrored, DISPLACED), -_around(-mirrored, DISPLACED) - light)
    apart = np.asarray(np.maximum(apart, 0) * both, np.float32)
    return blurred(np.asarray(cv2.morphologyEx(apart, cv2.MORPH_OPEN, _disc(SPOT)), np.float32), UNLIKE_SIGMA)


def _without_counterpart(edge: Field, sign: int) -> Field:
    """Share 0..1 of each ``edge`` (H, W) that the mirrored half does not have. ``sign``: of mirrored edges."""
    mirrored = np.ascontiguousarray(sign * edge[:, ::-1])
    least = np.minimum(-_around(-mirrored, DISPLACED), 0) - np.float32(PLAIN)
    most = np.maximum(_around(mirrored, DISPLACED), 0) + np.float32(PLAIN)
    rest = np.clip(edge, least, most)
    return np.asarray(1 - rest / np.where(np.abs(edge) > 1e-6, edge, 1), np.float32) * (np.abs(edge) > 1e-6)


def _around(field: Field, width: int) -> Field:
    """Maximum over a square."""
    return np.asarray(cv2.dilate(field, np.ones((width, width), np.uint8)), np.float32)


def _disc(width: int) -> Image:
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width)), np.uint8)


def _edges(field: Field) -> tuple[Field, Field]:
    """Differences to the next texel along x and y, (H, W) each, 0 at the end."""
    x, y = np.zeros_like(field), np.zeros_like(field)
    x[:, :-1], y[:-1] = np.diff(field, axis=1), np.diff(field, axis=0)
    return x, y


def _from_edges(edges: Sequence[Field], inside: NDArray[np.bool_]) -> Field:
    """The field (H, W) whose ``_edges`` are closest to these ``inside``, and free outside."""
    found = _joined(*edges)
    for _ in range(ROUNDS):
        found = _joined(*(np.where(inside, edge, own) for edge, own in zip(edges, _edges(found), strict=True)))
    return found


def _joined(x: Field, y: Field) -> Field:
    """The field (H, W) with mean 0 whose ``_edges`` are closest to these: Poisson's equation by cosine transform."""
    rise = x + y
    rise[:, 1:] -= x[:, :-1]
    rise[1:] -= y[:-1]
    found = cv2.dct(rise) / _frequencies(len(rise))
    found[0, 0] = 0
    return np.asarray(cv2.idct(found), np.float32)


@cache
def _frequencies(side: int) -> Field:
    """Eigenvalues (side, side) of the discrete Laplacian; 1 for the mean."""
    along = 2 * np.cos(np.pi * np.arange(side) / side) - 2
    values = along[:, None] + along
    values[0, 0] = 1
    return np.asarray(values, np.float32)


@cache
def _eyes() -> Field:
    """1 on the eyes (256, 256)."""
    return resized(blurred(rings_mask((LEFT_EYE, RIGHT_EYE), 1.0), 1.0), (FINE, FINE))
