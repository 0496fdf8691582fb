"""The things that come before faces: each function paints one layer over a crop. Real hands are cut from clips in
which they move before dark clothes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from rtswap.vision.resample import warped
from training.arrays import Bytes, Floats
from training.masks.layers import Layer, curve, fixed, line, shade_with, unit

SIDE = 96
_LEAST, _MOST = 400, 6000
"""Pixels of a hand in a clip."""


@dataclass(frozen=True)
class Cutouts:
    pictures: Bytes
    """(H, 96, 96, 4) BGR and alpha."""

    def __len__(self) -> int:
        return len(self.pictures)


def load_or_cut(clips: Sequence[Path], cache: Path) -> Cutouts:
    """Every hand found in every third frame of the clips; cut once, kept in ``cache``."""
    if not cache.exists():
        found = [hand for clip in clips for hand in _hands_in(clip)]
        pictures = np.stack(found) if found else np.zeros((0, SIDE, SIDE, 4), np.uint8)
        cache.parent.mkdir(parents=True, exist_ok=True)
        np.savez(cache, pictures=pictures)
    with np.load(cache) as data:
        return Cutouts(data["pictures"])


def _hands_in(clip: Path) -> list[Bytes]:
    import av

    found = []
    with av.open(str(clip)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number % 3 == 0:
                found += _hands(np.asarray(frame.to_ndarray(format="bgr24"), np.uint8))
    return found


def _hands(image: Bytes) -> list[Bytes]:
    """Skin-coloured blobs below the head with dark surroundings."""
    y, cr, cb = cv2.split(cv2.cvtColor(image, cv2.COLOR_BGR2YCrCb))
    skin = ((cr > 136) & (cr < 175) & (cb > 95) & (cb < 128) & (y > 55)).astype(np.uint8)
    skin[: int(0.36 * len(skin))] = 0
    skin = np.asarray(cv2.morphologyEx(skin, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)), np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(skin)
    hands = []
    for label in range(1, count):
        x, top, width, height, area = stats[label]
        if not _LEAST < area < _MOST or max(width, height) > 110:
            continue
        blob = (labels == label).astype(np.uint8)
        ring = cv2.dilate(blob, np.ones((9, 9), np.uint8)) - cv2.dilate(blob, np.ones((5, 5), np.uint8))
        if np.median(y[ring > 0]) < 90 and np.median(y[blob > 0]) > 95:
            hands.append(_cut(image, blob, (x, top, width, height)))
    return hands


def _cut(image: Bytes, blob: Bytes, box: Sequence[int]) -> Bytes:
    """(96, 96, 4) the blob in the middle; its colour continued over its edge, where the dark would shine through."""
    x, y, width, height = box
    blob = np.asarray(cv2.morphologyEx(blob, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8)), np.uint8)
    inner = np.asarray(cv2.erode(blob, np.ones((3, 3), np.uint8)), np.uint8)
    colour = image.astype(np.float32) * inner[..., None]
    share = cv2.GaussianBlur(inner.astype(np.float32), (0, 0), 2)
    spread = cv2.GaussianBlur(colour, (0, 0), 2) / np.maximum(share, 1e-3)[..., None]
    picture = np.where(inner[..., None] > 0, image, np.clip(spread, 0, 255)).astype(np.uint8)
    alpha = cv2.GaussianBlur(blob.astype(np.float32), (0, 0), 0.7) * 255
    whole = np.dstack([picture, alpha.astype(np.uint8)])
    side = max(width, height) + 8
    left, top = x + width // 2 - side // 2, y + height // 2 - side // 2
    padded = cv2.copyMakeBorder(whole, side, side, side, side, cv2.BORDER_CONSTANT, value=(0, 0, 0, 0))
    part = padded[top + side : top + 2 * side, left + side : left + 2 * side]
    return np.asarray(cv2.resize(part, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR), np.uint8)


JAW = [93, 132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361, 323]
"""From ear to ear along the chin."""


def hand(size: int, at: Floats, skin: Floats, scrap: Bytes, rng: np.random.Generator) -> Layer:
    """A palm or its back, up to four fingers and a thumb, spread, bent or closed, and mostly an arm or a sleeve."""
    alpha, shade = np.zeros((size, size), np.uint8), np.full((size, size), 120, np.uint8)
    reach = size * rng.uniform(0.11, 0.24)
    angle = rng.uniform(0, 2 * np.pi)
    palm = np.asarray(at, np.float64)
    sleeve = rng.random() < 0.4

    def limb(start: Floats, end: Floats, width: float) -> None:
        line(alpha, start, end, 255, width)
        for part, tone in ((1.0, 135), (0.75, 175), (0.4, 205)):
            line(shade, start, end, tone, width * part)

    if rng.random() < 0.8:
        limb(palm, palm - 7 * reach * unit(angle), reach * rng.uniform(0.9, 1.4))
    for part, tone in ((1.0, 150), (0.85, 185), (0.6, 205)):
        axes = fixed(part * reach * np.array([1.0, rng.uniform(0.75, 0.95)])).tolist()
        centre = fixed(palm).tolist()
        if part == 1.0:
            cv2.ellipse(alpha, centre, axes, float(np.degrees(angle)), 0, 360, 255, -1, cv2.LINE_AA, 4)
        cv2.ellipse(shade, centre, axes, float(np.degrees(angle)), 0, 360, tone, -1, cv2.LINE_AA, 4)
    spread, length = rng.uniform(0.02, 0.3), rng.choice([rng.uniform(0.1, 0.5), rng.uniform(0.7, 1.7)], p=[0.3, 0.7])
    pointing = rng.random() < 0.25
    for finger in rng.permutation(4):
        turn = angle + (finger - 1.5) * spread + rng.normal(0, 0.06)
        root = palm + reach * 0.75 * unit(angle + (finger - 1.5) * 0.45)
        long = length * rng.uniform(0.8, 1.15) if not pointing else (1.6 if finger == 0 else 0.15)
        tip = root + reach * long * unit(turn)
        limb(root, tip, reach * 0.42)
        if rng.random() < 0.2:
            line(shade, tip, tip + 0.6 * unit(turn), 240, reach * 0.2)
    if rng.random() < 0.8:
        thumb = angle + rng.choice([-1, 1]) * rng.uniform(0.5, 1.5)
        limb(palm + reach * 0.4 * unit(thumb), palm + reach * rng.uniform(1.0, 1.7) * unit(thumb), reach * 0.45)
    shade = np.asarray(cv2.GaussianBlur(shade, (0, 0), float(rng.uniform(0.5, 1.6))), np.uint8)
    picture = shade_with(shade, skin, scrap if rng.random() < 0.5 else None, rng)
    if sleeve:
        cuff = palm - rng.uniform(1.2, 2.2) * reach * unit(angle)
        cloth = np.zeros((size, size), np.uint8)
        line(cloth, cuff, palm - 8 * reach * unit(angle), 255, reach * rng.uniform(1.4, 2.2))
        picture[cloth > 127] = shade_with(shade, rng.uniform(10, 240, 3), scrap, rng)[cloth > 127]
        alpha = np.maximum(alpha, cloth)
    return Layer(picture, alpha)


def fingertips(size: int, points: Floats, skin: Floats, scrap: Bytes, rng: np.random.Generator) -> Layer:
    """One to four fingers of a hand beside the face, whose tips reach a little over the edge of jaw or cheek."""
    alpha, shade = np.zeros((size, size), np.uint8), np.full((size, size), 150, np.uint8)
    face = float(np.linalg.norm(points[234, :2] - points[454, :2]).clip(20, size))
    edge, middle = points[JAW[int(rng.integers(len(JAW)))], :2], points[1, :2]
    inwards = middle - edge
    angle = float(np.arctan2(inwards[1], inwards[0])) + rng.normal(0, 0.6)
    width = face * rng.uniform(0.08, 0.15)
    count = int(rng.choice([1, 2, 3, 4], p=[0.25, 0.25, 0.25, 0.25]))
    nails = np.zeros_like(alpha)
    depth, slope = face * rng.uniform(-0.01, 0.16), rng.normal(0, 0.3)
    for finger in range(count):
        beside = (finger - (count - 1) / 2) * width * rng.uniform(0.95, 1.2)
        turn = angle + rng.normal(0, 0.06) - 0.12 * (finger - (count - 1) / 2)
        over = depth + slope * beside + rng.normal(0, 0.02) * face - width / 2
        tip = edge + over * unit(angle) + beside * unit(angle + np.pi / 2)
        root = tip - face * rng.uniform(0.3, 0.7) * unit(turn)
        line(alpha, root, tip, 255, width)
        for part, tone in ((1.0, 125), (0.8, 170), (0.5, 205)):
            line(shade, root, tip, tone, width * part)
        axes = fixed(width * np.array([0.32, 0.24]) * rng.uniform(0.8, 1.3)).tolist()
        nail = fixed(tip + 0.15 * width * unit(turn)).tolist()
        cv2.ellipse(nails, nail, axes, float(np.degrees(turn)), 0, 360, 255, -1, cv2.LINE_AA, 4)
    palm = edge - face * rng.uniform(0.55, 0.8) * unit(angle)
    line(alpha, palm - face * unit(angle), palm, 255, width * (count + 1))
    shade = np.asarray(cv2.GaussianBlur(shade, (0, 0), float(rng.uniform(0.4, 1.2))), np.uint8)
    picture, seen = shade_with(shade, skin, scrap if rng.random() < 0.3 else None, rng), rng.random()
    if seen < 0.6:  # nails as they are, or painted; else the fingers' other side
        tone = np.asarray(skin) * rng.uniform(1.0, 1.4) if seen < 0.35 else rng.uniform(0, 220, 3)
        picture[nails > 127] = np.clip(tone, 0, 255).astype(np.uint8)
    return Layer(picture, alpha)


def real_hand(size: int, at: Floats, skin: Floats, cutouts: Cutouts, rng: np.random.Generator) -> Layer:
    """A hand cut from a clip, turned, scaled and brought near to the tone ``skin``."""
    cutout = cutouts.pictures[int(rng.integers(len(cutouts)))]
    if rng.random() < 0.5:
        cutout = np.ascontiguousarray(cutout[:, ::-1])
    side = cutout.shape[0]
    scale = size * rng.uniform(0.4, 1.0) / side
    matrix = cv2.getRotationMatrix2D((side / 2, side / 2), float(rng.uniform(0, 360)), scale)
    matrix[:, 2] += np.asarray(at) - side / 2
    placed = warped(cutout, matrix, (size, size), zero=True)
    alpha = np.ascontiguousarray(placed[..., 3])
    inside = alpha > 128
    picture = np.ascontiguousarray(placed[..., :3])
    if inside.any():
        mean = picture[inside].mean(0)
        gain = (np.asarray(skin) / np.maximum(mean, 8)) ** rng.uniform(0.6, 1.1) * rng.uniform(0.8, 1.2)
        picture = np.asarray(np.clip(picture * np.clip(gain, 0.2, 2.5).astype(np.float32), 0, 255).astype(np.uint8))
    return Layer(picture, alpha)


def cup(size: int, at: Floats, colour: Floats, scrap: Bytes, rng: np.random.Generator) -> Layer:
    """A mug, glass or can: a slightly conical body with its rim, mostly a handle."""
    alpha, shade = np.zeros((size, size), np.uint8), np.full((size, size), 160, np.uint8)
    width, height = size * rng.uniform(0.1, 0.3), size * rng.uniform(0.15, 0.4)
    tilt = rng.normal(0, 0.5)
    turn = np.array([[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]])
    foot = rng.uniform(0.7, 1.0)
    body = np.array([[-width, -height], [width, -height], [width * foot, height], [-width * foot, height]]) @ turn.T
    cv2.fillConvexPoly(alpha, fixed(body + at), 255, cv2.LINE_AA, 4)
    for share, tone in ((0.7, 190), (0.35, 220)):
        inner = body * np.array([1.0, 1.0]) * share + turn @ np.array([width * 0.2, 0])
        cv2.fillConvexPoly(shade, fixed(inner + at), tone, cv2.LINE_AA, 4)
    top, reach = fixed(at + turn @ np.array([0, -height])), fixed(np.array([width, width * rng.uniform(0.1, 0.4)]))
    for mask, tone in ((alpha, 255), (shade, int(rng.integers(60, 250)))):
        cv2.ellipse(mask, top.tolist(), reach.tolist(), float(np.degrees(tilt)), 0, 360, tone, -1, cv2.LINE_AA, 4)
    if rng.random() < 0.6:
        side = at + turn @ np.array([rng.choice([-1, 1]) * width, 0])
        ring = fixed(np.array([width * 0.6, height * 0.55])).tolist()
        cv2.ellipse(alpha, fixed(side).tolist(), ring, 0, 0, 360, 255, max(2, int(width / 4)), cv2.LINE_AA, 4)
    shade = np.asarray(cv2.GaussianBlur(shade, (0, 0), 2.5), np.uint8)
    return Layer(shade_with(shade, colour, scrap if rng.random() < 0.6 else None, rng), alpha)


def microphone(size: int, at: Floats, colour: Floats, scrap: Bytes, rng: np.random.Generator) -> Layer:
    """A ball or a capsule, dark or metallic, on a stem or an arm from somewhere outside."""
    alpha, shade = np.zeros((size, size), np.uint8), np.full((size, size), 110, np.uint8)
    radius = size * (rng.uniform(0.02, 0.06) if rng.random() < 0.4 else rng.uniform(0.06, 0.16))
    angle = rng.uniform(0, np.pi) if rng.random() < 0.8 else rng.uniform(0, 2 * np.pi)
    width = radius * rng.uniform(0.3, 1.3)
    end = at + size * 1.5 * unit(angle)
    for mask, tone, part in ((alpha, 255, 1.0), (shade, 170, 0.5)):
        line(mask, at, end, tone, max(2.0, width * part))
    for part, tone in ((1.0, 130), (0.7, 180), (0.35, 230)):
        axes = fixed(radius * part * np.array([1.0, 1.25])).tolist()
        where = fixed(at - 0.25 * (1 - part) * radius).tolist()
        if part == 1.0:
            cv2.ellipse(alpha, where, axes, float(np.degrees(angle)) - 90, 0, 360, 255, -1, cv2.LINE_AA, 4)
        cv2.ellipse(shade, where, axes, float(np.degrees(angle)) - 90, 0, 360, tone, -1, cv2.LINE_AA, 4)
    shade = np.asarray(cv2.GaussianBlur(shade, (0, 0), 1.0), np.uint8)
    dark = rng.uniform(10, 70, 3) if rng.random() < 0.7 else colour
    return Layer(shade_with(shade, dark, scrap if rng.random() < 0.3 else None, rng), alpha)


def board(size: int, at: Floats, colour: Floats, scrap: Bytes, rng: np.random.Generator) -> Layer:
    """A phone, a book, a sheet of paper: a quadrangle with rounded corners, lines or a picture on it."""
    alpha = np.zeros((size, size), np.uint8)
    sides = size * rng.uniform(0.08, 0.4, 2)
    angle = rng.uniform(0, np.pi)
    along, across = unit(angle), unit(angle + np.pi / 2)
    signs = ((-1, -1), (1, -1), (1, 1), (-1, 1))
    corners = np.stack([x * along * sides[0] + y * across * sides[1] for x, y in signs])
    corners += rng.normal(0, 0.02 * size, (4, 2)) + at
    cv2.fillConvexPoly(alpha, fixed(corners), 255, cv2.LINE_AA, 4)
    if rng.random() < 0.5:
        cv2.polylines(alpha, [fixed(corners)], True, 255, int(rng.integers(2, 12)), cv2.LINE_AA, 4)
    kind = rng.random()
    tone = rng.uniform(5, 50, 3) if kind < 0.35 else rng.uniform(190, 255) * np.ones(3) if kind < 0.65 else colour
    picture = shade_with(np.full((size, size), 200, np.uint8), tone, scrap if rng.random() < 0.4 else None, rng)
    for step in range(int(rng.integers(0, 9))):
        where = corners[0] + (corners[3] - corners[0]) * (0.15 + 0.08 * step)
        ink = tuple(float(v) for v in rng.uniform(0, 255, 3))
        start, end = fixed(np.stack([where, where + (corners[1] - corners[0]) * 0.8])).tolist()
        cv2.line(picture, tuple(start), tuple(end), ink, 1, cv2.LINE_AA, 4)
    return Layer(picture, alpha)


def blob(size: int, at: Floats, scrap: Bytes, rng: np.random.Generator) -> Layer:
    """Anything: a wobbly outline filled with some picture or colour."""
    angles = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(5, 12))))
    radii = size * rng.uniform(0.06, 0.35) * rng.uniform(0.6, 1.3, len(angles))
    outline = np.asarray(at) + radii[:, None] * np.stack([np.cos(angles), np.sin(angles)], 1)
    alpha = np.zeros((size, size), np.uint8)
    cv2.fillPoly(alpha, [fixed(outline)], 255, cv2.LINE_AA, 4)
    alpha = np.asarray(cv2.GaussianBlur(alpha, (0, 0), 2.5), np.uint8)
    alpha = np.asarray(cv2.convertScaleAbs(alpha, alpha=4, beta=-380), np.uint8)
    if rng.random() < 0.5:
        scrap = shade_with(np.full((size, size), 200, np.uint8), rng.uniform(0, 255, 3), scrap, rng)
    return Layer(scrap, alpha)


def headset(size: int, points: Floats, rng: np.random.Generator) -> Layer:
    """A microphone on an arm that bends from an ear along the cheek to the mouth."""
    ear, mouth = points[int(rng.choice([234, 454])), :2], points[int(rng.choice([61, 291, 17])), :2]
    reach = np.linalg.norm(points[234, :2] - points[454, :2])
    bend = (ear + mouth) / 2 + rng.normal(0, 0.1, 2) * reach + np.array([0, 0.15]) * reach
    alpha = np.zeros((size, size), np.uint8)
    cv2.polylines(alpha, [fixed(curve(ear, bend, mouth, 10))], False, 255, int(rng.integers(1, 5)), cv2.LINE_AA, 4)
    radius = int(rng.uniform(0.02, 0.07) * reach * 16)
    cv2.circle(alpha, tuple(fixed(mouth).tolist()), radius, 255, -1, cv2.LINE_AA, 4)
    tone = rng.uniform(5, 80, 3) if rng.random() < 0.8 else rng.uniform(100, 255, 3)
    return Layer(shade_with(np.full((size, size), 200, np.uint8), tone, None, rng), alpha)


def face_cover(size: int, points: Floats, rng: np.random.Generator) -> Layer:
    """A surgical mask or a scarf over mouth and chin."""
    lower = points[[234, 93, 132, 58, 172, 136, 150, 149, 152, 378, 379, 365, 397, 288, 361, 323, 454], :2]
    nose = points[int(rng.choice([1, 197, 2])), :2]
    right, left = ((points[ear, :2] + nose)[None] / 2 for ear in (454, 234))
    outline = np.concatenate([lower[2:-2], right, nose[None], left])
    outline = outline.mean(0) + (outline - outline.mean(0)) * rng.uniform(1.0, 1.15)
    alpha = np.zeros((size, size), np.uint8)
    cv2.fillPoly(alpha, [fixed(outline)], 255, cv2.LINE_AA, 4)
    shade = np.full((size, size), 190, np.uint8)
    for height in np.linspace(0.2, 0.8, int(rng.integers(1, 5))):
        y = outline[:, 1].min() + height * np.ptp(outline[:, 1])
        line(shade, np.array([0, y]), np.array([size, y]), int(rng.integers(150, 230)), 2)
    kind = rng.random()
    tone = [220, 190, 150] if kind < 0.35 else [235, 235, 235] if kind < 0.55 else rng.uniform(5, 240, 3)
    return Layer(shade_with(shade, np.array(tone), None, rng), alpha)
