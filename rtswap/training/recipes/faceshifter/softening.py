"""Blur a target so that a taught generator cannot tell who it is."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from rtswap.vision.templates import TEMPLATES

SIGMA = 4.0
"""Of the blur, in px of 128: eyes and mouth remain as places and openings. A generator that had learnt from faces
blurred by 3 kept .27 of the target, by dlib's cosine; blurred by 4 .20, by 5 .15, and .27 of the source each time."""
PASSES = 2
"""In which it is blurred: bfloat16 convolutions of more than 13 px are a hundred times as slow."""
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
        sigma = SIGMA * side / 128 / PASSES**0.5
        self._reach = int(2 * sigma)
        around = PASSES * self._reach
        where[:around] = where[-around:] = where[:, :around] = where[:, -around:] = (
            0  # the border is blurred with zeros
        )
        bell = torch.exp(-(torch.arange(-self._reach, self._reach + 1.0) ** 2) / (2 * sigma**2))
        across = (bell / bell.sum()).repeat(3, 1, 1, 1)
        self.register_buffer("across", across, persistent=False)
        self.register_buffer("down", across.mT.contiguous(), persistent=False)
        self.register_buffer("where", torch.from_numpy(where.astype(np.float32))[None, None], persistent=False)

    def forward(self, pictures: Tensor) -> Tensor:
        """Blur."""
        soft = pictures
        for _ in range(PASSES):
            soft = functional.conv2d(soft, self.across, padding=(0, self._reach), groups=3)
            soft = functional.conv2d(soft, self.down, padding=(self._reach, 0), groups=3)
        return pictures + self.where * (soft - pictures)
