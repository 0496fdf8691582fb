"""Whose face a picture shows, by the recogniser that every user has: watches trainings of one-shot systems, and
measures them."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from rtswap.networks.landmarks import MARGIN
from rtswap.networks.recognition import SKIN
from rtswap.training.onnx_files import load_weights
from rtswap.training.recogniser import SIZE, Deployed, RecognitionNetwork
from rtswap.vision.crops import place_upright
from rtswap.vision.templates import TEMPLATES

JITTER_PX, JITTER_TONE = 1.5, 0.08
"""What the recogniser is shown is moved and toned at random: one fixed view of a small network is easily fooled."""
STAGES = (0.1, 0.3, 0.1, 0.01)
"""Weights of the recogniser's stages, the largest maps first."""
CELLS = 32
"""Per side of a picture: a finer change is not shown to the recogniser that a network learns from. With all of it,
stripes of 4 px of 128 raised the cosine and nothing else."""


class Recogniser(nn.Module):
    """Pictures (N, 3, R, R), BGR -1..1 -> embeddings (N, 128) of unit length. It does not learn."""

    def __init__(self) -> None:
        super().__init__()
        self.network = shipped()
        self.register_buffer("skin", torch.from_numpy(SKIN).view(1, 3, 1, 1), persistent=False)

    def train(self, mode: bool = True) -> Recogniser:
        """Stay in evaluation mode."""
        return super().train(False)

    def forward(self, pictures: Tensor, matrices: Tensor, *, jitter: bool = False) -> Tensor:
        """``matrices`` (N, 2, 3): each picture -> its crop, as ``networks.landmarks.place`` gives them."""
        if jitter:
            matrices = matrices.clone()
            matrices[:, :, 2] += JITTER_PX * torch.randn(len(matrices), 2).to(matrices.device)
        return self.embed(sampled(pictures.float(), matrices, SIZE), jitter=jitter)

    def embed(self, crops: Tensor, *, jitter: bool = False) -> Tensor:
        """Embeddings of crops (N, 3, 96, 96), -1..1."""
        crops = (crops.float() + 1) * 127.5
        gains = self.skin / middle(crops)
        if jitter:
            gains = gains * (1 + JITTER_TONE * torch.randn(len(crops), 3, 1, 1).to(gains.device))
        return functional.normalize(self.network((crops * gains).clamp(0, 255) / 127.5 - 1).float(), dim=1)


class Perception(nn.Module):
    """Compares pictures (N, 3, R, R), BGR -1..1, as the recogniser sees them. It does not learn."""

    def __init__(self, template: str, side: int) -> None:
        """For faces of ``side`` px that are placed by ``template``."""
        super().__init__()
        self.network = shipped()
        matrix = place_upright(TEMPLATES[template] * side, SIZE, margin=MARGIN, middle=SIZE / 2)
        assert matrix is not None
        corner, length = -matrix[:, 2] / matrix[0, 0], SIZE / matrix[0, 0]
        low = [max(0, round(float(at))) for at in corner]
        high = [min(side, round(float(at + length))) for at in corner]
        self.columns, self.rows = slice(low[0], high[0]), slice(low[1], high[1])
        self.register_buffer("skin", torch.from_numpy(SKIN).view(1, 3, 1, 1))

    def forward(self, made: Tensor, truth: Tensor) -> Tensor:
        """Squared differences between both's normalised features, summed over the stages with their weights."""
        return self.compare(made, truth)[0]

    def compare(self, made: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
        """As ``forward``, and the identity vectors (N, 128) of ``made``; the gains are those of ``truth``."""
        shown, wanted = self.crop(made), self.crop(truth)
        with torch.no_grad():
            goals = self._stages(wanted, wanted)
        stages = self._stages(shown, wanted)
        total = made.new_zeros(())
        for weight, maps, goal in zip(STAGES, stages, goals, strict=True):
            off = functional.instance_norm(maps.float()) - functional.instance_norm(goal.float())
            total = total + weight * off.square().mean()
        return total, self._vector(stages)

    def vectors(self, pictures: Tensor) -> Tensor:
        """Identity vectors (N, 128) of unit length."""
        crops = self.crop(pictures)
        return self._vector(self._stages(crops, crops))

    def crop(self, pictures: Tensor) -> Tensor:
        """The face within ``pictures``, as large as the recogniser takes it, 0..255."""
        part = pictures[..., self.rows, self.columns]
        part = functional.interpolate(part, size=(SIZE, SIZE), mode="bilinear", antialias=part.shape[-1] > SIZE)
        return (part + 1) * 127.5

    def _stages(self, crops: Tensor, like: Tensor) -> list[Tensor]:
        """Features of crops 0..255, with the gains that give ``like`` the mean colour of skin."""
        return self.network.stages((crops * (self.skin / middle(like))).clamp(0, 255) / 127.5 - 1)

    def _vector(self, stages: list[Tensor]) -> Tensor:
        return functional.normalize(self.network.head(stages[-1].flatten(1)).float(), dim=1, eps=1e-6)


def shipped() -> RecognitionNetwork:
    """``assets/recognition.onnx``, which does not learn."""
    path = Path(str(resources.files("rtswap").joinpath("assets/recognition.onnx")))
    return load_weights(path, Deployed(RecognitionNetwork())).network.eval().requires_grad_(False)


def middle(crops: Tensor) -> Tensor:
    """Mean colour (N, 3, 1, 1) of the middle of crops 0..255, 1 or more."""
    quarter = SIZE // 4
    return crops[..., quarter:-quarter, quarter:-quarter].mean((2, 3), keepdim=True).clamp_min(1)


def coarsely_changed(made: Tensor, given: Tensor) -> Tensor:
    """``given`` plus the difference to ``made`` (N, C, R, R) at the resolution of ``CELLS`` cells per side."""
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
