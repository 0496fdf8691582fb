"""Painted hands, arms, trunks and balls: solids of capsules, lit from a side. They are what a detector of heads takes
for one first, for they have skin's colour, roundness and creases."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from training.arrays import Bytes, Floats

SIDE = 128
CLOTH, SKIN, NAIL = 0, 1, 2
Capsule = tuple[float, float, float, float, float, float, float, int]
"""Ends x1, y1, x2, y2, their radii, how far it stands before the rest, and its material."""
FINGERS = ((-0.36, 0.72), (-0.12, 0.84), (0.12, 0.78), (0.35, 0.6))
"""Where fingers begin, across the palm, and their lengths, in palms' widths."""
HAND = 0.55
"""A palm's width in heights of a face."""


@dataclass(frozen=True)
class Solid:
    """A sprite without colours. Its unit is ``unit`` pixels, its origin at ``origin``."""

    alpha: Bytes
    """(128, 128)"""
    shade: Floats
    """(128, 128), 1: as bright as the material"""
    material: Bytes
    """(128, 128), ``CLOTH``, ``SKIN`` or ``NAIL``"""
    unit: float
    origin: Floats

    def coloured(self, skin: Floats, cloth: Bytes | Floats) -> Bytes:
        """(128, 128, 3) BGR. ``cloth``: a colour or a picture of this size."""
        colours = np.empty((SIDE, SIDE, 3), np.float32)
        colours[:] = cloth
        colours[self.material == SKIN] = skin
        colours[self.material == NAIL] = 0.6 * np.asarray(skin) + 0.4 * np.array([190, 190, 230])
        return np.clip(colours * self.shade[..., None], 0, 255).astype(np.uint8)


