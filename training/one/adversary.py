"""The critic's side: hinge losses per patch, pictures changed alike before it sees them, its gradient held down."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.one.network import Critic

MOST_SHIFT = 10
R1 = 2.0
R1_EVERY = 8
R1_COUNT = 8


def changed(pictures: Tensor, dice: torch.Generator) -> Tensor:
    """Differentiable augmentation (Zhao et al. 2020): brightness, saturation, contrast, translation."""
    count = len(pictures)

    def draw(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(count, 1, 1, 1, generator=dice)

    x = pictures + draw(-0.3, 0.3)
    grey, middle = x.mean(1, keepdim=True), x.mean((1, 2, 3), keepdim=True)
    x = grey + draw(0.3, 1.7) * (x - grey)
    x = middle + draw(0.7, 1.3) * (x - middle)
    down, right = torch.randint(-MOST_SHIFT, MOST_SHIFT + 1, (2,), generator=dice).tolist()
    return torch.roll(x, (down, right), (2, 3))


def patch_weight(shown: Tensor) -> Tensor:
    """(N, 1, 16, 16) how much of each patch is ``shown`` (N, 1, 128, 128); edges count as much as the inside."""
    return (4 * nn.functional.avg_pool2d(shown, 8)).clamp(max=1)


def fooled(critic: Critic, fake: Tensor, shown: Tensor, dice: torch.Generator) -> Tensor:
    """The generator's hinge loss."""
    weight = patch_weight(shown)
    return -(critic(changed(fake, dice)) * weight).sum() / weight.sum().clamp(min=1)


def told_apart(critic: Critic, fake: Tensor, real: Tensor, shown: Tensor, dice: torch.Generator) -> Tensor:
    """The critic's hinge loss."""
    weight = patch_weight(shown)
    state = dice.get_state()
    bad = critic(changed(fake, dice))
    dice.set_state(state)
    good = critic(changed(real, dice))
    off = torch.relu(1 - good) + torch.relu(1 + bad)
    return (off * weight).sum() / weight.sum().clamp(min=1)


def steepness(critic: Critic, real: Tensor) -> Tensor:
    """R1 (Mescheder et al. 2018): the critic's squared gradient at real pictures; patches count as independent."""
    seen = real.detach().clone().requires_grad_(True)
    scores = critic(seen)
    patches = scores[0].numel()
    (slope,) = torch.autograd.grad(scores.sum() / patches**0.5, seen, create_graph=True)
    return slope.square().sum((1, 2, 3)).mean()
