"""The generator's losses: the truth where it is known, the target's light, no seam, and even skin.

Tones are compared in cells of 2 px and coarser: gains in cells of 4 px can mend nothing finer.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from training.refiner.pool import Batch

WEIGHTS = {
    "colour": 10.0,
    "light": 3.0,
    "seam": 10.0,
    "chroma": 15.0,
    "shade": 20.0,
    "calm": 0.2,
    "smooth": 1.0,
    "identity": 4.0,
}
UNDAMAGED = 0.5
"""Weight, beside a truth, of the face before it was damaged, where no truth is known."""
EVENER = 0.85
"""Unevenness that is aimed at, as a share of the least of the truth's and the undamaged face's."""
LIGHT_SIGMA, SHADE_SIGMA = 2.8, 2.3
"""Sigmas in cells of 4 px: of the target's light, and of what is around a blotch (0.12 of the face's width, as
``rtswap.commands.evaluate.naturalness`` measures)."""
TOUCHED = 20 / 255
"""Where a mask begins."""
ACROSS = 2
"""Cells of 2 px across the seam over which its step is measured."""
NEAR = 1e-4
"""Below the root of this, an absolute value is a parabola."""


class Seen(NamedTuple):
    """Pictures (N, 3, S / 2, S / 2) in cells of 2 px, as ``tones``."""

    tones: Tensor
    truth: Tensor
    clean: Tensor
    """Before the damage."""
    mask: Tensor
    """(N, 1, S / 2, S / 2)"""
    batch: Batch

    @property
    def skin(self) -> Tensor:
        """(N, 1, S / 2, S / 2) of the truth, where the swap is."""
        return self.batch.skin * self.mask


class Unevenness(NamedTuple):
    """(N,) standard deviations over the skin in CIELAB's units / 50."""

    chroma: Tensor
    shade: Tensor


def refine(pictures: Tensor, mask: Tensor, logs: Tensor) -> Tensor:
    """Composites (N, 3, S, S) -1..1 with the gains on them where ``mask`` (N, 1, S, S) is, as
    ``crop_view.draw_gains`` puts them on the face. ``logs`` (N, 3, 32, 32)."""
    gains = nn.functional.interpolate(torch.exp(logs), pictures.shape[2:], mode="bilinear", align_corners=False)
    return (pictures + mask * (pictures + 1) * (gains - 1)).clamp(-1, 1.2)


def see(batch: Batch, logs: Tensor) -> Seen:
    """Compute the pictures that the losses compare."""
    picture, mask = _halve(batch.composite), _halve(batch.mask)
    return Seen(tones(refine(picture, mask, logs)), tones(batch.truth), tones(_halve(batch.clean)), mask, batch)


def terms(view: Seen, logs: Tensor) -> dict[str, Tensor]:
    """``colour``: distance from the truth in cells of 2 to 16 px, or from the face before it was damaged; ``light``:
    from the target's slow part; ``seam``: ``step``; ``chroma``, ``shade``: unevenness beyond what is aimed at;
    ``calm``: gains without need; ``smooth``: differences between neighbouring gains."""
    uneven, truth, clean = (unevenness(one, view) for one in (view.tones, view.truth, view.clean))
    too_much = [
        torch.relu(now - EVENER * torch.minimum(*both)).mean()
        for now, *both in zip(uneven, truth, clean, strict=True)
    ]
    skin, mask = _halve(view.skin), _halve(view.mask)
    slow = _around(_halve((view.tones - view.truth) * view.skin), skin, LIGHT_SIGMA).abs() * skin
    apart = [logs.diff(dim=dim).square().mean() for dim in (2, 3)]
    return {
        "colour": _colour(view),
        "light": slow.mean() / _area(skin),
        "seam": step(view).mean(),
        "chroma": too_much[0],
        "shade": too_much[1],
        "calm": (logs.abs() * mask).mean() / _area(mask),
        "smooth": 100 * (apart[0] + apart[1]),
    }


def tones(picture: Tensor) -> Tensor:
    """(N, 3, H, W) BGR -1..1 -> about CIELAB's L, a, b in units / 50."""
    to = torch.tensor([[0.114, 0.587, 0.299], [0, -1.2, 1.2], [-1, 0.5, 0.5]], device=picture.device)
    return nn.functional.conv2d(picture, to[:, :, None, None])


def step(view: Seen) -> Tensor:
    """(N,) by how much the tone jumps more across the seam than in the truth: of L / 2, a and b."""
    inside = view.mask > TOUCHED
    ours, theirs = (
        nn.functional.avg_pool2d(one, 3, 1, 1, count_include_pad=False) for one in (view.tones, view.truth)
    )
    share = torch.tensor([0.5, 1, 1], device=ours.device)[:, None, None] / 3
    total, count = torch.zeros(len(ours), device=ours.device), torch.full((len(ours),), 1e-3, device=ours.device)
    for dim in (2, 3):

        def sides(x: Tensor, dim: int = dim) -> tuple[Tensor, Tensor]:
            length = x.shape[dim] - ACROSS
            return x.narrow(dim, 0, length), x.narrow(dim, ACROSS, length)

        before, after = sides(inside)
        clear = sides(view.batch.visible)
        where = (before != after) * clear[0] * clear[1]
        jumps = [_absolute(torch.sub(*sides(one))) for one in (ours, theirs)]
        total = total + (torch.relu(jumps[0] - jumps[1]) * share * where).sum((1, 2, 3))
        count = count + where.sum((1, 2, 3))
    return total / count


def unevenness(shown: Tensor, view: Seen) -> Unevenness:
    """Of the skin in ``shown``, tones in cells of 2 px, without its slow part and what is finer than 4 px."""
    weight = _halve(view.skin * view.batch.visible)
    weight = weight * (weight > 0.5)
    cells = _halve(shown)
    off = cells - _around(cells * weight, weight, SHADE_SIGMA)
    light, a, b = ((off.square() * weight).sum((2, 3)) / weight.sum((2, 3)).clamp(min=1)).unbind(1)
    return Unevenness((a + b + NEAR).sqrt(), (light + NEAR).sqrt())


def psnr(picture: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """(N,) dB of tones where ``weight`` (N, 1, H, W) counts."""
    off = ((picture - truth) / 2).square() * weight
    mean = off.sum((1, 2, 3)) / (3 * weight.sum((1, 2, 3))).clamp(min=1)
    return -10 * torch.log10(mean.clamp(min=1e-7))


def _colour(view: Seen) -> Tensor:
    known = view.batch.known_truth[:, None, None, None]
    weight = view.batch.visible * (view.mask > TOUCHED) * torch.where(known, 1.0, UNDAMAGED)
    off = (view.tones - torch.where(known, view.truth, view.clean)) * weight
    total = off.abs().mean()
    for _ in range(3):
        off = _halve(off)
        total = total + off.abs().mean()
    return total / _area(weight)


def _halve(x: Tensor) -> Tensor:
    return nn.functional.avg_pool2d(x, 2)


def _area(x: Tensor) -> Tensor:
    return x.mean().clamp(min=1e-3)


def _absolute(x: Tensor) -> Tensor:
    return (x.square() + NEAR).sqrt()


def _around(weighted: Tensor, weight: Tensor, sigma: float) -> Tensor:
    """Return the Gaussian of ``weighted`` divided by that of ``weight``."""
    place = torch.arange(weight.shape[-1], device=weight.device)
    blur = torch.exp(-0.5 * ((place[:, None] - place) / sigma) ** 2)
    return (blur @ weighted @ blur) / (blur @ weight @ blur).clamp(min=1e-2)