class Limbs:
    """A bank of solids of each kind, drawn once."""

    def __init__(self, rng: np.random.Generator, each: int = 120) -> None:
        self.hands = [_solid(_some_hands(rng), rng) for _ in range(2 * each)]
        """Hands, fists and folded hands, their middle at 0, 0 and 2 units wide at most, with arms or without; a unit
        is a height of a face."""
        self.trunks = [_solid(_trunk(rng), rng, unit=SIDE / 4.2, origin=(SIDE / 2, 2.0)) for _ in range(each)]
        """What is below a head whose middle is at 0, 0; a unit is its height."""
        self.balls = [_solid([(0, 0, 0, 0, 0.45, 0.45, 0, CLOTH)], rng) for _ in range(each // 6)]


def _some_hands(rng: np.random.Generator) -> list[Capsule]:
    kind = rng.random()
    if kind < 0.3:
        hands = _fold_hands(rng)
    elif kind < 0.45:
        one = _move(_hand(rng, curled=0.1), 0, (0.22, 0))
        hands = one + _mirror(one)
    elif kind < 0.6:
        hands = _move(_fist(rng), rng.uniform(-0.4, 0.4), (-0.3, 0)) + _move(_fist(rng), 0, (0.3, 0))
    else:
        hands = _fist(rng) if rng.random() < 0.4 else _hand(rng, rng.uniform(0, 0.7))
        hands += _arm(rng, hands_at=(0.0, 0.5 * HAND))
    return _move(hands, float(rng.normal(0, 0.5)), (0, 0))


def _hand(rng: np.random.Generator, curled: float) -> list[Capsule]:
    """An open or half closed hand, upright, about a face's height from wrist to fingertips."""
    parts: list[Capsule] = [(x * 0.75, 0.5, x, -0.35, 0.2, 0.17, 0, SKIN) for x, _ in FINGERS]
    spread = rng.uniform(0, 0.35)
    for x, length in FINGERS:
        lean = x * spread * 2 + rng.normal(0, 0.06)
        bent = length * (1 - curled * rng.uniform(0.6, 1.2) * 0.6)
        middle = (x + 0.5 * bent * np.sin(lean), -0.4 - 0.5 * bent * np.cos(lean))
        tip = (middle[0] + 0.5 * bent * np.sin(lean * 1.2), middle[1] - 0.5 * bent * np.cos(lean * 1.2))
        parts += [(x, -0.4, *middle, 0.13, 0.12, 0.02, SKIN), (*middle, *tip, 0.12, 0.09, 0.04 + 0.2 * curled, SKIN)]
        if rng.random() < 0.5:
            parts.append((*tip, tip[0], tip[1] + 0.03, 0.055, 0.06, 0.15 + 0.2 * curled, NAIL))
    out = rng.uniform(0.1, 0.5)
    parts += [(-0.3, 0.35, -0.5, 0.0, 0.2, 0.15, 0.03, SKIN), (-0.5, 0.0, -0.5 - out, -0.42, 0.14, 0.1, 0.05, SKIN)]
    return _scale(parts, HAND)


def _fist(rng: np.random.Generator) -> list[Capsule]:
    parts: list[Capsule] = [(-0.2, 0.1, 0.2, 0.1, 0.42, 0.4, -0.2, SKIN)]
    low = rng.uniform(0.0, 0.15)
    parts += [(x, -0.3, x * 0.9, low + 0.1 * abs(x), 0.16, 0.13, 0.12, SKIN) for x, _ in FINGERS]
    parts.append((-0.45, 0.25, rng.uniform(-0.1, 0.2), 0.2, 0.15, 0.12, 0.25, SKIN))
    return _scale(parts, HAND)


def _fold_hands(rng: np.random.Generator) -> list[Capsule]:
    """Two hands whose fingers interlock."""
    parts: list[Capsule] = []
    for side in (-1, 1):
        parts += [(side * 0.5, -0.25, side * 0.55, 0.3, 0.33, 0.3, -0.1, SKIN)]
        parts += [(side * 0.75, 0.3, side * rng.uniform(1.0, 1.8), rng.uniform(0.2, 1.6), 0.27, 0.36, -0.2,
                   SKIN if rng.random() < 0.5 else CLOTH)]  # fmt: skip
    slant = rng.uniform(-0.05, 0.3)
    for row in range(8):
        side, y = 1 if row % 2 else -1, -0.42 + 0.11 * row
        parts.append((side * 0.45, y, -side * rng.uniform(0.2, 0.35), y + slant, 0.11, 0.09, 0.12, SKIN))
    if rng.random() < 0.7:
        parts += [(side * 0.4, -0.45, side * 0.06, -0.62, 0.14, 0.1, 0.15, SKIN) for side in (-1, 1)]
    return _scale(parts, HAND)


def _arm(rng: np.random.Generator, hands_at: tuple[float, float]) -> list[Capsule]:
    """A forearm that ends at a hand's wrist."""
    if rng.random() < 0.3:
        return []
    x, y = hands_at
    length, lean = rng.uniform(0.6, 2.0), rng.normal(0, 0.3)
    end = (x + length * float(np.sin(lean)), y + length * float(np.cos(lean)))
    sleeve = rng.uniform(0.0, 1.0)
    cuff = (x + sleeve * (end[0] - x), y + sleeve * (end[1] - y))
    return [(x, y, *end, 0.15, 0.23, -0.05, SKIN), (*cuff, *end, 0.19, 0.27, -0.03, CLOTH)]


def _trunk(rng: np.random.Generator) -> list[Capsule]:
    """Neck, shoulders, chest and two arms that hang, are crossed, or hold hands before the chest."""
    wide = rng.uniform(0.6, 0.95)
    parts: list[Capsule] = [(0, 0.3, 0, 0.85, 0.26, 0.3, -0.1, SKIN), (-wide, 1.1, wide, 1.1, 0.3, 0.3, 0, CLOTH)]
    parts += [(x * wide, 1.2, x * wide * 0.9, 4.5, 0.45, 0.5, 0.1, CLOTH) for x in (-0.6, 0.0, 0.6)]
    together = rng.random() < 0.5
    meet = np.array([rng.normal(0, 0.25), rng.uniform(0.9, 2.8)])
    for side in (-1, 1):
        elbow = np.array([side * (wide + rng.uniform(0.05, 0.5)), rng.uniform(2.1, 2.7)])
        apart = np.array([side * rng.uniform(0.1, 0.35), 0])
        hand = meet + apart if together else elbow + rng.normal((0, 0.2), (0.6, 0.7))
        sleeve = CLOTH if rng.random() < 0.65 else SKIN
        parts += [(side * wide, 1.2, *elbow, 0.28, 0.24, 0.15, CLOTH), (*elbow, *hand, 0.22, 0.16, 0.4, sleeve)]
        if not together or rng.random() < 0.6:
            way = hand - elbow
            turn = float(np.arctan2(way[0], -way[1])) + rng.normal(0, 0.3)
            one = _fist(rng) if rng.random() < 0.4 else _hand(rng, rng.uniform(0, 0.6))
            parts += _move(_raise(one, 0.7), turn, (float(hand[0]), float(hand[1])))
    if together and rng.random() < 0.6:
        parts += _move(_raise(_fold_hands(rng), 0.8), rng.normal(0, 0.3), (float(meet[0]), float(meet[1])))
    return parts


def _solid(
    parts: list[Capsule],
    rng: np.random.Generator,
    unit: float = SIDE / 2.4,
    origin: tuple[float, float] = (SIDE / 2, SIDE / 2),
) -> Solid:
    """The height of every point over the ground, and how much light it gets."""
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    x, y = (x - origin[0]) / unit, (y - origin[1]) / unit
    height = np.full((SIDE, SIDE), -1.0, np.float32)
    material = np.zeros((SIDE, SIDE), np.uint8)
    for x1, y1, x2, y2, r1, r2, before, kind in parts:
        along = np.array([x2 - x1, y2 - y1], np.float32)
        share = ((x - x1) * along[0] + (y - y1) * along[1]) / max(float(along @ along), 1e-6)
        share = np.clip(share, 0, 1)
        far = (x - x1 - share * along[0]) ** 2 + (y - y1 - share * along[1]) ** 2
        here = before + np.sqrt(np.maximum((r1 + (r2 - r1) * share) ** 2 - far, 0))
        higher = (far < (r1 + (r2 - r1) * share) ** 2) & (here > height)
        height[higher], material[higher] = here[higher], kind
    there = height > -1
    height[~there] = height[there].min(initial=0.0)
    smooth = cv2.GaussianBlur(height, (0, 0), 1.0) * unit
    slope_y, slope_x = np.gradient(smooth)
    angle = rng.uniform(-np.pi, 0) if rng.random() < 0.8 else rng.uniform(0, np.pi)
    low = rng.uniform(0.3, 1.2)
    light = np.array([np.cos(angle) * low, np.sin(angle) * low, 1.0])
    lit = (light[2] - slope_x * light[0] - slope_y * light[1]) / np.sqrt(1 + slope_x**2 + slope_y**2)
    lit = np.maximum(lit / np.linalg.norm(light), 0)
    creased = np.clip((cv2.GaussianBlur(height, (0, 0), 5.0) - height) / 0.25, 0, 1)
    shade = (rng.uniform(0.35, 0.6) + rng.uniform(0.5, 0.8) * lit) * (1 - rng.uniform(0.3, 0.7) * creased)
    folds = cv2.resize(rng.normal(0, 0.12, (14, 14)).astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    shade *= 1 + folds * np.where(material == CLOTH, 1.0, 0.4)
    alpha = cv2.GaussianBlur(there.astype(np.uint8) * 255, (0, 0), 0.7)
    return Solid(np.asarray(alpha, np.uint8), shade.astype(np.float32), material, unit, np.array(origin, np.float32))


def _scale(parts: list[Capsule], by: float) -> list[Capsule]:
    return [(*(by * value for value in part[:7]), part[7]) for part in parts]  # type: ignore[misc]


def _raise(parts: list[Capsule], by: float) -> list[Capsule]:
    return [(*part[:6], part[6] + by, part[7]) for part in parts]  # type: ignore[misc]


def _mirror(parts: list[Capsule]) -> list[Capsule]:
    return [(-part[0], part[1], -part[2], *part[3:]) for part in parts]  # type: ignore[misc]


def _move(parts: list[Capsule], turned: float, to: tuple[float, float]) -> list[Capsule]:
    """Turned clockwise by radians around 0, 0, then moved."""
    cosine, sine = float(np.cos(turned)), float(np.sin(turned))

    def at(x: float, y: float) -> tuple[float, float]:
        return cosine * x - sine * y + to[0], sine * x + cosine * y + to[1]

    return [(*at(*part[:2]), *at(*part[2:4]), *part[4:]) for part in parts]  # type: ignore[misc]
