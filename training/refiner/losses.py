"""What the generator is asked for: the truth where it is known, and what must be kept where it is not.

The critic's side: hinge losses per patch, pictures augmented alike before it sees them, its gradient held down.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from training.refiner.network import Critic, Made
from training.refiner.pool import Batch

WEIGHTS = {
    "colour": 10.0,
    "edges": 2.0,
    "structure": 1.0,
    "light": 5.0,
    "detail": 1.0,
    "calm": 0.05,
    "kept": 1.0,
    "identity": 5.0,
    "keep": 1.0,
    "landmarks": 0.8,
    "fooled": 0.3,
}
LIGHT_SIGMA = 1.4
"""Of the low-pass of ``light``, in cells, of which 16 are across: 0.09 of the crop."""
OPEN = 3.0
"""Weight of taking what is visible for hidden, beside the other error."""
TOLERATED = 0.15
"""Changes of gradients (of 2 from black to white) well above this are a fringe that went, not a feature lost."""

MOST_SHIFT = 10
"""Pixels by which pictures are moved before the critic sees them."""
R1, R1_COUNT = 2.0, 8
"""Weight of the critic's gradient penalty, and pictures that it is taken of."""


class Output(NamedTuple):
    picture: Tensor
    """(N, 3, S, S) the composite, refined where it was pasted."""
    made: Made

    def part(self, chosen: slice) -> Output:
        return Output(self.picture[chosen], Made(*(value[chosen] for value in self.made)))


def refined(batch: Batch, made: Made) -> Output:
    return Output((batch.composite + batch.mask * made.residual).clamp(-1.2, 1.2), made)


def true_terms(output: Output, batch: Batch) -> dict[str, Tensor]:
    """Against the truth. ``colour``: L1 at full to an eighth of the size; ``edges``: of gradients; ``structure``:
    1 - SSIM."""
    weight = (batch.visible * (batch.mask > 0.02)).contiguous()
    area = weight.mean().clamp(min=1e-3)
    off = (output.picture - batch.truth) * weight
    colour = 0.5 * off.abs().mean()
    for share in (1.0, 1.0, 1.0):
        off = nn.functional.avg_pool2d(off, 2)
        colour = colour + share * off.abs().mean()
    edges = sum(
        (both[0] - both[1]).abs().mul(weight[:, :, 1:, 1:]).mean()
        for both in zip(_slopes(output.picture), _slopes(batch.truth), strict=True)
    )
    structure = (1 - _ssim(output.picture, batch.truth)) * nn.functional.avg_pool2d(weight, 16, 8)
    return {"colour": colour / area, "edges": edges / area, "structure": structure.mean() / area}


def cross_terms(output: Output, batch: Batch) -> dict[str, Tensor]:
    """``light``: the target's slow part; ``detail``: the undamaged face's gradients at full and half size, but for
    what is out of place; ``calm``: no change without need."""
    area = batch.mask.mean().clamp(min=1e-3)
    within = batch.inside * batch.mask
    light = (_slow(output.picture, within) - _slow(batch.truth, within)).abs() * _coarse(within)
    change, detail = output.picture - batch.clean, []
    calm = (change.abs() * batch.mask).mean()
    for _ in range(2):
        off = torch.cat(_slopes(change)).abs()
        detail.append((off / (off + TOLERATED)).mean())
        change = nn.functional.avg_pool2d(change, 2)
    return {"light": light.mean() / area, "detail": TOLERATED * sum(detail) / area, "calm": calm / area}


def kept_term(output: Output, batch: Batch) -> dict[str, Tensor]:
    """``kept``: cross-entropy of where nothing is before the face; counted where the face was pasted. A face that is
    taken for hidden would be the target's own: that weighs ``OPEN`` times as much."""
    off = nn.functional.binary_cross_entropy_with_logits(output.made.kept, batch.visible, reduction="none")
    off = off * (1 + (OPEN - 1) * batch.visible)
    return {"kept": (off * batch.mask).mean() / batch.mask.mean().clamp(min=1e-3)}


def psnr(picture: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """(N,) dB of pictures -1..1 where ``weight`` (N, 1, H, W) counts."""
    off = ((picture.clamp(-1, 1) - truth) / 2).square() * weight
    mean = off.sum((1, 2, 3)) / (3 * weight.sum((1, 2, 3))).clamp(min=1)
    return -10 * torch.log10(mean.clamp(min=1e-7))


def _slopes(x: Tensor) -> tuple[Tensor, Tensor]:
    return x[:, :, 1:, 1:] - x[:, :, 1:, :-1], x[:, :, 1:, 1:] - x[:, :, :-1, 1:]


def _ssim(a: Tensor, b: Tensor) -> Tensor:
    """(N, 1, S / 8 - 1, S / 8 - 1) structural similarity (Wang et al. 2004) of the lightness at half size, in boxes
    of 8 px."""
    a, b = (nn.functional.avg_pool2d(x.mean(1, keepdim=True), 2) for x in (a, b))

    def mean(x: Tensor) -> Tensor:
        return nn.functional.avg_pool2d(x, 8, 4)

    ma, mb = mean(a), mean(b)
    va, vb, both = mean(a * a) - ma * ma, mean(b * b) - mb * mb, mean(a * b) - ma * mb
    small, little = 4 * 0.01**2, 4 * 0.03**2
    return (2 * ma * mb + small) * (2 * both + little) / ((ma * ma + mb * mb + small) * (va + vb + little))


def _coarse(x: Tensor) -> Tensor:
    return nn.functional.avg_pool2d(x, x.shape[-1] // 16)


def _slow(x: Tensor, weight: Tensor) -> Tensor:
    """(N, 3, 16, 16) Gaussian of ``x`` where ``weight`` counts."""
    reach = torch.arange(-3.0, 4.0, device=x.device)
    line = torch.exp(-0.5 * (reach / LIGHT_SIGMA) ** 2)
    kernel = (line[:, None] * line)[None, None]

    def smooth(y: Tensor) -> Tensor:
        return nn.functional.conv2d(y, kernel.expand(y.shape[1], 1, 7, 7), padding=3, groups=y.shape[1])

    return smooth(_coarse(x * weight)) / smooth(_coarse(weight)).clamp(min=1e-2)


class Augmentation:
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


def generator_hinge(critic: Critic, fake: Tensor, shown: Tensor) -> Tensor:
    """The generator's hinge loss."""
    weight = patch_weight(shown)
    return -(critic(Augmentation(len(fake), fake.device)(fake)) * weight).sum() / weight.sum().clamp(min=1)


def critic_hinge(critic: Critic, fake: Tensor, real: Tensor, shown: Tensor) -> Tensor:
    """The critic's hinge loss."""
    weight, change = patch_weight(shown), Augmentation(len(fake), fake.device)
    off = torch.relu(1 - critic(change(real))) + torch.relu(1 + critic(change(fake)))
    return (off * weight).sum() / weight.sum().clamp(min=1)


def gradient_penalty(critic: Critic, real: Tensor) -> Tensor:
    """R1 (Mescheder et al. 2018): the critic's squared gradient at real pictures; patches count as independent."""
    seen = real.detach().clone().requires_grad_(True)
    scores = critic(seen)
    patches = scores[0].numel()
    (slope,) = torch.autograd.grad(scores.sum() / patches**0.5, seen, create_graph=True)
    return slope.square().sum((1, 2, 3)).mean()
