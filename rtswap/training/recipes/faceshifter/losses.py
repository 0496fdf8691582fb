"""The losses of FaceShifter. Pictures are BGR -1..1.

Facts from Li et al. 2019: adversarial 1, attributes 10, identity 5, reconstruction 10 where source and target are one
person. Added: ``losses.edges``, since squared errors alone leave faces soft.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional


def reconstruction(made: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """Half the mean square of the error of pictures (N, 3, R, R), where ``weight`` (N, 1, R, R) counts."""
    return 0.5 * ((made - truth).square() * weight).mean()


def attributes(made: Sequence[Tensor], given: Sequence[Tensor]) -> Tensor:
    """Half the mean squared difference between two pictures' attribute maps, summed over the scales."""
    terms = [(a.float() - b.float()).square().mean() for a, b in zip(made, given, strict=True)]
    return 0.5 * torch.stack(terms).sum()


def generator_loss(scores: Sequence[Tensor]) -> Tensor:
    """The generator's hinge loss: minus the critic's mean score of made pictures, over all scales."""
    return -torch.stack([one.float().mean() for one in scores]).mean()


def critic_loss(real: Sequence[Tensor], made: Sequence[Tensor]) -> Tensor:
    """The critic's hinge loss: real pictures shall score 1 or more, made ones -1 or less."""
    losses = [(1 - one.float()).clamp_min(0).mean() for one in real]
    losses += [(1 + one.float()).clamp_min(0).mean() for one in made]
    return 2 * torch.stack(losses).mean()


def hide(pictures: Tensor, masks: Tensor, cells: Tensor) -> Tensor:
    """Pictures (N, C, R, R) averaged within ``masks`` (N, 1, R, R) over cells of ``cells`` (N,) px; 0: unchanged."""
    found = pictures
    for cell in sorted(set(cells.tolist()) - {0}):
        small = functional.avg_pool2d(pictures, cell)
        coarse = functional.interpolate(small, scale_factor=float(cell), mode="bilinear")
        where = masks * (cells == cell).to(masks).view(-1, 1, 1, 1)
        found = found + where * (coarse - pictures)
    return found


def grey_change(made: Tensor, given: Tensor, cell: int) -> Tensor:
    """``given`` (N, 3, R, R) with the change to ``made`` in brightness alone, in cells of ``cell`` px: colours and
    bands fool recognisers."""
    small = functional.avg_pool2d((made - given).mean(1, keepdim=True), cell)
    return given + functional.interpolate(small, scale_factor=float(cell), mode="bilinear")
