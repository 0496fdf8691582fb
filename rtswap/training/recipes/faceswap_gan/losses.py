"""The losses of faceswap-GAN's decoders and critics. Pictures are BGR -1..1.

Facts from shaoanlu/faceswap-GAN, ``networks/losses.py`` at 17219d0. Changed: edges are compared with their sign, and
every sample has its own mixture.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from rtswap.training.losses import differences
from rtswap.training.recipes.faceswap_gan.network import Critic, Made

MIXUP = 0.2
"""Both parameters of the beta distribution that pictures are mixed by: most are nearly whole."""


def reconstruction(made: Made, truth: Tensor, features: Tensor) -> dict[str, Tensor]:
    """Mean absolute errors: ``colour`` of the face, and of the same made smaller; ``edges`` of differences between
    neighbours, along both axes; the same where ``features`` (N, 1, H, W) are."""
    off = made.face - truth
    colour = off.abs().mean()
    for small in made.smaller:
        shrunk = functional.interpolate(truth, size=small.shape[-2:], mode="area")
        colour = colour + (small - shrunk).abs().mean()
    edges, near = differences(off).abs(), features[..., :-1, :-1]
    return {
        "colour": colour,
        "features": (off.abs() * features).mean(),
        "edges": 2 * edges.mean(),
        "feature_edges": 2 * (edges * near).mean(),
    }


def variation(alpha: Tensor) -> Tensor:
    """How much alpha (N, 1, H, W) changes from pixel to pixel, along both axes."""
    return 2 * differences(alpha).abs().mean()


def shortfall(alpha: Tensor, least: float) -> Tensor:
    """By how much alpha stays below ``least``, on average."""
    return (least - alpha).clamp_min(0).mean()


def astray(alpha: Tensor, mask: Tensor) -> Tensor:
    """Squared difference of alpha (N, 1, H, W) and where the face can be seen."""
    return (alpha - mask).square().mean()


def draw_shares(count: int, device: str | torch.device) -> Tensor:
    """Shares (N, 1, 1, 1) for a mixup (Zhang et al. 2018). Drawn on the processor, where the seed lies."""
    share = torch.distributions.Beta(MIXUP, MIXUP).sample((count, 1, 1, 1))
    return share.to(device)


def generator_loss(critic: Critic, made: Made, given: Tensor) -> Tensor:
    """The decoder's side: how far from real (1) the critic thinks what is shown, and the face alone, are."""
    scores = critic(torch.cat([made.shown(given), made.face]), torch.cat([given, given])).float()
    return 2 * (scores - 1).square().mean()


def critic_loss(critic: Critic, made: Made, given: Tensor, truth: Tensor, shares: Tensor) -> Tensor:
    """The critic's side: pictures that are real to a share of ``shares`` (N, 1, 1, 1) shall score just that; of what
    is shown, and of the face alone."""
    mixed = [shares * truth + (1 - shares) * one for one in (made.shown(given), made.face)]
    scores = critic(torch.cat(mixed), torch.cat([given, given])).float()
    return 2 * (scores - torch.cat([shares, shares])).square().mean()
