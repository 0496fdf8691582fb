"""Move the ring of inner-lip landmarks to where lips end.

The landmarks of an open mouth lie on the lower lip, and end before the mouth's corners. What lies within them shows a
rim of lip, and two pairs of lips, the source's around the target's, frame a mouth that is too small.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtswap.core.types import Image, Points
from rtswap.vision.resample import looked_up

Field = NDArray[np.float32]

UPPER = np.array([191, 80, 81, 82, 13, 312, 311, 310, 415])
LOWER = np.array([95, 88, 178, 87, 14, 317, 402, 318, 324])
"""Opposite points of the inner lips, without the corners."""
OUTER_UPPER = np.array([185, 40, 39, 37, 0, 267, 269, 270, 409])
OUTER_LOWER = np.array([146, 91, 181, 84, 17, 314, 405, 321, 375])
"""The outlines of the lips above and below these."""
INNER_UPPER = np.array([[184, 74, 73, 72, 11, 302, 303, 304, 408], [183, 42, 41, 38, 12, 268, 271, 272, 407]])
INNER_LOWER = np.array([[77, 90, 180, 85, 16, 315, 404, 320, 307], [96, 89, 179, 86, 15, 316, 403, 319, 325]])
"""(2, 9) The points on the lips between outline and ring."""
CORNERS, OUTER_CORNERS = np.array([78, 308]), np.array([61, 291])
ON_LIP = 0.03
"""How far the landmarks of a wide open mouth lie on the lower lip, in mouth widths. By eye on enlarged photos."""
TO_CORNER = 0.4
"""How far the mouth opens beyond the ring's corners, as a share of the way to the outer corners."""
OPEN, PARTED = 0.1, 0.02
"""Height of the mouth in mouth widths from which a photo shows teeth or a gap, and from which it may."""
LESS_RED, LIGHTER = 0.025, 0.1
"""Least differences, in log ratio of red to green and in log lightness, by which teeth are less red or lighter than
both lips. Of 196 photos with a height below 0.16, the ring lay on teeth or a gap in all 44 with the first, and in
about 8 without; the second tells teeth in grey photos."""
LIP, WITHIN = (0.3, 0.7), (0.2, 0.8)
"""Where colours are read: of a lip, in shares of the way from its outline to the ring, and within the ring."""
STEPS, SIDE = 48, 5
"""Samples across a lip, and on either side of an edge, whose colours are compared."""
FROM_UPPER, FROM_LOWER, TO = 0.15, 0.65, 1.3
"""Where a lip may end, in shares of its way from the outline to the ring; gloss is below a lower lip's middle."""
INSIDE = 0.25
"""How far from the ring, in heights of the mouth, the colour of its inside is read."""
LEAST_EDGE, FIRST_EDGE = 0.22, 0.5
"""Least difference in log colour of an edge; share of the strongest one from which an edge nearer to the outline
counts."""
LEAST_UNEVEN, MOST_UNEVEN = 0.7, 1.25
"""How much nearer and farther than at most places a lip may end at one: gloss is nearer, gaps between teeth are
farther."""
LINE, ASIDE = (0.08, 0.8), 6
"""Where the line between shut lips may be, in shares of the way between their outlines; samples to either side of it
that are lighter."""
FAR, BEND, LEAST_DEPTH = 1.0, 0.002, 0.08
"""What a share away from the ring, and a sample more than beside, must be worth in log lightness; and the least
median depth of the line."""
OFFSET = 8.0
"""Levels added before the logarithm."""


def at_edges(mesh: Points, share: float = 1.0) -> Points:
    """The mesh (468, 3) with the inner lips' ring at the edges of the lips, by a ``share`` of the way from where the
    landmarks lie; a shut mouth stays shut."""
    moved = mesh.copy()
    gap = mesh[UPPER] - mesh[LOWER]
    height = np.sqrt(np.einsum("ij,ij->i", gap, gap))[:, None]
    rim = np.float32(ON_LIP * np.linalg.norm(mesh[CORNERS[0]] - mesh[CORNERS[1]]))
    left = np.sqrt(height**2 + rim**2) - rim
    moved[LOWER] += np.float32(share) * gap * (1 - left / np.maximum(height, 1e-6))
    moved[CORNERS] += np.float32(TO_CORNER) * (mesh[OUTER_CORNERS] - mesh[CORNERS])
    return moved


