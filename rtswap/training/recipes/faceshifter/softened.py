"""What a taught generator sees of its target: who it is shall not be told."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from rtswap.training.losses import smooth
from rtswap.vision.templates import TEMPLATES

SIGMA = 3.0
"""Of the blur, in px of 128: eyes and mouth remain as places and openings. Of faces that are seen like this dlib's
cosine to their own is .64; half of what a trained generator kept of its targets went with it."""
WIDE, HIGH, ABOVE, EDGE = 1.2, 1.5, 0.2, 0.2
"""Half axes of the ellipse that is blurred, and how far its middle lies above that of eyes and mouth, in distances of
the eyes; its soft border, as a share of the axes."""


class Softened(nn.Module):
    """Pictures (N, 3, R, R) that are blurred where the template has a face; what is around it is seen as it is."""

    def __init__(self, template: str, side: int) -> None:
        super().__init__()
        points = TEMPLATES[template] * side
        eyes, mouth = points[:2].mean(0), points[3:].mean(0)
        between = float(np.linalg.norm(points[1] - points[0]))
        x, y = (eyes + mouth) / 2 - (0, ABOVE * between)
        line = np.arange(side)
        far = np.hypot((line[None, :] - x) / (WIDE * between), (line[:, None] - y) / (HIGH * between))
        where = np.clip((1 - far) / EDGE + 0.5, 0, 1)
        self._sigma, self._size = SIGMA * side / 128, 2 * int(2 * SIGMA * side / 128) + 1
        self._around = self._size // 2
        where[: self._around] = where[-self._around :] = 0
        where[:, : self._around] = where[:, -self._around :] = 0
        self.register_buffer("where", torch.from_numpy(where.astype(np.float32))[None, None], persistent=False)

    def forward(self, pictures: Tensor) -> Tensor:
        """Blur."""
        soft = functional.pad(smooth(pictures, self._size, self._sigma), [self._around] * 4)
        return pictures + self.where * (soft - pictures)
