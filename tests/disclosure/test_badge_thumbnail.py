"""The large letters are readable in a picture scaled to 320 pixels and compressed by H.264 at CRF 28.

No text recognition is used: the resulting letters are compared with the same and with other letters, drawn at that
size by this file. They must be more similar to the same letters than to any others.
"""

from __future__ import annotations

import io
from functools import cache

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from rtswap.core.types import Image
from rtswap.disclosure import POSITIONS, STYLES, TEXTS, Badge
from rtswap.disclosure.badge import Patch, render
from rtswap.vision.talking_head import persona

THUMB = 320
ALIKE = 0.80
"""Correlation from which letters count as read. A plate without letters or with blurred ones stays below 0.6."""
ICONS = sorted({wording.icon for wording in TEXTS.values()})
BACKGROUNDS = ("bright", "dark", "grey", "busy", "skin")


@cache
def backdrop(kind: str, width: int, height: int) -> Image:
    if kind == "busy":
        tiles = np.random.default_rng(1).integers(0, 256, (height // 12 + 1, width // 12 + 1, 3), np.uint8)
        return np.ascontiguousarray(cv2.resize(tiles, (width, height), interpolation=cv2.INTER_NEAREST))
    if kind == "skin":
        face = persona("ada")
        side = face.shape[0]
        cheek = face[side * 5 // 10 : side * 6 // 10, side * 4 // 10 : side * 6 // 10]
        return np.ascontiguousarray(cv2.resize(cheek, (width, height)))
    return np.full((height, width, 3), {"bright": 240, "dark": 14, "grey": 118}[kind], np.uint8)


def encoded(image: Image) -> Image:
    """Area-averaged to 320 wide, H.264 at CRF 28, and back."""
    height = round(image.shape[0] * THUMB / image.shape[1] / 2) * 2
    small = cv2.resize(image, (THUMB, height), interpolation=cv2.INTER_AREA)
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = THUMB, height, "yuv420p"
        stream.options = {"crf": "28", "preset": "veryfast"}
        container.mux(stream.encode(av.VideoFrame.from_ndarray(small, "bgr24")))
        container.mux(stream.encode(None))
    buffer.seek(0)
    with av.open(buffer) as container:
        return next(container.decode(video=0)).to_ndarray(format="bgr24")


@cache
def drawn(icon: str, height_px: float) -> NDArray[np.float32]:
    """The letters alone, white on black, ``height_px`` high, with a pixel around: drawn large and area-averaged."""
    canvas = np.zeros((400, 400 + 300 * len(icon), 3), np.uint8)
    cv2.putText(canvas, icon, (100, 300), (255, 255, 255), cv2.FontFace("sans"), 240, 700)
    x, y, w, h = cv2.boundingRect(canvas[..., 0])
    scale = height_px / h
    pad = round(1.5 / scale)
    tight = np.pad(canvas[y : y + h, x : x + w, 0], pad)
    size = (round(tight.shape[1] * scale), round(tight.shape[0] * scale))
    return cv2.resize(tight, size, interpolation=cv2.INTER_AREA).astype(np.float32)


def likeness(thumb: Image, icon: str, patch: Patch, scale: float) -> float:
    """The best correlation of these letters, dark or light, with the thumbnail where the box is."""
    h, w = patch.layers[0].ink.shape[:2]
    left, top = int(patch.x * scale), int(patch.y * scale)
    box = thumb[top : top + round(h * scale) + 1, left : left + round(min(w, 1.9 * h + 40) * scale) + 1]
    grey = cv2.cvtColor(box, cv2.COLOR_BGR2GRAY).astype(np.float32)
    best = 0.0
    for height_px in np.arange(8.0, 12.6, 0.5):
        shape = drawn(icon, float(height_px))
        if shape.shape[0] <= grey.shape[0] and shape.shape[1] <= grey.shape[1]:
            best = max(best, float(np.abs(cv2.matchTemplate(grey, shape, cv2.TM_CCOEFF_NORMED)).max()))
    return best


def seen(badge: Badge, kind: str, width: int = 1280, height: int = 720) -> tuple[Image, Patch, float]:
    image = backdrop(kind, width, height).copy()
    patch = render(badge, width, height)
    patch.blend_into(image)
    return encoded(image), patch, THUMB / width


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("kind", BACKGROUNDS)
def test_reads_on_every_background(style: str, kind: str) -> None:
    thumb, patch, scale = seen(Badge(style), kind)
    found = {icon: likeness(thumb, icon, patch, scale) for icon in ICONS}
    assert found["AI"] >= ALIKE
    assert max(found, key=lambda icon: found[icon]) == "AI"


@pytest.mark.parametrize("language", TEXTS)
def test_reads_in_every_language(language: str) -> None:
    icon = TEXTS[language].icon
    thumb, patch, scale = seen(Badge("auto", language=language), "grey")
    others = [other for other in ICONS if other not in icon]  # "AI" does stand in the Chinese one
    found = likeness(thumb, icon, patch, scale)
    assert found >= ALIKE
    assert found > max(likeness(thumb, other, patch, scale) for other in others)


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize(("width", "height"), [(640, 480), (720, 1280), (1920, 1080), (3840, 2160)])
def test_reads_in_every_place_and_shape(position: str, width: int, height: int) -> None:
    thumb, patch, scale = seen(Badge("auto", position), "grey", width, height)
    assert likeness(thumb, "AI", patch, scale) >= ALIKE


@pytest.mark.parametrize("kind", BACKGROUNDS)
@pytest.mark.parametrize("harm", ["blank", "blurred", "as small as before"])
def test_what_cannot_be_read_would_be_found(kind: str, harm: str) -> None:
    """The same measure fails an empty box, blurred letters, and the letters of 16 px that the label once had."""
    image = backdrop(kind, 1280, 720).copy()
    patch = render(Badge("dark"), 1280, 720)
    patch.blend_into(image)
    h, w = patch.layers[0].ink.shape[:2]
    region = image[patch.y : patch.y + h, patch.x : patch.x + w]
    if harm == "blank":
        region[:] = 255
    elif harm == "blurred":
        region[:] = cv2.GaussianBlur(region, (0, 0), 12)
    else:
        region[:] = 30
        cv2.putText(region, "AI-generated face", (10, 38), (255, 255, 255), cv2.FontFace("sans"), 21, 600)
    assert likeness(encoded(image), "AI", patch, THUMB / 1280) < ALIKE
