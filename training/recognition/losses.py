"""The loss of the recognition network."""

from __future__ import annotations

import torch
from torch import Tensor, nn

WEIGHTS = {"teacher": 1.0, "apart": 0.5}


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
