"""The recognition network: 0.9 M parameters, 0.05 GMAC for a 96 px crop. Crop -> 128 numbers in the space of dlib's
embeddings, whitened."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.layers import Residual, conv, to_input

SIZE = 96
LENGTH = 128
WEIGHTS = {"teacher": 1.0, "apart": 0.5}


class RecognitionNetwork(nn.Module):
    """(N, 3, 96, 96) BGR -1..1 -> (N, 128), not normalised."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            conv(3, 32, 6, 4),
            Residual(32),
            conv(32, 64, stride=2),
            Residual(64),
            Residual(64),
            conv(64, 128, stride=2),
            Residual(128),
        )
        self.squeeze = nn.Sequential(nn.Conv2d(128, 64, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True))
        self.head = nn.Linear(64 * (SIZE // 16) ** 2, LENGTH)
        self.dropout = nn.Dropout(0.2)

    def forward(self, x: Tensor) -> Tensor:
        vector: Tensor = self.head(self.dropout(self.squeeze(self.body(x)).flatten(1)))
        return vector


class Deployed(nn.Module):
    """What is exported: ``crops`` (N, 96, 96, 3) uint8 BGR -> ``embedding`` (N, 128) of unit length."""

    def __init__(self, network: RecognitionNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, crops: Tensor) -> Tensor:
        return nn.functional.normalize(self.network(to_input(crops)), dim=1, eps=1e-6)


def losses(vectors: Tensor, wanted: Tensor, warmth: float = 0.1) -> dict[str, Tensor]:
    """``vectors`` (2P, 128): two crops each of P people, the second ones after the first; ``wanted`` (P, 128) unit
    norm. ``teacher``: one minus the cosine to dlib's embedding of the person; ``apart``: NT-Xent (Chen et al. 2020)
    at temperature ``warmth``: each crop picks its partner out of all others."""
    unit = nn.functional.normalize(vectors, dim=1)
    people = len(wanted)
    teacher = 1 - (unit * wanted.repeat(2, 1)).sum(1).mean()
    scores = unit @ unit.T / warmth
    scores = scores - torch.eye(2 * people, device=scores.device) * 1e4
    partner = torch.arange(2 * people, device=scores.device).roll(people)
    return {"teacher": teacher, "apart": nn.functional.cross_entropy(scores, partner)}
