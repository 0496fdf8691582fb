"""Painted round things that are no heads: wheels, dials, lamps, flowers, buttons, vents and doors with a round top.
From afar they have a head's outline, and something dark and light in it where a face has eyes and a mouth."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from training.arrays import Bytes, Floats

SIDE = 96
MIDDLE = SIDE // 2, SIDE // 2
RADIUS = 44
Painter = Callable[[Bytes, Bytes, np.random.Generator], None]


def round_thing(height: int, width: int, rng: np.random.Generator) -> tuple[Bytes, Bytes]:
    """Its pixels (height, width, 3) and its opacity (height, width)."""
    picture = np.empty((SIDE, SIDE, 3), np.uint8)
    picture[:] = _colour(rng)
    alpha = np.zeros((SIDE, SIDE), np.uint8)
    PAINTERS[int(rng.integers(len(PAINTERS)))](picture, alpha, rng)
    lit = np.clip(picture * _light(rng)[..., None], 0, 255).astype(np.uint8)
    blurred = cv2.GaussianBlur(lit, (0, 0), float(rng.uniform(0.4, 1.6)))
    soft = cv2.GaussianBlur(alpha, (0, 0), float(rng.uniform(0.5, 2)))
    size = max(width, 1), max(height, 1)
    how = cv2.INTER_AREA if min(size) < SIDE else cv2.INTER_LINEAR
    return (
        np.asarray(cv2.resize(blurred, size, interpolation=how), np.uint8),
        np.asarray(cv2.resize(soft, size, interpolation=how), np.uint8),
    )


def _colour(rng: np.random.Generator, grey: float = 0.6) -> Floats:
    """BGR, 0..255, mostly nearly grey."""
    colour = rng.uniform(0, 255, 3) if rng.random() > grey else np.full(3, rng.uniform(0, 255)) + rng.normal(0, 10, 3)
    return np.asarray(np.clip(colour, 0, 255), np.float32)


def _light(rng: np.random.Generator) -> Floats:
    """(SIDE, SIDE) 0.5..1.4: brighter towards a lamp."""
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32) / SIDE - 0.5
    angle, strength = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.8)
    return np.asarray(1 + strength * (np.cos(angle) * x + np.sin(angle) * y), np.float32)


def _disc(picture: Bytes, radius: float, colour: Floats) -> None:
    cv2.circle(picture, MIDDLE, round(radius), colour.tolist(), -1, cv2.LINE_AA)


def _spokes(picture: Bytes, rng: np.random.Generator, inner: float, outer: float, colour: Floats) -> None:
    count, start, thick = int(rng.integers(3, 15)), rng.uniform(0, np.pi), int(rng.integers(1, 9))
    for angle in start + np.arange(count) * 2 * np.pi / count:
        way = np.array([np.cos(angle), np.sin(angle)])
        ends = [np.round(np.array(MIDDLE) + reach * way).astype(int).tolist() for reach in (inner, outer)]
        cv2.line(picture, ends[0], ends[1], colour.tolist(), thick, cv2.LINE_AA)


def _wheel(picture: Bytes, alpha: Bytes, rng: np.random.Generator) -> None:
    """Of a car, a bicycle or a cart: tyre, rim, spokes, hub."""
    cv2.circle(alpha, MIDDLE, RADIUS, 255, -1)
    tyre, rim = RADIUS, RADIUS * float(rng.uniform(0.6, 0.92))
    _disc(picture, tyre, _colour(rng, 0.9) * 0.35)
    _disc(picture, rim, _colour(rng, 0.9))
    _disc(picture, rim * float(rng.uniform(0.8, 0.95)), _colour(rng, 0.9) * float(rng.uniform(0.15, 0.9)))
    _spokes(picture, rng, 0, rim, _colour(rng, 0.9))
    _disc(picture, rim * float(rng.uniform(0.08, 0.35)), _colour(rng, 0.9))


def _dial(picture: Bytes, alpha: Bytes, rng: np.random.Generator) -> None:
    """A clock, a gauge, a loudspeaker, a plate."""
    cv2.circle(alpha, MIDDLE, RADIUS, 255, -1)
    for radius in sorted(rng.uniform(0.15, 1, int(rng.integers(1, 5))), reverse=True):
        _disc(picture, RADIUS * float(radius), _colour(rng, 0.7))
    if rng.random() < 0.6:
        _spokes(picture, rng, RADIUS * float(rng.uniform(0.6, 0.85)), 0.92 * RADIUS, _colour(rng, 0.9))
    for _ in range(int(rng.integers(0, 3))):
        angle, reach = rng.uniform(0, 2 * np.pi), RADIUS * float(rng.uniform(0.4, 0.9))
        end = (round(MIDDLE[0] + reach * np.cos(angle)), round(MIDDLE[1] + reach * np.sin(angle)))
        cv2.line(picture, MIDDLE, end, _colour(rng, 0.9).tolist(), int(rng.integers(1, 5)), cv2.LINE_AA)


def _lamp(picture: Bytes, alpha: Bytes, rng: np.random.Generator) -> None:
    """A lantern or a lampshade: a body that shines, with bars before it and a cap."""
    wide, tall = RADIUS * float(rng.uniform(0.5, 0.85)), RADIUS * float(rng.uniform(0.7, 0.95))
    cv2.ellipse(alpha, MIDDLE, (round(wide), round(tall)), 0, 0, 360, 255, -1)
    y = np.mgrid[:SIDE, :SIDE][0].astype(np.float32) / SIDE - rng.uniform(0.35, 0.65)
    glow = np.exp(-((y / rng.uniform(0.12, 0.6)) ** 2))[..., None]
    picture[:] = np.clip(picture + glow * (_colour(rng, 0.2) + 120 - picture), 0, 255).astype(np.uint8)
    bar = (_colour(rng, 0.9) * 0.4).tolist()
    for x in np.linspace(MIDDLE[0] - wide, MIDDLE[0] + wide, int(rng.integers(2, 8))):
        cv2.line(picture, (round(x), 0), (round(x), SIDE), bar, int(rng.integers(1, 5)), cv2.LINE_AA)
    for level in rng.uniform(0.1, 0.9, int(rng.integers(0, 4))):
        cv2.line(picture, (0, round(level * SIDE)), (SIDE, round(level * SIDE)), bar, int(rng.integers(1, 6)))


def _flower(picture: Bytes, alpha: Bytes, rng: np.random.Generator) -> None:
    petals, colour = int(rng.integers(4, 16)), _colour(rng, 0.1)
    inner, long, broad = (RADIUS * float(rng.uniform(*part)) for part in ((0.3, 0.55), (0.35, 0.5), (0.12, 0.35)))
    for angle in rng.uniform(0, 6) + np.arange(petals) * 2 * np.pi / petals:
        at = (round(MIDDLE[0] + inner * np.cos(angle)), round(MIDDLE[1] + inner * np.sin(angle)))
        shade = np.clip(colour * float(np.exp(rng.normal(0, 0.15))), 0, 255).tolist()
        for canvas, value in ((picture, shade), (alpha, 255)):
            cv2.ellipse(
                canvas, at, (round(long), round(broad)), float(np.degrees(angle)), 0, 360, value, -1, cv2.LINE_AA
            )
    _disc(picture, RADIUS * float(rng.uniform(0.15, 0.4)), _colour(rng, 0.3))


def _button(picture: Bytes, alpha: Bytes, rng: np.random.Generator) -> None:
    """A button, a socket, a lid with screws: holes in a ring."""
    cv2.circle(alpha, MIDDLE, RADIUS, 255, -1)
    _disc(picture, RADIUS * float(rng.uniform(0.7, 0.9)), _colour(rng, 0.5))
    count, reach, hole = int(rng.choice([4, 4, 5, 6, 8])), rng.uniform(0.2, 0.6) * RADIUS, rng.uniform(2, 7)
    for angle in rng.uniform(0, 6) + np.arange(count) * 2 * np.pi / count:
        at = (round(MIDDLE[0] + reach * np.cos(angle)), round(MIDDLE[1] + reach * np.sin(angle)))
        cv2.circle(picture, at, round(hole), (_colour(rng, 0.8) * 0.4).tolist(), -1, cv2.LINE_AA)


def _vent(picture: Bytes, alpha: Bytes, rng: np.random.Generator) -> None:
    """A vent, a drain, a basket: bars or a grid."""
    cv2.ellipse(alpha, MIDDLE, (RADIUS, round(RADIUS * float(rng.uniform(0.6, 1)))), 0, 0, 360, 255, -1)
    dark, step = (_colour(rng, 0.9) * 0.4).tolist(), int(rng.integers(4, 16))
    for at in range(int(rng.integers(step)), SIDE, step):
        thick = int(rng.integers(1, max(step // 2, 2)))
        cv2.line(picture, (0, at), (SIDE, at), dark, thick)
        if step % 2:
            cv2.line(picture, (at, 0), (at, SIDE), dark, thick)
    cv2.circle(picture, MIDDLE, RADIUS, _colour(rng, 0.8).tolist(), int(rng.integers(1, 8)))


def _arch(picture: Bytes, alpha: Bytes, rng: np.random.Generator) -> None:
    """A door or a window with a round top: panes, bars, a frame."""
    half, top = round(RADIUS * float(rng.uniform(0.5, 0.8))), round(SIDE * float(rng.uniform(0.35, 0.5)))
    for canvas, value in ((alpha, 255), (picture, (_colour(rng, 0.6) * 0.6).tolist())):
        cv2.circle(canvas, (MIDDLE[0], top), half, value, -1)
        cv2.rectangle(canvas, (MIDDLE[0] - half, top), (MIDDLE[0] + half, SIDE - 4), value, -1)
    for _ in range(int(rng.integers(0, 5))):
        x, y = MIDDLE[0] + int(rng.integers(-half, half)), int(rng.integers(top - half, SIDE))
        size = (x + int(rng.integers(3, half + 3)), y + int(rng.integers(3, half + 3)))
        cv2.rectangle(picture, (x, y), size, _colour(rng, 0.6).tolist(), -1)
    frame = _colour(rng, 0.8).tolist()
    for x in np.linspace(MIDDLE[0] - half, MIDDLE[0] + half, int(rng.integers(2, 5))):
        cv2.line(picture, (round(x), 0), (round(x), SIDE), frame, int(rng.integers(1, 5)))
    cv2.line(picture, (0, top), (SIDE, top), frame, int(rng.integers(1, 5)))


PAINTERS: tuple[Painter, ...] = (_wheel, _wheel, _dial, _lamp, _flower, _button, _vent, _arch)
"""Wheels twice: they are what was mistaken most often."""
