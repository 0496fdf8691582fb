"""Identify the face in a picture with the recogniser that every user has: watches trainings of one-shot systems, and
measures them."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from rtswap.networks.landmarks import place
from rtswap.networks.recognition import SKIN
from rtswap.training.losses import smooth, unlike
from rtswap.training.onnx_files import load_weights
from rtswap.training.recogniser import SIZE, Deployed, RecognitionNetwork
from rtswap.vision.templates import TEMPLATES

SHIFT_PX, TURN, ZOOM = 2.0, 0.07, 0.05
"""Sigmas of how ``IdentityLoss`` places a face before it is recognised: px of the crop, radians, and the size's
logarithm."""
TONE, CURVE, NOISE, BLUR_PX = 0.12, 0.15, 4.0, 2.0
"""Sigmas of the logarithms of each colour and of the gamma that it gives the face, of its noise in levels, and of its
blur, of which each face gets a random share."""
REFERENCE = (0.6, 0.6, 0.2, 0.0)
"""Weights of the recogniser's stages where a reference is known. Of six pictures that were optimised against it the
first stage made dlib's cosine to the source .75 and to the target .06, the second .49 and .18, the third .26 and
.43."""
STAGES = (0.1, 0.3, 0.1, 0.01)
"""Weights of the recogniser's stages, the largest maps first."""
CELLS = 32
"""Per side of a picture: a finer change is not shown to the recogniser that a network learns from. With all of it,
stripes of 4 px of 128 raised the cosine and nothing else."""


class Recogniser(nn.Module):
    """Pictures (N, 3, R, R), BGR -1..1 -> embeddings (N, 128) of unit length. It does not learn."""

    def __init__(self) -> None:
        super().__init__()
        self.network = load_shipped()
        self.register_buffer("skin", torch.from_numpy(SKIN).view(1, 3, 1, 1), persistent=False)

    def train(self, mode: bool = True) -> Recogniser:
        """Stay in evaluation mode."""
        return super().train(False)

    def forward(self, pictures: Tensor, matrices: Tensor) -> Tensor:
        """``matrices`` (N, 2, 3): each picture -> its crop, as ``networks.landmarks.place`` gives them."""
        return self.embed(sample(pictures.float(), matrices, SIZE))

    def embed(self, crops: Tensor) -> Tensor:
        """Embeddings of crops (N, 3, 96, 96), -1..1."""
        return functional.normalize(self.network(self.exposed((crops.float() + 1) * 127.5)).float(), dim=1)

    def exposed(self, crops: Tensor) -> Tensor:
        """What the network takes of crops 0..255: their middle in the mean colour of skin."""
        return (crops * (self.skin / middle(crops))).clamp(0, 255) / 127.5 - 1


class IdentityLoss(nn.Module):
    """The distance of faces in pictures from a person, by a recogniser that cannot be fooled by one pattern.

    A small network takes many pictures for a given person that no eye does: a generator that learns from one fixed
    view of it paints them. So each face is seen anew at each step: placed, toned, greyed, blurred and with noise at
    random (expectation over transformations, Athalye et al. 2018). Where a *reference* is known, a picture of what
    should come out, say the truth of a turned triplet or the swap of ``mesh``, features of all stages must be those
    of the reference in the same view: unlike one vector, they cannot be had without its eyes, nose and mouth.
    """

    def __init__(self, recogniser: Recogniser) -> None:
        super().__init__()
        self.recogniser = recogniser

    def forward(
        self, pictures: Tensor, matrices: Tensor, embeddings: Tensor, reference: Tensor | None = None
    ) -> Tensor:
        """``pictures``, ``reference`` (N, 3, R, R), BGR -1..1; ``matrices`` as ``Recogniser``'s; ``embeddings``
        (N, 128) of unit length. 0: the same person."""
        network = self.recogniser.network
        view = View.draw(matrices)
        stages = network.stages(self.recogniser.exposed(view.of(pictures)))
        vectors = functional.normalize(network.head(stages[-1].flatten(1)).float(), dim=1, eps=1e-6)
        off = unlike(vectors, embeddings)
        if reference is None:
            return off
        with torch.no_grad():
            goals = network.stages(self.recogniser.exposed(view.of(reference)))
        return off + features_apart(stages, goals, REFERENCE)


