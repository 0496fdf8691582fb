"""What the networks of FSGAN and their critic learn. Pictures are BGR -1..1."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from rtswap.training.recipes.faceswap_gan.losses import STAGES, Perception
from rtswap.training.recipes.fsgan.network import Critic

AROUND = 0.1
"""Weight of what is not the face."""


class Watcher(Perception):
    """The recogniser, which does not learn: compares pictures by its features, and tells whose face it is."""

    def vectors(self, pictures: Tensor) -> Tensor:
        """Identity vectors (N, 128) of unit length."""
        crops = self.crop(pictures)
        return self._vector(self.network.stages(self._lit(crops, crops))[-1])

    def compare(self, made: Tensor, truth: Tensor, embeddings: Tensor) -> tuple[Tensor, Tensor]:
        """Squared differences between both's normalised features, summed over the stages with their weights; and
        1 - cosine to the identity vectors (N, 128) of unit length."""
        shown, wanted = self.crop(made), self.crop(truth)
        with torch.no_grad():
            goals = [
                functional.instance_norm(maps.float()) for maps in self.network.stages(self._lit(wanted, wanted))
            ]
        seen = self.network.stages(self._lit(shown, wanted))
        total = made.new_zeros(())
        for weight, maps, goal in zip(STAGES, seen, goals, strict=True):
            total = total + weight * (functional.instance_norm(maps.float()) - goal).square().mean()
        return total, 1 - (self._vector(seen[-1]) * embeddings).sum(1).mean()

    def _lit(self, crops: Tensor, like: Tensor) -> Tensor:
        """Crops 0..255 -> what the recogniser takes, their light as that of ``like`` is made usual."""
        quarter = like.shape[-1] // 4
        middle = like[..., quarter:-quarter, quarter:-quarter].mean((2, 3), keepdim=True)
        return (crops * (self.skin / middle.clamp_min(1))).clamp(0, 255) / 127.5 - 1

    def _vector(self, squeezed: Tensor) -> Tensor:
        return functional.normalize(self.network.head(squeezed.flatten(1)).float(), dim=1, eps=1e-6)


def off(made: Tensor, truth: Tensor, where: Tensor) -> Tensor:
    """Mean absolute error, weighted by ``where`` (N, 1, H, W)."""
    return ((made - truth).abs() * where).sum() / (3 * where.sum()).clamp_min(1.0)


def on_face(mask: Tensor) -> Tensor:
    """Weights (N, 1, H, W): the face, and ``AROUND`` for the rest."""
    return AROUND + (1 - AROUND) * mask


def fooled(critic: Critic, made: Tensor) -> Tensor:
    """The maker's side of LSGAN (Mao et al. 2017), summed over the scales."""
    return torch.stack([(score.float() - 1).square().mean() for score in critic(made)]).sum()


def judged(critic: Critic, made: Tensor, real: Tensor) -> Tensor:
    """The critic's side."""
    both = critic(torch.cat([made.detach(), real]))
    found = []
    for scores in both:
        of_made, of_real = scores.float().chunk(2)
        found.append((of_made.square().mean() + (of_real - 1).square().mean()) / 2)
    return torch.stack(found).sum()


def psnr(made: Tensor, truth: Tensor, where: Tensor) -> float:
    """dB between pictures -1..1 where ``where`` (N, 1, H, W) is 1."""
    error = ((made.float() - truth).square() * where).sum() / (3 * where.sum()).clamp_min(1.0)
    return float(10 * torch.log10(4 / (error + 1e-10)))
