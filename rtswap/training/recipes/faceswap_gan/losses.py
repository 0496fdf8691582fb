"""What the decoders and the critics of faceswap-GAN learn. Pictures are BGR -1..1.

Facts from shaoanlu/faceswap-GAN, ``networks/losses.py`` at 17219d0. Changed: edges are compared with their sign, and
every sample has its own mixture.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from rtswap.networks.landmarks import MARGIN
from rtswap.networks.recognition import SKIN
from rtswap.training.onnx_files import load_weights
from rtswap.training.recipes.faceswap_gan.network import Critic, Made
from rtswap.training.recogniser import SIZE, Deployed, RecognitionNetwork
from rtswap.vision.crops import place_upright
from rtswap.vision.templates import TEMPLATES

STAGES = (0.1, 0.3, 0.1, 0.01)
"""Weights of the recogniser's stages, the largest maps first."""
MIXUP = 0.2
"""Both parameters of the beta distribution that pictures are mixed by: most are nearly whole."""


def differences(x: Tensor) -> Tensor:
    """Each pixel (N, C, H, W) less its neighbour below and less the one to its right: (N, 2 C, H - 1, W - 1)."""
    here = x[..., :-1, :-1]
    return torch.cat([here - x[..., 1:, :-1], here - x[..., :-1, 1:]], 1)


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


def fooled(critic: Critic, made: Made, given: Tensor) -> Tensor:
    """The decoder's side: how far from real (1) the critic thinks what is shown, and the face alone, are."""
    scores = critic(torch.cat([made.shown(given), made.face]), torch.cat([given, given])).float()
    return 2 * (scores - 1).square().mean()


def judged(critic: Critic, made: Made, given: Tensor, truth: Tensor, shares: Tensor) -> Tensor:
    """The critic's side: pictures that are real to a share of ``shares`` (N, 1, 1, 1) shall score just that; of what
    is shown, and of the face alone."""
    mixed = [shares * truth + (1 - shares) * one for one in (made.shown(given), made.face)]
    scores = critic(torch.cat(mixed), torch.cat([given, given])).float()
    return 2 * (scores - torch.cat([shares, shares])).square().mean()


class Perception(nn.Module):
    """Compares pictures as the recogniser sees them. It does not learn."""

    def __init__(self, network: RecognitionNetwork, template: str, side: int) -> None:
        """For faces of ``side`` px that are placed by ``template``."""
        super().__init__()
        self.network = network.eval().requires_grad_(False)
        matrix = place_upright(TEMPLATES[template] * side, SIZE, margin=MARGIN, middle=SIZE / 2)
        assert matrix is not None
        corner, length = -matrix[:, 2] / matrix[0, 0], SIZE / matrix[0, 0]
        low = [max(0, round(float(at))) for at in corner]
        high = [min(side, round(float(at + length))) for at in corner]
        self.columns, self.rows = slice(low[0], high[0]), slice(low[1], high[1])
        self.register_buffer("skin", torch.from_numpy(SKIN).view(1, 3, 1, 1))

    @classmethod
    def of_file(cls, path: Path, template: str, side: int) -> Perception:
        """With the weights of ``assets/recognition.onnx``."""
        return cls(load_weights(path, Deployed(RecognitionNetwork())).network, template, side)

    def crop(self, pictures: Tensor) -> Tensor:
        """The face within pictures (N, 3, R, R), -1..1, as large as the recogniser takes it, 0..255."""
        part = pictures[..., self.rows, self.columns]
        part = functional.interpolate(part, size=(SIZE, SIZE), mode="bilinear", antialias=part.shape[-1] > SIZE)
        return (part + 1) * 127.5

    def forward(self, made: Tensor, truth: Tensor) -> Tensor:
        """Squared differences between both's normalised features, summed over the stages with their weights."""
        shown, wanted = self.crop(made), self.crop(truth)
        quarter = SIZE // 4
        middle = wanted[..., quarter:-quarter, quarter:-quarter].mean((2, 3), keepdim=True)
        gains = self.skin / middle.clamp_min(1)
        crops = torch.cat([shown * gains, wanted * gains]).clamp(0, 255) / 127.5 - 1
        total = made.new_zeros(())
        for weight, maps in zip(STAGES, self.network.stages(crops), strict=True):
            mine, theirs = functional.instance_norm(maps.float()).chunk(2)
            total = total + weight * (mine - theirs.detach()).square().mean()
        return total
