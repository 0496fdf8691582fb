"""Draw mesh, masks, boxes and keypoints over a view of the frame."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.commands.inspect.probes import Probe, SeenMasks
from rtswap.core.types import Image, Track
from rtswap.drawing.strokes import (
    PAPER,
    RED,
    STATES,
    STEPS,
    TEAL,
    FrameView,
    dots,
    label,
    lines,
    outline,
    rectangle,
    tint,
)
from rtswap.vision.geometry import canonical
from rtswap.vision.topology import LEFT_BROW, LEFT_EYE, LIPS_INNER, LIPS_OUTER, OVAL, RIGHT_BROW, RIGHT_EYE

RINGS = (OVAL, LEFT_EYE, RIGHT_EYE, LIPS_OUTER, LIPS_INNER, LEFT_BROW, RIGHT_BROW)
HIDDEN, HALF, SHOWN = (60, 56, 214), (60, 190, 250), (150, 235, 120)
"""Colors for visibility 0, 0.5 and 1."""


@cache
def edges() -> NDArray[np.int32]:
    """Return every edge of the mesh once, (E, 2) vertex indices."""
    triangles = canonical().triangles
    pairs = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    return np.asarray(np.unique(np.sort(pairs, axis=1), axis=0), np.int32)


def draw_mesh(image: Image, view: FrameView, track: Track, *, wires: bool = True) -> None:
    """Draw wireframe and features. Hidden points are red, uncertain ones yellow."""
    points = view.points(track.landmarks)
    if wires:
        net = image.copy()
        lines(net, list(points[edges()]), PAPER)
        cv2.addWeighted(image, 0.72, net, 0.28, 0, dst=image)
    lines(image, [points[ring] for ring in RINGS], SHOWN, closed=True)
    doubtful = track.visibility < 0.75 if wires else track.visibility < 0.5
    dots(image, points[doubtful], colors_of(track.visibility[doubtful]), 1.6)
    dots(image, view.points(track.keypoints), np.full((5, 3), PAPER, np.uint8), 2.2)


def colors_of(visibility: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return (N, 3) BGR colors from red (0) through yellow to green (1)."""
    shares = np.clip(visibility, 0, 1)
    channels = [np.interp(shares, [0, 0.5, 1], [HIDDEN[c], HALF[c], SHOWN[c]]) for c in range(3)]
    return np.stack(channels, 1).astype(np.uint8)


def draw_masks(image: Image, view: FrameView, seen: SeenMasks) -> None:
    """Tint and outline where the swap shows; color what each step removed."""
    laid = view.mask(seen.hull, seen.matrix)
    for name, mask in seen.after:
        left = view.mask(mask, seen.matrix)
        tint(image, np.asarray(cv2.subtract(laid, left), np.uint8), STEPS.get(name, RED), 0.7)
        laid = left
    tint(image, laid, TEAL, 0.2)
    outline(image, laid, (230, 240, 120))


def draw_boxes(image: Image, view: FrameView, watch: Probe) -> None:
    """Draw each face's box with id and confidence in the color of its state, and the boxes to cover."""
    for box in watch.covered:
        if np.isfinite(box).all():
            rectangle(image, np.clip(view.box(box), 2, np.tile(view.size, 2) - 3), RED, 2)
    for track in watch.tracks:
        color = STATES[state_of(watch, track)]
        box = view.box(track.box)
        rectangle(image, box, color, 2)
        label(image, f"{track.id}   {track.confidence:.2f}", (box[0], box[1] - 4), color)


def state_of(watch: Probe, track: Track) -> str:
    """Return measured, coasting, or covered if its swap was rejected."""
    if not watch.swapped(track):
        return "covered"
    return "measured" if track.measured else "coasting"
