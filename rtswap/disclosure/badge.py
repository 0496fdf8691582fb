"""The visible badge: a small plate at the edge of the frame that says that the face is synthetic."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import cv2
import numpy as np

from rtswap.core.errors import ConfigError
from rtswap.core.text import suggestion
from rtswap.core.types import Image
from rtswap.disclosure.badge_drawing import Drawing, Plane, draw
from rtswap.disclosure.badge_words import TEXTS, Wording

__all__ = ["POSITIONS", "STYLES", "TEXTS", "Badge", "Patch", "icon_height", "render"]

POSITIONS = ("tl", "tc", "tr", "bl", "bc", "br")
STYLES = ("auto", "dark", "light", "outline")

ICON_PER_WIDTH = 9 / 320
"""Height of the large letters relative to the frame's width: 9 px remain in a thumbnail of 320."""
ICON_PER_SIDE = 0.04
"""Minimum relative to the frame's shorter side: the font's size is then 5 %, which GB 45438-2025 requires."""
ICON_PER_HEIGHT = 0.12
MIN_ICON_PX = 9
WORDS_PER_ICON = 21 / 36
"""Font size of the words relative to the height of the large letters: 21 px at 1280x720."""
MIN_WORD_PX = 10
"""Minimum font size: below it the words are illegible."""
MOST = 0.2
"""Share of the frame's width that the badge may take: wider words shrink, or are left out."""

MIDDLE_GREY = 118
"""The sRGB grey 0..255 on which black and white have the same contrast (WCAG luminance 0.18)."""
DEAD_BAND = 20
"""Grey levels on either side of it that change nothing."""
PATIENCE = 30
"""Consecutive frames that must favour the other style before the badge switches: no flicker, whatever flashes."""


@dataclass(frozen=True, slots=True)
class Badge:
    """Language, style and position of the badge. Raises ConfigError for unknown names."""

    style: str = "auto"
    position: str = "bl"
    language: str = "en"

    def __post_init__(self) -> None:
        _one_of("badge style", self.style, STYLES)
        _one_of("badge position", self.position, POSITIONS)
        _one_of("badge language", self.language, TEXTS)

    @property
    def wording(self) -> Wording:
        return TEXTS[self.language]

    @property
    def looks(self) -> tuple[str, ...]:
        """Styles to draw: for bright frames, for dark frames. The box with the large letters then has the opposite
        shade."""
        return ("light", "dark") if self.style == "auto" else (self.style,)


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """``out = frame * keep / 255 + ink``, each (h, w, 3)."""

    ink: Image
    """Colours, multiplied by their opacity."""
    keep: Image
    """255 = the frame shows through, 0 = covered."""


class Patch:
    """A badge rendered for one frame size, at (x, y). With two layers, the background selects one: the first if
    bright, the second if dark."""

    def __init__(self, x: int, y: int, layers: tuple[Layer, ...]) -> None:
        self.x, self.y, self.layers = x, y, layers
        self._chosen: int | None = 0 if len(layers) == 1 else None
        self._against = 0

    def blend_into(self, image: Image) -> None:
        height, width = self.layers[0].ink.shape[:2]
        region = image[self.y : self.y + height, self.x : self.x + width]
        layer = self.layers[self._choose(region) if len(self.layers) > 1 else 0]
        cv2.multiply(region, layer.keep, region, scale=1 / 255)
        cv2.add(region, layer.ink, region)

    def _choose(self, region: Image) -> int:
        """Index of the layer: 0 on bright, 1 on dark. The first frame decides at once; a switch needs ``PATIENCE``
        frames."""
        step = max(1, region.shape[0] // 10)
        grey = float(region[::step, ::step, 1].mean())
        if self._chosen is None:
            self._chosen = int(grey < MIDDLE_GREY)
        elif abs(grey - MIDDLE_GREY) > DEAD_BAND and (grey < MIDDLE_GREY) != bool(self._chosen):
            self._against += 1
            if self._against >= PATIENCE:
                self._chosen, self._against = 1 - self._chosen, 0
        else:
            self._against = 0
        return self._chosen


def render(badge: Badge, width: int, height: int) -> Patch:
    """Render the badge for frames of ``width`` x ``height`` pixels, at most a fifth of the frame's width unless that
    is less than ``MIN_ICON_PX``."""
    icon_px = icon_height(width, height)
    margin = min(icon_px // 2, width // 16, height // 16)
    drawings = _draw_fitting(badge, icon_px, width)
    h, w = drawings[0].coverage.shape
    most = max(MOST * width, min(MIN_ICON_PX, width - 2 * margin))
    scale = min(1.0, most / w, (height - 2 * margin) / h)
    size = (max(1, int(w * scale)), max(1, int(h * scale)))
    x = {"l": margin, "c": (width - size[0]) // 2, "r": width - margin - size[0]}[badge.position[1]]
    y = margin if badge.position[0] == "t" else height - margin - size[1]
    return Patch(x, y, tuple(_layer(drawing, size) for drawing in drawings))


def icon_height(width: int, height: int) -> int:
    """Pixels of the large letters."""
    icon_px = round(max(width * ICON_PER_WIDTH, min(width, height) * ICON_PER_SIDE))
    return max(MIN_ICON_PX, min(icon_px, round(height * ICON_PER_HEIGHT)))


def _draw_fitting(badge: Badge, icon_px: int, width: int) -> list[Drawing]:
    """Draw the badge in each style, with its words as large as the frame's width allows."""
    word_px = max(MIN_WORD_PX, round(icon_px * WORDS_PER_ICON))
    wide = draw(badge.wording, badge.looks[0], icon_px, word_px).coverage.shape[1]
    if wide > MOST * width:
        bare = draw(badge.wording, badge.looks[0], icon_px, 0).coverage.shape[1]
        share = max(0.0, MOST * width - bare) / (wide - bare)
        least = max(MIN_WORD_PX, int(word_px * share))
        wide = round(bare + (wide - bare) * least / word_px)
        word_px = least if wide <= MOST * width else 0
    return [draw(badge.wording, look, icon_px, word_px) for look in badge.looks]


def _layer(drawing: Drawing, size: tuple[int, int]) -> Layer:
    coverage, grey = (_resize(plane, size) for plane in (drawing.coverage, drawing.grey))
    return Layer(_three_channels(grey), _three_channels(255 * (1 - coverage)))


def _resize(plane: Plane, size: tuple[int, int]) -> Plane:
    if (plane.shape[1], plane.shape[0]) == size:
        return plane
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), np.float32)


def _three_channels(plane: Plane) -> Image:
    values = np.clip(np.rint(plane), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(np.repeat(values[..., None], 3, axis=2))


def _one_of(what: str, name: str, names: Collection[str]) -> None:
    if name not in names:
        do = suggestion(name, names)
        raise ConfigError(f"unknown {what}", expected=", ".join(names), got=repr(name), do=do)
