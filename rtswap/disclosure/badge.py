"""The visible label: a small plate in a corner that says that the face is synthetic.

Drawn with OpenCV's own TrueType fonts (OpenCV 5), which hold Latin, Chinese, Japanese and Korean letters.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.errors import ConfigError
from rtswap.types import Image

Plane = NDArray[np.float32]

TEXTS = MappingProxyType(
    {
        "en": "AI-generated face",
        "de": "KI-generiertes Gesicht",
        "fr": "Visage généré par IA",
        "es": "Rostro generado por IA",
        "it": "Volto generato dall'IA",
        "pt": "Rosto gerado por IA",
        "nl": "AI-gegenereerd gezicht",
        "pl": "Twarz wygenerowana przez SI",
        "zh": "AI生成的面孔",
        "ja": "AI生成の顔",
        "ko": "AI 생성 얼굴",
    }
)
POSITIONS = ("tl", "tr", "bl", "br")
STYLES = ("dark", "light", "outline")

MIN_LETTER_PX = 11
"""Below this the letters cannot be read any more."""
LETTERS_PER_FRAME = 1 / 46
"""Letter height over the geometric mean of the frame's sides: 21 px at 1280x720."""
BOLD = 600


@dataclass(frozen=True, slots=True)
class Badge:
    """What the label says, how it looks and in which corner it sits. Raises ConfigError for unknown names."""

    style: str = "dark"
    position: str = "bl"
    language: str = "en"

    def __post_init__(self) -> None:
        _one_of("badge style", self.style, STYLES)
        _one_of("badge position", self.position, POSITIONS)
        _one_of("badge language", self.language, TEXTS)

    @property
    def text(self) -> str:
        return TEXTS[self.language]


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """A badge rendered for one frame size: ``out = frame * keep / 255 + ink`` on the region at (x, y)."""

    x: int
    y: int
    ink: Image
    """(h, w, 3) colours, already multiplied by their opacity."""
    keep: Image
    """(h, w, 3) 255 = the frame shows through, 0 = covered."""

    def blend_into(self, image: Image) -> None:
        height, width = self.ink.shape[:2]
        region = image[self.y : self.y + height, self.x : self.x + width]
        cv2.multiply(region, self.keep, region, scale=1 / 255)
        cv2.add(region, self.ink, region)


def render(badge: Badge, width: int, height: int) -> Patch:
    """The badge for frames of ``width`` x ``height`` pixels, never larger than the frame."""
    letter_px = max(MIN_LETTER_PX, round(LETTERS_PER_FRAME * (width * height) ** 0.5))
    coverage, ink = _draw(badge.text, letter_px, badge.style)
    margin = min(letter_px // 2, width // 16, height // 16)
    scale = min(1.0, (width - 2 * margin) / ink.shape[1], (height - 2 * margin) / ink.shape[0])
    if scale < 1:
        size = (max(1, int(ink.shape[1] * scale)), max(1, int(ink.shape[0] * scale)))
        coverage = np.asarray(cv2.resize(coverage, size, interpolation=cv2.INTER_AREA), np.float32)
        ink = np.asarray(cv2.resize(ink, size, interpolation=cv2.INTER_AREA), np.float32)
    h, w = coverage.shape
    x = margin if badge.position.endswith("l") else width - margin - w
    y = margin if badge.position.startswith("t") else height - margin - h
    keep = _to_uint8(np.repeat(255 * (1 - coverage)[..., None], 3, axis=2))
    return Patch(x, y, _to_uint8(ink), keep)


def _draw(text: str, letter_px: int, style: str) -> tuple[Plane, Plane]:
    """Opacity (h, w) 0..1 and colours times opacity (h, w, 3) 0..255, both float32."""
    pad = max(2, letter_px // 2)
    letters = _letters(text, letter_px, pad)
    if style == "outline":
        reach = max(1, letter_px // 10)
        halo = cv2.dilate(letters, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1)))
        halo = cv2.GaussianBlur(halo, (0, 0), max(0.6, reach / 2))
        return np.maximum(halo, letters), np.repeat((letters * 255)[..., None], 3, axis=2)
    plate, ink, opacity = (24.0, 255.0, 0.68) if style == "dark" else (245.0, 20.0, 0.78)
    shape = _rounded(letters.shape[0], letters.shape[1], letter_px * 0.35) * opacity
    coverage = letters + shape * (1 - letters)
    colour = letters * ink + shape * (1 - letters) * plate
    return coverage, np.repeat(colour[..., None], 3, axis=2)


def _letters(text: str, letter_px: int, pad: int) -> Plane:
    """(h, w) 0..1 float32: the words, with ``pad`` pixels around."""
    font = cv2.FontFace("sans")
    canvas = np.zeros((letter_px * 3, letter_px * (len(text) + 4), 3), np.uint8)
    cv2.putText(canvas, text, (letter_px, letter_px * 2), (255, 255, 255), font, letter_px, BOLD)
    x, y, w, h = cv2.boundingRect(canvas[..., 0])
    inner = canvas[y : y + h, x : x + w, 0].astype(np.float32) / 255
    return np.pad(inner, ((pad * 2 // 3,) * 2, (pad,) * 2))


def _rounded(height: int, width: int, radius: float) -> Plane:
    """(height, width) 0..1 float32: a rectangle with round corners."""
    y, x = np.mgrid[:height, :width].astype(np.float32) + 0.5
    dx = np.abs(x - width / 2) - (width / 2 - radius)
    dy = np.abs(y - height / 2) - (height / 2 - radius)
    outside = np.hypot(np.maximum(dx, 0), np.maximum(dy, 0)) - radius
    return np.asarray(np.clip(0.5 - outside, 0, 1), np.float32)


def _to_uint8(values: Plane) -> Image:
    return np.ascontiguousarray(np.clip(np.rint(values), 0, 255).astype(np.uint8))


def _one_of(what: str, name: str, names: Iterable[str]) -> None:
    known = list(names)
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        raise ConfigError(
            f"unknown {what}",
            expected=", ".join(known),
            got=repr(name),
            do=f"Did you mean {near[0]}?" if near else "",
        )
