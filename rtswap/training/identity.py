"""Whose face a picture shows, by the recogniser that every user has: watches trainings of one-shot systems, and
measures them."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from rtswap.networks.recognition import SKIN
from rtswap.training.onnx_files import load_weights
from rtswap.training.recogniser import SIZE, Deployed, RecognitionNetwork

JITTER_PX, JITTER_TONE = 1.5, 0.08
"""What the recogniser is shown is moved and toned at random: one fixed view of a small network is easily fooled."""
CELLS = 32
"""Per side of a picture: a finer change is not shown to the recogniser that a network learns from. With all of it,
stripes of 4 px of 128 raised the cosine and nothing else."""


class Recogniser(nn.Module):
    """Pictures (N, 3, R, R), BGR -1..1 -> embeddings (N, 128) of unit length. It does not learn."""

    def __init__(self) -> None:
        super().__init__()
        path = Path(str(resources.files("rtswap").joinpath("assets/recognition.onnx")))
        self.network = load_weights(path, Deployed(RecognitionNetwork())).network.eval().requires_grad_(False)
        self.register_buffer("skin", torch.from_numpy(SKIN).view(1, 3, 1, 1), persistent=False)

    def train(self, mode: bool = True) -> Recogniser:
        """Stays as it is."""
        return super().train(False)

    def forward(self, pictures: Tensor, matrices: Tensor, *, jitter: bool = False) -> Tensor:
        """``matrices`` (N, 2, 3): each picture -> its crop, as ``networks.landmarks.place`` gives them."""
        if jitter:
            matrices = matrices.clone()
            matrices[:, :, 2] += JITTER_PX * torch.randn(len(matrices), 2).to(matrices.device)
        return self.embed(sampled(pictures.float(), matrices, SIZE), jitter=jitter)

    def embed(self, crops: Tensor, *, jitter: bool = False) -> Tensor:
        """Of crops (N, 3, 96, 96), -1..1."""
        crops = (crops.float() + 1) * 127.5
        quarter = SIZE // 4
        middle = crops[..., quarter:-quarter, quarter:-quarter].mean((2, 3), keepdim=True)
        gains = self.skin / middle.clamp_min(1)
        if jitter:
            gains = gains * (1 + JITTER_TONE * torch.randn(len(crops), 3, 1, 1).to(gains.device))
        return functional.normalize(self.network((crops * gains).clamp(0, 255) / 127.5 - 1).float(), dim=1)


def coarsely_changed(made: Tensor, given: Tensor) -> Tensor:
    """``given`` with what of the change to ``made`` (N, C, R, R) is no finer than ``CELLS`` per side."""
    cell = made.shape[-1] // CELLS
    change = functional.avg_pool2d(made - given, cell)
    return given + functional.interpolate(change, scale_factor=float(cell), mode="bilinear")


def sampled(pictures: Tensor, matrices: Tensor, size: int) -> Tensor:
    """(N, C, size, size) of ``pictures`` (N, C, R, R) under ``matrices`` (N, 2, 3), pixels to pixels."""
    side = pictures.shape[-1]
    line = torch.arange(size, dtype=torch.float32, device=matrices.device)
    (a, b, c), (d, e, f) = ([column[:, None, None] for column in row.unbind(1)] for row in matrices.float().unbind(1))
    across, down = line[None, None, :] - c, line[None, :, None] - f
    turn = a * e - b * d  # the inverse of a 2 x 2 matrix, by hand: a solver would wait for the device
    places = torch.stack([(e * across - b * down) / turn, (a * down - d * across) / turn], -1)
    grid = (places + 0.5) * (2 / side) - 1
    return functional.grid_sample(pictures, grid.to(pictures.device), align_corners=False, padding_mode="border")