def edges_in(photo: Image, mesh: Points) -> Points:
    """``at_edges`` for a photo, which shows where its lips end. Landmark networks lay the ring of a smile onto the
    teeth below a thin upper lip, and that of a shut mouth onto a lip: teeth, or a part of one lip, would be on the
    other."""
    moved = at_edges(mesh)
    height = np.linalg.norm(moved[LOWER, :2] - moved[UPPER, :2], axis=1)
    width = np.linalg.norm(mesh[OUTER_CORNERS[0], :2] - mesh[OUTER_CORNERS[1], :2])
    opening = height[len(height) // 2]
    if opening < OPEN * width and (opening < PARTED * width or not _shows_teeth(photo, mesh)):
        return _shut_in(photo, mesh, moved)
    rings = moved[UPPER], moved[LOWER]
    for ring, inner, outline, begin, opposite in (
        (UPPER, INNER_UPPER, mesh[OUTER_UPPER], FROM_UPPER, rings[1]),
        (LOWER, INNER_LOWER, mesh[OUTER_LOWER], FROM_LOWER, rings[0]),
    ):
        shares = np.linspace(begin, TO, STEPS, dtype=np.float32)
        across = (moved[ring] - outline)[:, None]
        within = moved[ring] + np.float32(INSIDE) * (opposite - moved[ring])
        ends = _ends(_logs(photo, outline[:, None] + shares[:, None] * across), _logs(photo, within[:, None]), shares)
        moved[ring] = outline + ends * across[:, 0]
        moved[inner] = outline + ends * (mesh[inner] - outline)
    return moved


def _shows_teeth(photo: Image, mesh: Points) -> bool:
    """Whether what is within the ring is less red, or lighter, than both lips."""
    upper, lower = mesh[UPPER], mesh[LOWER]
    lips = np.stack([_mean_logs(photo, mesh[o], r, LIP) for o, r in ((OUTER_UPPER, upper), (OUTER_LOWER, lower))])
    within = _mean_logs(photo, upper, lower, WITHIN)
    of_lips, of_inside = (np.stack([logs[..., 2] - logs[..., 1], -logs.mean(-1)]) for logs in (lips, within))
    less = np.median((of_lips.min(1) - of_inside)[:, 2:-2], axis=1)
    return bool((less > (LESS_RED, LIGHTER)).any())


def _mean_logs(photo: Image, begin: Points, end: Points, between: tuple[float, float]) -> Field:
    """Mean log colours (N, 3) on the lines (N, 3) from ``begin`` to ``end``."""
    shares = np.linspace(*between, STEPS, dtype=np.float32)[:, None]
    return np.asarray(_logs(photo, begin[:, None] + shares * (end - begin)[:, None]).mean(1), np.float32)


def _shut_in(photo: Image, mesh: Points, moved: Points) -> Points:
    """``moved`` with the ring of a shut mouth on the dark line between the lips, where there is one."""
    above, below = mesh[OUTER_UPPER], mesh[OUTER_LOWER]
    across = below - above
    shares = np.linspace(*LINE, STEPS, dtype=np.float32)
    light = _logs(photo, above[:, None] + shares[:, None] * across[:, None]).mean(2)
    ring = (moved[UPPER] + moved[LOWER]) / 2 - above
    usual = (ring[:, :2] * across[:, :2]).sum(1) / np.maximum((across[:, :2] ** 2).sum(1), 1e-6)
    depths = _depths(light)
    line = _path(depths - np.float32(FAR) * np.square(shares - usual[:, None]))
    if np.median(depths[np.arange(len(line)), line]) < LEAST_DEPTH:
        return moved
    places = above + shares[line][:, None] * across
    for lip, inner, outline in ((UPPER, INNER_UPPER, above), (LOWER, INNER_LOWER, below)):
        before = np.linalg.norm(moved[lip, :2] - outline[:, :2], axis=1)
        after = np.linalg.norm(places[:, :2] - outline[:, :2], axis=1)
        moved[inner] = outline + (after / np.maximum(before, 1e-6))[:, None] * (mesh[inner] - outline)
        moved[lip] = places
    return moved


def _depths(light: Field) -> Field:
    """How much darker each place is than both sides of it, in log lightness (N, STEPS); 0 at the ends."""
    found = np.zeros_like(light)
    middle = light[:, ASIDE:-ASIDE]
    found[:, ASIDE:-ASIDE] = np.minimum(light[:, : -2 * ASIDE], light[:, 2 * ASIDE :]) - middle
    return found


def _path(worth: Field) -> NDArray[np.int64]:
    """The column of each row of ``worth`` (N, M) on the path that is worth most, with few bends."""
    columns = np.arange(worth.shape[1], dtype=np.float32)
    bends = np.float32(BEND) * np.square(columns[:, None] - columns)
    totals, before = worth[0], []
    for row in worth[1:]:
        through = totals - bends
        before.append(np.argmax(through, axis=1))
        totals = row + np.max(through, axis=1)
    path = [int(np.argmax(totals))]
    for step in reversed(before):
        path.append(int(step[path[-1]]))
    return np.array(path[::-1])


def _logs(photo: Image, where: Points) -> Field:
    """Log colours at the places (N, M, 3) px."""
    colours = looked_up(photo, np.ascontiguousarray(where[..., :2], np.float32))
    return np.asarray(np.log(colours.astype(np.float32) + np.float32(OFFSET)), np.float32)


def _ends(logs: Field, inside: Field, shares: Field) -> Field:
    """Where each lip ends (N, 1): the first clear edge of its colours ``logs`` (N, STEPS, 3) beyond which it looks
    like the mouth's ``inside`` (N, 1, 3). Where there is none it ends as beside; at 1 if there is none at all."""
    sums = np.pad(np.cumsum(logs, axis=1), ((0, 0), (1, 0), (0, 0)))
    means = (sums[:, SIDE:] - sums[:, :-SIDE]) / SIDE
    before, after = means[:, :-SIDE], means[:, SIDE:]
    edges = np.linalg.norm(after - before, axis=2)
    edges *= np.linalg.norm(after - inside, axis=2) < np.linalg.norm(before - inside, axis=2)
    strongest = edges.max(1)
    first = np.argmax(edges >= FIRST_EDGE * strongest[:, None], axis=1)
    clear = np.flatnonzero(strongest >= LEAST_EDGE)
    if not len(clear):
        return np.ones((len(logs), 1), np.float32)
    ends = np.interp(np.arange(len(logs)), clear, shares[SIDE + first][clear])
    ends = np.clip(ends, LEAST_UNEVEN * np.median(ends), MOST_UNEVEN * np.median(ends))
    beside = np.pad(ends, 1, mode="edge")
    return np.asarray(np.median([beside[:-2], ends, beside[2:]], axis=0)[:, None], np.float32)
