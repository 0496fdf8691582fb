"""Things that pass before a face: hands, cups, sticks, paper, glasses. Painted with scraps of other pictures."""

from __future__ import annotations

import cv2
import numpy as np

from training.arrays import Bytes, Floats
from training.camera import motion


def occlude(
    crop: Bytes, points: Floats, visible: Floats, scrap: Bytes, skin: Floats, rng: np.random.Generator
) -> None:
    """Paint one thing over ``crop`` and set ``visible`` to 0 for the points under it. Both are changed in place.

    ``scrap``: a picture as large as the crop that gives the texture; ``skin`` (3,) BGR for hands.
    """
    size = crop.shape[0]
    mask = np.zeros((size, size), np.uint8)
    kind = rng.choice(["hand", "ellipse", "bar", "block", "hair"], p=[0.36, 0.26, 0.12, 0.18, 0.08])
    centre = points[rng.integers(len(points)), :2] + rng.normal(0, 0.12 * size, 2)
    if kind == "hand":
        _hand(mask, centre, rng)
    elif kind == "ellipse":
        hull = cv2.convexHull(np.ascontiguousarray(points[:, :2], dtype=np.float32))
        radius = np.sqrt(rng.uniform(0.03, 0.25) * cv2.contourArea(hull) / np.pi)
        longer = np.exp(rng.uniform(-0.6, 0.6))
        axes = np.minimum(radius * np.array([longer, 1 / longer]), 0.35 * size)
        cv2.ellipse(mask, _ints(centre), _ints(axes), rng.uniform(0, 180), 0, 360, 255, -1, cv2.LINE_AA)
    elif kind == "bar":
        angle = rng.uniform(0, np.pi)
        along = np.array([np.cos(angle), np.sin(angle)]) * size
        end = centre + along * rng.uniform(-0.3, 1)
        cv2.line(mask, _ints(centre - along), _ints(end), 255, int(rng.integers(3, 22)), cv2.LINE_AA)
    elif kind == "block":
        sides = rng.uniform(0.15, 0.6, 2) * size
        middle = (float(centre[0]), float(centre[1]))
        box = cv2.boxPoints((middle, (float(sides[0]), float(sides[1])), float(rng.uniform(0, 90))))
        cv2.fillConvexPoly(mask, np.round(box).astype(np.int32), 255, cv2.LINE_AA)
    else:
        _hair(mask, points, rng)
    texture = _skin_texture(scrap, skin, rng) if kind == "hand" else scrap
    if kind in ("ellipse", "block", "bar", "hair") and rng.random() < 0.4:
        texture = np.empty_like(crop)
        texture[:] = rng.uniform(0, 255, 3)
        cv2.addWeighted(texture, 0.85, scrap, 0.15, 0, dst=texture)
    if kind != "hair" and rng.random() < (0.35 if kind == "hand" else 0.15):
        kernel = motion(int(rng.integers(2, 8)) * 2 + 1, rng)
        mask, texture = (np.asarray(cv2.filter2D(layer, -1, kernel), np.uint8) for layer in (mask, texture))
    sharp = rng.random() < 0.15
    edge = mask if sharp else cv2.GaussianBlur(mask, (0, 0), float(rng.uniform(0.4, 1.5)))
    soft = edge[..., None].astype(np.uint16)
    crop[:] = ((crop * (255 - soft) + texture * soft) // 255).astype(np.uint8)
    xy = np.clip(np.round(points[:, :2]), 0, size - 1).astype(int)
    if kind != "hair":
        visible[mask[xy[:, 1], xy[:, 0]] > 127] = 0


def glasses(crop: Bytes, points: Floats, rng: np.random.Generator) -> None:
    """Frames, at times dark or mirroring lenses, around the eyes. What is behind thin glasses stays visible."""
    shade = tuple(rng.uniform(0, 90, 3)) if rng.random() < 0.7 else tuple(rng.uniform(60, 255, 3))
    width = int(rng.integers(1, 4))
    lens = rng.uniform(0.0, 0.35) if rng.random() < 0.8 else rng.uniform(0.7, 0.97)
    tint = rng.uniform(0, 60, 3) if rng.random() < 0.6 else rng.uniform(120, 255, 3)
    layer = crop.copy()
    rims = []
    for inner, outer in ((133, 33), (362, 263)):
        a, b = points[inner, :2], points[outer, :2]
        centre, reach = (a + b) / 2, float(np.linalg.norm(a - b))
        angle = float(np.degrees(np.arctan2(*(points[263, :2] - points[33, :2])[::-1])))
        axes = (reach * rng.uniform(0.75, 0.95), reach * rng.uniform(0.5, 0.8))
        cv2.ellipse(layer, _ints(centre), _ints(axes), angle, 0, 360, tuple(tint), -1, cv2.LINE_AA)
        rims.append((_ints(centre), _ints(axes), angle))
    crop[:] = cv2.addWeighted(layer, lens, crop, 1 - lens, 0)
    for centre_px, axes_px, angle in rims:
        cv2.ellipse(crop, centre_px, axes_px, angle, 0, 360, shade, width, cv2.LINE_AA)
    cv2.line(crop, _ints(points[133, :2]), _ints(points[362, :2]), shade, width, cv2.LINE_AA)


def _hand(mask: Bytes, palm: Floats, rng: np.random.Generator) -> None:
    """A palm with four fingers and a thumb, more or less spread, and an arm."""
    unit = mask.shape[0] * rng.uniform(0.10, 0.2)
    angle = rng.uniform(0, 2 * np.pi)
    cv2.ellipse(mask, _ints(palm), _ints((unit, unit * 0.85)), float(np.degrees(angle)), 0, 360, 255, -1, cv2.LINE_AA)
    spread = rng.uniform(0.05, 0.28)
    for finger in range(4):
        turn = angle + (finger - 1.5) * spread
        root = palm + unit * 0.8 * np.array(
            [np.cos(angle + (finger - 1.5) * 0.4), np.sin(angle + (finger - 1.5) * 0.4)]
        )
        tip = root + unit * rng.uniform(0.3, 1.6) * np.array([np.cos(turn), np.sin(turn)])
        cv2.line(mask, _ints(root), _ints(tip), 255, max(2, int(unit * 0.42)), cv2.LINE_AA)
    thumb = angle + rng.choice([-1, 1]) * rng.uniform(0.8, 1.5)
    tip = palm + unit * 1.6 * np.array([np.cos(thumb), np.sin(thumb)])
    cv2.line(mask, _ints(palm), _ints(tip), 255, max(2, int(unit * 0.45)), cv2.LINE_AA)
    arm = palm - 8 * unit * np.array([np.cos(angle), np.sin(angle)])
    cv2.line(mask, _ints(palm), _ints(arm), 255, max(2, int(unit * 1.2)), cv2.LINE_AA)


def _hair(mask: Bytes, points: Floats, rng: np.random.Generator) -> None:
    """Strands from the forehead down."""
    top, chin = points[10, :2], points[152, :2]
    for _ in range(int(rng.integers(4, 30))):
        start = top + rng.normal(0, 0.2, 2) * np.linalg.norm(chin - top)
        end = start + (chin - top) * rng.uniform(0.1, 0.6) + rng.normal(0, 6, 2)
        cv2.line(mask, _ints(start), _ints(end), int(rng.integers(120, 256)), 1, cv2.LINE_AA)


def _skin_texture(scrap: Bytes, skin: Floats, rng: np.random.Generator) -> Bytes:
    """Skin-coloured, shaded by the scrap's own lights and shadows."""
    grey = cv2.cvtColor(scrap, cv2.COLOR_BGR2GRAY).astype(np.float32)
    shade = 1 + rng.uniform(0.1, 0.5) * (grey / max(float(grey.mean()), 1.0) - 1)
    return np.asarray(np.clip(shade[..., None] * skin * rng.uniform(0.75, 1.2), 0, 255).astype(np.uint8))


def _ints(point: Floats | tuple[float, float]) -> tuple[int, int]:
    return round(float(point[0])), round(float(point[1]))
