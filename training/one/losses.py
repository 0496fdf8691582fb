"""What is asked of the generator: the truth where it is known, and what must be kept where it is not."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from training.one.network import Made
from training.one.pool import Batch

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


class Output(NamedTuple):
    picture: Tensor
    """(N, 3, S, S) the composite, mended where it was pasted."""
    made: Made


def mended(batch: Batch, made: Made) -> Output:
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


def weighted(terms: dict[str, Tensor]) -> Tensor:
    return torch.stack([WEIGHTS[name] * value for name, value in terms.items()]).sum()


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
