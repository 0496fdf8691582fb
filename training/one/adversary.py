"""The critic's side: hinge losses per patch, pictures changed alike before it sees them, its gradient held down."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.one.network import Critic

MOST_SHIFT = 10
R1 = 2.0
R1_COUNT = 8


class Change:
    """Differentiable augmentation (Zhao et al. 2020): brightness, saturation, contrast, translation; drawn once, so
    that what is compared is changed alike. Draws on the device, and does not wait for it."""

    def __init__(self, count: int, device: torch.device) -> None:
        def draw(low: float, high: float) -> Tensor:
            return low + (high - low) * torch.rand(count, 1, 1, 1, device=device)

        self._lift, self._saturation, self._contrast = draw(-0.3, 0.3), draw(0.3, 1.7), draw(0.7, 1.3)
        self._shift = torch.randint(-MOST_SHIFT, MOST_SHIFT + 1, (2, 1), device=device)

    def __call__(self, pictures: Tensor) -> Tensor:
        x = pictures + self._lift
        grey, middle = x.mean(1, keepdim=True), x.mean((1, 2, 3), keepdim=True)
        x = grey + self._saturation * (x - grey)
        x = middle + self._contrast * (x - middle)
        places = torch.arange(x.shape[-1], device=x.device)
        rows, columns = (places - self._shift) % x.shape[-1]
        return x.index_select(2, rows).index_select(3, columns)


def patch_weight(shown: Tensor) -> Tensor:
    """(N, 1, S / 8, S / 8) how much of each patch is ``shown`` (N, 1, S, S); edges count as much as the inside."""
    return (4 * nn.functional.avg_pool2d(shown, 8)).clamp(max=1)


def fooled(critic: Critic, fake: Tensor, shown: Tensor) -> Tensor:
    """The generator's hinge loss."""
    weight = patch_weight(shown)
    return -(critic(Change(len(fake), fake.device)(fake)) * weight).sum() / weight.sum().clamp(min=1)


def told_apart(critic: Critic, fake: Tensor, real: Tensor, shown: Tensor) -> Tensor:
    """The critic's hinge loss."""
    weight, change = patch_weight(shown), Change(len(fake), fake.device)
    off = torch.relu(1 - critic(change(real))) + torch.relu(1 + critic(change(fake)))
    return (off * weight).sum() / weight.sum().clamp(min=1)


def steepness(critic: Critic, real: Tensor) -> Tensor:
    """R1 (Mescheder et al. 2018): the critic's squared gradient at real pictures; patches count as independent."""
    seen = real.detach().clone().requires_grad_(True)
    scores = critic(seen)
    patches = scores[0].numel()
    (slope,) = torch.autograd.grad(scores.sum() / patches**0.5, seen, create_graph=True)
    return slope.square().sum((1, 2, 3)).mean()
