"""Samples of a crowd: a face, the same face bent and moved, and the same person's photo as if it were another one."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from rtswap.training.crowd import Crowd, CrowdSamples, to_recogniser
from rtswap.training.layers import to_input
from rtswap.training.lessons import Lessons
from rtswap.training.warp import Map, Variation, draw_maps, grid, placed
from rtswap.training.workers import Sample
from rtswap.vision.resample import looked_up

FACE = Variation(turn=5.0, zoom=0.06, shift=0.02, warp=0.16, cells=(2, 4))
"""How faces are placed and bent."""
PHOTO = Variation(turn=8.0, zoom=0.08, shift=0.03, warp=0.0)
"""A photo is mirrored where the face is not: else it would tell where each pixel of the face goes."""
TONE, TINT, CURVE = 0.2, 0.08, 0.25
"""Sigmas of the logarithms of a picture's brightness, of each of its colours, and of its gamma."""
STEP_TURN, STEP_ZOOM, STEP_SHIFT = 0.03, 0.015, 0.015
"""Sigmas of what a face does between two frames: radians, logarithm of the size, shares of the side."""


class Batch(NamedTuple):
    """N people, on the device."""

    faces: Tensor
    """(N, 3, R, R), -1..1."""
    masks: Tensor
    """(N, 1, R, R), 0..1: where the face can be seen."""
    points: Tensor
    """(N, 468, 3) px of the faces."""
    bent: Tensor
    """(N, 3, R, R) the faces with other shapes, in the same light."""
    photos: Tensor
    """(N, 3, R, R) of the same people, mirrored and placed otherwise."""
    photo_points: Tensor
    """(N, 468, 3)."""
    matrices: Tensor
    """(N, 2, 3) from a face to the recogniser's crop."""
    embeddings: Tensor
    """(N, 128)."""
    truth: Tensor | None = None
    """(N, 3, R, R) the faces with those of the photos, which are then other people's, as the embeddings are."""

    @classmethod
    def of(cls, parts: list[Tensor]) -> Batch:
        """Make a batch of the parts that ``Portraits`` returns."""
        faces, masks, points, bent, photos, *others = parts
        faces, bent, photos = (
            to_input(one).contiguous(memory_format=torch.channels_last) for one in (faces, bent, photos)
        )
        return cls(faces, masks[:, None].float() / 255, points, bent, photos, *others)

    def to(self, device: str) -> Batch:
        """Move to ``device``."""
        return Batch(*(None if one is None else one.to(device) for one in self))


class Portraits(CrowdSamples):
    """One face of each person, the same face bent, and one photo."""

    def sample(self, rng: np.random.Generator, row: int) -> Sample:
        """The parts of a ``Batch``."""
        crowd, flip = self._crowd, float(rng.random() < 0.5)
        side = crowd.pictures.shape[1]
        bent, straight = draw_maps(rng, replace(FACE, mirrored=flip), side, side)
        _, other = draw_maps(rng, replace(PHOTO, mirrored=1 - flip), side, side)
        return describe(crowd, row, straight, bent, other)


def taught_batch(taught: Lessons, embeddings: NDArray[np.float32]) -> Batch:
    """``embeddings``: of the crowd. No face is bent."""
    matrices = np.stack([to_recogniser(points) for points in taught.points])
    parts = (taught.faces, taught.masks, taught.points, taught.faces, taught.photos, taught.photo_points, matrices,
             embeddings[taught.source])  # fmt: skip
    return Batch.of([*map(torch.from_numpy, parts)])._replace(truth=to_input(torch.from_numpy(taught.truth)))


def trial_of(crowd: Crowd) -> Batch:
    """All faces of ``crowd`` as they are; their photos, too."""
    straight = grid(crowd.pictures.shape[1])
    samples = zip(*(describe(crowd, row, straight, straight, straight) for row in range(len(crowd))), strict=True)
    return Batch.of([torch.from_numpy(np.stack(part)) for part in samples])


def describe(crowd: Crowd, row: int, straight: Map, bent: Map, other: Map) -> Sample:
    """One face as three maps show it. ``straight`` and ``other``: affine."""
    picture = crowd.pictures[row]
    points = placed(crowd.points[row], straight)
    matrix = to_recogniser(points)
    return (
        looked_up(picture, straight), looked_up(crowd.masks[row], straight), points, looked_up(picture, bent),
        looked_up(picture, other), placed(crowd.points[row], other), matrix, crowd.embeddings[row],
    )  # fmt: skip


def relight(pictures: Tensor) -> Tensor:
    """Pictures (N, 3, R, R) in another light: brightness, colour, contrast. Drawn on the processor."""
    count = len(pictures)
    curve = torch.exp(CURVE * torch.randn(count, 1, 1, 1)).to(pictures)
    gain = torch.exp(TONE * torch.randn(count, 1, 1, 1) + TINT * torch.randn(count, 3, 1, 1)).to(pictures)
    return (((pictures + 1) / 2).clamp(1e-4, 1) ** curve * gain).clamp(0, 1) * 2 - 1


def move(faces: Tensor, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Faces (N, 3, R, R) a little later: turned, enlarged and shifted by a random similarity, their points
    (N, 468, 3) px, and the flow (N, 2, R, R) x y in px from each pixel to where it was before. Drawn on the
    processor."""
    count, side = len(faces), faces.shape[-1]
    turn, zoom = STEP_TURN * torch.randn(count), torch.exp(STEP_ZOOM * torch.randn(count))
    shift = (STEP_SHIFT * side * torch.randn(count, 2)).to(faces.device)
    cos, sin = zoom * torch.cos(turn), zoom * torch.sin(turn)
    linear = torch.stack([torch.stack([cos, -sin], 1), torch.stack([sin, cos], 1)], 1).to(faces.device)
    middle = (side - 1) / 2
    line = torch.arange(side, dtype=torch.float32, device=faces.device)
    here = torch.stack(torch.meshgrid(line, line, indexing="xy"), -1)
    before = torch.einsum("nij,hwj->nhwi", linear, here - middle) + middle + shift[:, None, None]
    shown = functional.grid_sample(faces, (before + 0.5) * (2 / side) - 1, align_corners=False, padding_mode="border")
    back = torch.linalg.inv(linear)
    at = torch.einsum("nij,npj->npi", back, points[..., :2] - middle - shift[:, None]) + middle
    depth = points[..., 2:] / zoom.to(points)[:, None, None]
    return shown, torch.cat([at, depth], -1), (before - here).permute(0, 3, 1, 2)
