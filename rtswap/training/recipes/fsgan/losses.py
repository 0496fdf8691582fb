"""What the networks of FSGAN and their critic learn. Pictures are BGR -1..1."""

from __future__ import annotations

import torch
from torch import Tensor

from rtswap.training.recipes.fsgan.network import Critic

AROUND = 0.1
"""Weight of what is not the face."""


def off(made: Tensor, truth: Tensor, where: Tensor) -> Tensor:
    """Mean absolute error, weighted by ``where`` (N, 1, H, W)."""
    return ((made - truth).abs() * where).sum() / (3 * where.sum()).clamp_min(1.0)


def on_face(mask: Tensor) -> Tensor:
    """Weights (N, 1, H, W): the face, and ``AROUND`` for the rest."""
    return AROUND + (1 - AROUND) * mask


def generator_loss(critic: Critic, made: Tensor) -> Tensor:
    """The maker's side of LSGAN (Mao et al. 2017), summed over the scales."""
    return torch.stack([(score.float() - 1).square().mean() for score in critic(made)]).sum()


def critic_loss(critic: Critic, made: Tensor, real: Tensor) -> Tensor:
    """The critic's side."""
    both = critic(torch.cat([made.detach(), real]))
    found = []
    for scores in both:
        of_made, of_real = scores.float().chunk(2)
        found.append((of_made.square().mean() + (of_real - 1).square().mean()) / 2)
    return torch.stack(found).sum()
