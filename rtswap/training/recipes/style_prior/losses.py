"""What FSLSD and MegaFS learn from. Pictures are BGR -1..1.

Facts from Xu et al. 2022 (FSLSD): adversarial 1, identity 2, landmarks .1, reconstruction 2 (L2, and .8 of a
perceptual distance), style .2 by histogram matching as in BeautyGAN (Li et al. 2018); for clips a constraint on the
trajectory of the rows and one on the flow of the pictures. The code of the last two was never published: these follow
the paper's text.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

LATE = 10.0
"""Stands for no value when values are sorted: above every pixel."""


def difference(made: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """Mean square of the error of pictures (N, 3, R, R), where ``weight`` (N, 1, R, R) counts."""
    return ((made - truth).square() * weight).mean()


def apart(made: Tensor, wanted: Tensor) -> Tensor:
    """Mean distance of points (N, P, 2), as a share of the half side."""
    return (made - wanted).float().square().sum(-1).add(1e-8).sqrt().mean()


@torch.no_grad()
def match_histograms(made: Tensor, wanted: Tensor, mask: Tensor) -> Tensor:
    """``made`` (N, 3, R, R) with the histograms of ``wanted`` within ``mask`` (N, 1, R, R): in each channel the pixel
    of rank k gets the k-th value. Pixels where the mask is below one half stay."""
    inside = (mask >= 0.5).expand_as(made).flatten(2)
    values, goals = made.float().flatten(2), wanted.float().flatten(2)
    order = torch.where(inside, values, LATE).argsort(2)
    ranked = torch.where(inside, goals, LATE).sort(2).values
    found = torch.zeros_like(values).scatter(2, order, ranked)
    return torch.where(inside, found, values).view_as(made)


def style(made: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Mean squared difference to ``match_histograms``, within the mask."""
    off = (made - match_histograms(made, target, mask)).square() * (mask >= 0.5)
    return off.sum() / (3 * (mask >= 0.5).sum()).clamp_min(1)


def trajectory(made: Tensor, target: Tensor) -> Tensor:
    """Clips (N, T, rows, style): from frame to frame the rows of the swap shall move as the target's do. Mean square
    of what differs."""
    return ((made[:, 1:] - made[:, :-1]) - (target[:, 1:] - target[:, :-1])).square().mean()


def unsteady(made: Tensor, flow: Tensor, seen: Tensor) -> Tensor:
    """Clips (N, T, 3, R, R): what a frame shows shall be found in the next one where the target's pixels went.

    ``flow`` (N, T - 1, 2, R, R): x y in px from each pixel of frame t + 1 to where it was in frame t; ``seen``
    (N, T - 1, 1, R, R): where that is known. Mean absolute difference.
    """
    before, after = made[:, :-1].flatten(0, 1), made[:, 1:].flatten(0, 1)
    back, weight = flow.flatten(0, 1), seen.flatten(0, 1)
    side = made.shape[-1]
    line = torch.arange(side, device=made.device, dtype=torch.float32)
    places = torch.stack([line[None, :] + back[:, 0], line[:, None] + back[:, 1]], -1)
    grid = (places + 0.5) * (2 / side) - 1
    carried = functional.grid_sample(before.float(), grid, align_corners=False, padding_mode="border")
    return ((carried - after).abs() * weight).sum() / (3 * weight.sum()).clamp_min(1)


def generator_loss(scores: Tensor) -> Tensor:
    """The generator's side of a non-saturating logistic loss."""
    return functional.softplus(-scores.float()).mean()


def critic_loss(real: Tensor, made: Tensor) -> Tensor:
    """The critic's side."""
    return functional.softplus(-real.float()).mean() + functional.softplus(made.float()).mean()


def penalty(scores: Tensor, pictures: Tensor) -> Tensor:
    """R1 (Mescheder et al. 2018): half the mean squared length of the gradient at real pictures."""
    (slope,) = torch.autograd.grad(scores.float().sum(), pictures, create_graph=True)
    return slope.float().square().sum((1, 2, 3)).mean() / 2
