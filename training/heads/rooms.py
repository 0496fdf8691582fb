"""Places without heads: what lies beside the people in portraits, and painted walls, stripes, clutter and noise."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from training.arrays import Bytes, Floats
from training.heads.portraits import Portraits


def room(portraits: Portraits, height: int, width: int, rng: np.random.Generator) -> Bytes:
    """(height, width, 3) without a head."""
    kind = rng.random()
    if kind < 0.65:
        return patch(portraits, height, width, rng)
    if kind < 0.75:
        left = int(rng.integers(width // 4, width))
        return np.hstack([patch(portraits, height, left, rng), patch(portraits, height, width - left, rng)])
    return paint(height, width, rng)


def patch(portraits: Portraits, height: int, width: int, rng: np.random.Generator) -> Bytes:
    """A part of a portrait that no head touches, stretched."""
    picture, boxes = None, None
    for _ in range(12):
        number = int(rng.integers(len(portraits)))
        picture, boxes = portraits.pictures[number], portraits.boxes[number]
        side = picture.shape[0]
        wide, tall = np.maximum(rng.uniform(0.08, 0.6) * side * np.exp(rng.normal(0, 0.2, 2)), 8).astype(int)
        wide, tall = min(int(wide), side - 1), min(int(tall), side - 1)
        x, y = int(rng.integers(0, side - wide)), int(rng.integers(0, side - tall))
        if not touches_head(boxes, x, y, wide, tall):
            part = picture[y : y + tall, x : x + wide]
            part = part[:, ::-1] if rng.random() < 0.5 else part
            part = part[::-1] if rng.random() < 0.3 else part
            part = part.swapaxes(0, 1) if rng.random() < 0.3 else part
            how = cv2.INTER_AREA if wide > width else cv2.INTER_LINEAR
            return np.array(cv2.resize(part, (max(width, 1), max(height, 1)), interpolation=how), np.uint8)
    return paint(height, width, rng)


def scrap(
    portraits: Portraits, height: int, width: int, skin: Callable[[], Floats], rng: np.random.Generator
) -> tuple[Bytes, Bytes]:
    """A part of a portrait without a head, round or square, with a soft edge: its pixels (height, width, 3) and its
    opacity (height, width). At times of one colour, ``skin``, or with spots."""
    side = max(width, height)
    picture = patch(portraits, height, width, rng)
    alpha = np.zeros((height, width), np.uint8)
    if rng.random() < 0.7:
        cv2.ellipse(alpha, (width // 2, height // 2), (round(width * 0.42), round(height * 0.42)), 0, 0, 360, 255, -1)
    else:
        alpha[1:-1, 1:-1] = 255
    if rng.random() < 0.3:
        picture[:] = skin()
    if rng.random() < 0.25:
        for _ in range(int(rng.integers(1, 6))):
            at = (int(rng.integers(width)), int(rng.integers(height)))
            radius = max(1, round(side * float(rng.uniform(0.02, 0.12))))
            cv2.circle(picture, at, radius, rng.uniform(0, 255, 3).tolist(), -1)
    soft = float(rng.uniform(0.4, 0.5 + side / 25))
    return picture, np.asarray(cv2.GaussianBlur(alpha, (0, 0), soft), np.uint8)


def touches_head(boxes: np.ndarray, x: int, y: int, wide: int, tall: int) -> bool:
    """Whether a head, with its hair, may reach into the part."""
    for x1, y1, x2, y2 in boxes[boxes[:, 2] > 0]:
        grow = 0.25 * (y2 - y1)
        if x < x2 + grow and x + wide > x1 - grow and y < y2 + 0.4 * grow and y + tall > y1 - 2 * grow:
            return True
    return False


def paint(height: int, width: int, rng: np.random.Generator) -> Bytes:
    """Soft light on a wall, with furniture, stripes or clutter before it."""
    grid = rng.uniform(0, 255, (int(rng.integers(1, 4)), int(rng.integers(1, 4)), 3)).astype(np.float32)
    if rng.random() < 0.5:
        grid = grid.mean(-1, keepdims=True) + rng.normal(0, 12, grid.shape).astype(np.float32)
    canvas = np.clip(cv2.resize(grid, (max(width, 1), max(height, 1))), 0, 255).astype(np.uint8)
    canvas = canvas.reshape(max(height, 1), max(width, 1), 3)
    for _ in range(int(rng.poisson(rng.choice([0, 3, 20])))):
        at = rng.integers((-width // 4, -height // 4), (width, height)).tolist()
        size = np.exp(rng.uniform(np.log(2), np.log(max(width, 4)), 2)).astype(int).tolist()
        colour = rng.uniform(0, 255, 3).tolist()
        shape = rng.random()
        if shape < 0.5:
            cv2.rectangle(canvas, at, (at[0] + size[0], at[1] + size[1]), colour, -1)
        elif shape < 0.75:
            cv2.ellipse(
                canvas,
                at,
                (max(size[0] // 2, 1), max(size[1] // 2, 1)),
                float(rng.uniform(0, 180)),
                0,
                360,
                colour,
                -1,
            )
        else:
            cv2.line(canvas, at, (at[0] + size[0], at[1] + size[1]), colour, int(rng.integers(1, 8)), cv2.LINE_AA)
    if rng.random() < 0.3:
        canvas = np.asarray(cv2.GaussianBlur(canvas, (0, 0), float(rng.uniform(0.6, 6))), np.uint8)
    return canvas


def print_on_cloth(portraits: Portraits, cloth: np.ndarray, side: int, rng: np.random.Generator) -> Bytes:
    """(side, side, 3) cloth of a BGR colour with a pattern, or with a print or a badge on its middle."""
    if rng.random() < 0.4:
        return patch(portraits, side, side, rng)
    picture = np.empty((side, side, 3), np.uint8)
    picture[:] = np.clip(cloth, 0, 255)
    many = rng.random() < 0.4
    for _ in range(int(rng.integers(20, 60)) if many else int(rng.integers(1, 8))):
        at = np.clip(rng.normal(side / 2, side / 2 if many else side / 12, 2), 0, side).astype(int)
        size = (np.exp(rng.uniform(0.5, 2.0 if many else 3.2, 2)) + 1).astype(int)
        colour = rng.uniform(0, 255, 3).tolist()
        if rng.random() < 0.6:
            cv2.ellipse(picture, at.tolist(), size.tolist(), float(rng.uniform(0, 180)), 0, 360, colour, -1)
        else:
            cv2.rectangle(picture, (at - size).tolist(), (at + size).tolist(), colour, -1)
    return picture


def put_bars(picture: Bytes, rng: np.random.Generator) -> None:
    """Bars or blinds of one colour before everything, in place."""
    height, width = picture.shape[:2]
    step, share = int(rng.integers(6, 40)), float(rng.uniform(0.15, 0.5))
    along = np.arange(height) if rng.random() < 0.6 else np.arange(width)
    bars = ((along + int(rng.integers(step))) % step) < share * step
    where = np.zeros((height, width), bool)
    where |= bars[:, None] if len(bars) == height else bars[None]
    picture[where] = rng.uniform(0, 255, 3)