class View(NamedTuple):
    """A way to look at N faces, each in its own. Drawn on the processor, so that a seed gives the same everywhere."""

    matrices: Tensor
    """(N, 2, 3) from each picture to a crop of 96 px."""
    gains: Tensor
    """(N, 3, 1, 1)"""
    curves: Tensor
    """(N, 1, 1, 1) exponents."""
    greys: Tensor
    """(N, 1, 1, 1) 0: in colour, 1: grey."""
    blurs: Tensor
    """(N, 1, 1, 1) shares of the blur."""
    noise: Tensor
    """(N, 3, 96, 96) levels."""

    @classmethod
    def draw(cls, matrices: Tensor) -> View:
        """Random views around the crops that ``matrices`` cut."""
        count, device = len(matrices), matrices.device
        turn, size = TURN * torch.randn(count), torch.exp(ZOOM * torch.randn(count))
        cos, sin = size * torch.cos(turn), size * torch.sin(turn)
        linear = torch.stack([torch.stack([cos, -sin], 1), torch.stack([sin, cos], 1)], 1).to(device)
        moved = linear @ matrices.float()
        middle = torch.full((2, 1), (SIZE - 1) / 2, device=device)
        shift = (SHIFT_PX * torch.randn(count, 2, 1)).to(device) + middle - linear @ middle
        drawn = (
            torch.exp(TONE * torch.randn(count, 3, 1, 1)),
            torch.exp(CURVE * torch.randn(count, 1, 1, 1)),
            torch.rand(count, 1, 1, 1),
            torch.rand(count, 1, 1, 1),
            NOISE * torch.rand(count, 1, 1, 1) * torch.randn(count, 3, SIZE, SIZE),
        )
        return cls(torch.cat([moved[..., :2], moved[..., 2:] + shift], 2), *(one.to(device) for one in drawn))

    def of(self, pictures: Tensor) -> Tensor:
        """Crops (N, 3, 96, 96), 0..255, of pictures (N, 3, R, R), -1..1."""
        crops = ((sample(pictures.float(), self.matrices, SIZE) + 1) / 2).clamp(1e-3, 1)
        crops = (crops**self.curves * self.gains).lerp(crops.mean(1, keepdim=True), self.greys)
        crops = crops.lerp(smooth(crops, 4 * round(BLUR_PX) + 1, BLUR_PX, padded=True).float(), self.blurs)
        return crops * 255 + self.noise


class Perception(nn.Module):
    """Compares pictures (N, 3, R, R), BGR -1..1, as the recogniser sees them. It does not learn."""

    def __init__(self, template: str, side: int) -> None:
        """For faces of ``side`` px that are placed by ``template``."""
        super().__init__()
        self.network = load_shipped()
        self.columns, self.rows = seen_part(template, side)
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
        return features_apart(stages, goals), self._vector(stages)

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


def seen_part(template: str, side: int) -> tuple[slice, slice]:
    """Columns and rows of faces of ``side`` px, placed by ``template``, that the recogniser sees."""
    matrix = place(TEMPLATES[template] * side, SIZE)
    assert matrix is not None
    corner, length = -matrix[:, 2] / matrix[0, 0], SIZE / matrix[0, 0]
    columns, rows = (slice(max(0, round(float(at))), min(side, round(float(at + length)))) for at in corner)
    return columns, rows


def features_apart(made: Sequence[Tensor], wanted: Sequence[Tensor], weights: Sequence[float] = STAGES) -> Tensor:
    """Mean squared differences between normalised features of each stage, summed with the stages' weights."""
    total = made[0].new_zeros((), dtype=torch.float32)
    for weight, maps, goal in zip(weights, made, wanted, strict=True):
        off = functional.instance_norm(maps.float()) - functional.instance_norm(goal.float())
        total = total + weight * off.square().mean()
    return total


def load_shipped() -> RecognitionNetwork:
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


def sample(pictures: Tensor, matrices: Tensor, size: int) -> Tensor:
    """(N, C, size, size) of ``pictures`` (N, C, R, R) under ``matrices`` (N, 2, 3), pixels to pixels."""
    side = pictures.shape[-1]
    line = torch.arange(size, dtype=torch.float32, device=matrices.device)
    (a, b, c), (d, e, f) = ([column[:, None, None] for column in row.unbind(1)] for row in matrices.float().unbind(1))
    across, down = line[None, None, :] - c, line[None, :, None] - f
    turn = a * e - b * d  # the inverse of a 2 x 2 matrix, by hand: a solver would wait for the device
    places = torch.stack([(e * across - b * down) / turn, (a * down - d * across) / turn], -1)
    grid = (places + 0.5) * (2 / side) - 1
    return functional.grid_sample(pictures, grid.to(pictures.device), align_corners=False, padding_mode="border")
