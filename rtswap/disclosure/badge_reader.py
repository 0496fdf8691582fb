"""Recognise rtswap's own badge in a picture: to a detector made for recall its box with the large letters looks like
a head, and in a marked film that is swapped again it would be covered."""

from __future__ import annotations

import cv2
import numpy as np

from rtswap.core.types import Box, Image
from rtswap.disclosure.badge import icon_height
from rtswap.disclosure.badge_drawing import draw
from rtswap.disclosure.badge_words import TEXTS, Wording

ALIKE = 0.85
"""Normalised cross-correlation with the drawn box from which it is one: whatever is behind it does not show."""
LOOKS = "dark", "light", "outline"
SIDE = 20
"""Height in pixels of the drawings that are compared."""
RIM = 0.12
"""Share of the box's height on each side that is left out: its corners are round, or show what is behind."""
BEYOND = 0.3
"""How far a head may reach beyond the box, in its height."""


class BadgeReader:
    """Knows the badges of every language and style. One per stream; not thread-safe."""

    def __init__(self) -> None:
        self._drawn: list[Image] = []
        """The boxes, the one that was found last first."""
        self._box_per_icon = draw(Wording("AI", ("", "")), "dark", 40, 0).coverage.shape[0] / 40
        """Height of the box with the large letters, in heights of these."""

    def is_badge(self, image: Image, box: Box) -> bool:
        """Whether a head at ``box`` is the badge's box of letters, complete and as large as it is drawn in a picture
        of this size, and nothing else."""
        height, width = image.shape[:2]
        scale = SIDE / (icon_height(width, height) * self._box_per_icon)
        size = (box[2:] - box[:2]) * scale / SIDE
        if not np.isfinite(box).all() or size.max() > 1 + 2 * BEYOND or size.min() < 0.3:
            return False
        reach = BEYOND * SIDE / scale
        x1, y1 = np.floor(np.maximum(box[:2] - 2 * reach, 0)).astype(int)
        x2, y2 = np.ceil(np.minimum(box[2:] + 2 * reach, (width, height))).astype(int)
        if x2 - x1 < 4 or y2 - y1 < 4:
            return False
        gray = cv2.cvtColor(image[y1:y2, x1:x2], cv2.COLOR_BGR2GRAY)
        around = cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        within = (box - np.tile([x1, y1], 2)) * scale
        self._drawn = self._drawn or _all_boxes()
        for index, drawn in enumerate(self._drawn):
            if drawn.shape[0] > around.shape[0] or drawn.shape[1] > around.shape[1]:
                continue
            _, alike, _, (x, y) = cv2.minMaxLoc(cv2.matchTemplate(around, drawn, cv2.TM_CCOEFF_NORMED))
            margin = (BEYOND + RIM) * SIDE
            low, high = np.array([x, y]) - margin, np.array([x + drawn.shape[1], y + drawn.shape[0]]) + margin
            if alike >= ALIKE and (within[:2] >= low).all() and (within[2:] <= high).all():
                self._drawn.insert(0, self._drawn.pop(index))
                return True
        return False


def _all_boxes() -> list[Image]:
    """The boxes of all languages and styles, ``SIDE`` pixels high, without their rims."""
    boxes = []
    for icon in sorted({wording.icon for wording in TEXTS.values()}):
        for look in LOOKS:
            grey = draw(Wording(icon, ("", "")), look, 40, 0).grey
            wide = round(SIDE * grey.shape[1] / grey.shape[0])
            small = cv2.resize(grey, (wide, SIDE), interpolation=cv2.INTER_AREA)
            rim = round(RIM * SIDE)
            boxes.append(np.ascontiguousarray(np.clip(small, 0, 255).astype(np.uint8)[rim:-rim, rim:-rim]))
    return boxes
