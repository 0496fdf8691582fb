"""The target's light and tones of skin, for the swapper ``mesh`` on the GPU: the formulas of ``light`` and
``skin_tones``, which explain them, as functions of tensors with a row per face."""

from __future__ import annotations

import math
from typing import NamedTuple

from rtswap.gpu.resample import Tensor, gaussian
from rtswap.gpu.torch_import import load_torch
from rtswap.swappers.mesh import gpu_rows as fields
from rtswap.swappers.mesh.light import (
    GLEAM,
    GLOSS,
    GLOSS_SIGMA,
    LEAST_COLOUR,
    LEAST_SEAM,
    LIDS_LEAST,
    LIDS_LIMIT,
    LIDS_SIGMA,
    MATTE,
    MOST_BLACK,
    MOST_COLOUR,
    MOST_GLOSS,
    MOST_MATTE,
    OFFSET,
    PURPLE,
    SEAM,
    SEAM_LIMIT,
    SEAM_REACH,
    SHADED,
    UNLIKE,
)
from rtswap.swappers.mesh.skin_tones import (
    ALIKE,
    BROWS_DEEPER,
    DEEP,
    EVENED,
    EVENER,
    FEWER,
    FEWEST,
    HIGHLIGHTS,
    LEAST_EVEN,
    LIGHTER,
    LIPS_EVENER,
    LIPS_SHIFT,
    LUMA,
    MOST_PALER,
    MUCH_LIGHTER,
    ONE,
    REDDER,
    SHADOWS,
)

torch = load_torch()


class Light(NamedTuple):
    """``light.TargetLight`` of N faces."""

    field: Tensor
    """(N, 3, h, w)"""
    skin: Tensor
    """(N, 1, h, w)"""
    mean: Tensor
    """(N,), as ``colour``."""
    black: Tensor
    """(N, 1, 1, 1)"""
    colour: Tensor


def light_of(target: Tensor, area: Tensor, numbers: Tensor, black: Tensor) -> Light:
    """``light.light_of`` and ``skin_light``."""
    blur = gaussian(area.shape[-1], *numbers[:, fields.LIGHT : fields.MASK].unbind(1))[:, None]
    whole = area[:, None]
    first = _low_pass(target, whole, blur)
    unlike = torch.log(_luma(target + OFFSET) / _luma(first + OFFSET)) / UNLIKE
    skin = whole / (1 + unlike**4)
    field = _low_pass(target, skin, blur)
    means = (field * whole).sum((2, 3)) / whole.sum((2, 3)).clamp(min=1)
    black = torch.minimum(black.clamp(min=0), MOST_BLACK * means.amin(1))
    mean = (_luma(means[..., None, None]).flatten() - black).clamp(min=1)
    above = (means - black[:, None]).clamp(min=0) + OFFSET
    black = black[:, None, None, None]
    return Light((field - black).clamp(min=1), skin, mean, black, torch.log(above[:, 2] / above[:, 0]))


def on_darker(field: Tensor, black: Tensor, target: Tensor, area: Tensor, numbers: Tensor, lighter: Tensor) -> Tensor:
    """``light.on_darker``: the field (N, 3, h, w) in the colour of the target's skin without gloss, and with it."""
    share, matte = (
        (-per * lighter).clamp(0, most)[:, None, None, None]
        for per, most in ((GLOSS, MOST_GLOSS), (MATTE, MOST_MATTE))
    )
    theirs = (target - black).clamp(min=0)
    logs = torch.log((theirs + OFFSET) / (field + OFFSET))
    purple = (logs[:, :1] + logs[:, 2:]) / 2 - logs[:, 1:2]
    skin = area[:, None] / (1 + (_luma(logs) / GLEAM) ** 4 + (purple / PURPLE) ** 4)
    sigma = GLOSS_SIGMA * numbers[:, fields.LIGHT]
    blur = gaussian(area.shape[-1], sigma, (3 * sigma).round().clamp(min=1))[:, None]
    above = torch.minimum((theirs - field).clamp(min=0), (math.exp(GLEAM) - 1) * field)
    shine = blur @ (above * skin) @ blur.mT
    broad = gaussian(area.shape[-1], *numbers[:, fields.LIGHT : fields.MASK].unbind(1))[:, None]
    shine = shine - _low_pass(shine, area[:, None], broad)
    lit = skin / (1 + (_luma(logs).clamp(max=0) / SHADED) ** 4)
    tinted = field * torch.exp(matte * _without_gloss(theirs, lit))
    return torch.where(share > 0, (tinted + share * shine).clamp(min=1), field)


def _without_gloss(target: Tensor, skin: Tensor) -> Tensor:
    """``light._without_gloss``: logs (N, 3, 1, 1). ``target`` (N, 3, h, w), ``skin`` (N, 1, h, w)."""
    logs = torch.log(target + OFFSET)
    tints = logs - _luma(logs)
    mean = (tints * skin).sum((2, 3), keepdim=True) / skin.sum((2, 3), keepdim=True).clamp(min=1)
    length = (mean * mean).sum(1, keepdim=True)
    colour = ((tints * mean).sum(1, keepdim=True) / length.clamp(min=LEAST_COLOUR**2)).clamp(0, 2)
    clear = skin * (colour * colour * colour) ** 2
    change = (tints * clear).sum((2, 3), keepdim=True) / clear.sum((2, 3), keepdim=True).clamp(min=1e-3) - mean
    most = MOST_COLOUR / (change * change).sum(1, keepdim=True).sqrt().clamp(min=1e-6)
    return change * most.clamp(max=1)


def toned(ratios: Tensor, features: list[Tensor], lighter: Tensor, own: float, theirs: Tensor) -> Tensor:
    """``skin_tones.toned`` of each face's ratios; ``lighter`` and ``theirs`` (N,)."""
    logs = torch.log(ratios.clamp(min=1) / ONE)
    paler = (own - theirs - ALIKE).clamp(0, MOST_PALER)
    tints = 1 - FEWER * (paler + (lighter - LIGHTER).clamp(min=0))
    tints = tints.clamp(min=FEWEST)[:, None, None, None]
    less = (tints * ratios + (1 - tints) * _luma(ratios)).round()
    shown = _of_skin(torch.log(less.clamp(min=1) / ONE), lighter, paler)
    excess, beyond = ((lighter - least).clamp(min=0)[:, None, None, None] for least in (MUCH_LIGHTER, LIGHTER))
    brows = _of_ratios(logs.clamp(min=0) + logs.clamp(max=0) * (1 + BROWS_DEEPER * excess))
    lips = _of_ratios(
        logs * (1 - LIPS_EVENER * beyond).clamp(min=LEAST_EVEN) + _per_channel(LIPS_SHIFT, lighter) * beyond
    )
    lips = torch.where(beyond > 0, lips, _of_skin(logs, lighter, torch.zeros_like(paler)))
    for other, share, more in zip((brows, lips), features, (excess > 0, (beyond > 0) | (tints < 1)), strict=True):
        shown = (shown + share * more * (other - shown)).round()
    return shown


def _of_skin(logs: Tensor, lighter: Tensor, paler: Tensor) -> Tensor:
    """``skin_tones.tones`` of the logs (N, 3, S, S) of ratios."""
    above, below = (
        (1 + torch.where(lighter > 0, up, down) * lighter).clamp(low, high)[:, None, None, None]
        for up, down, low, high in (HIGHLIGHTS, SHADOWS)
    )
    most = ((lighter - MUCH_LIGHTER).clamp(min=0) + paler).clamp(max=1)[:, None, None, None]
    dark = below * logs.clamp(DEEP, 0) + (logs - DEEP).clamp(max=0)
    dark = dark * (1 - most * EVENER / (1 + (dark / EVENED) ** 2))
    return _of_ratios(
        above * logs.clamp(min=0) + dark + most * _per_channel(REDDER, lighter) * dark.clamp(min=-EVENED)
    )


def _per_channel(numbers: tuple[float, ...], like: Tensor) -> Tensor:
    """(N, 3, 1, 1), without a copy from the host."""
    return torch.stack([torch.full_like(like, number) for number in numbers], 1)[..., None, None]


def _of_ratios(logs: Tensor) -> Tensor:
    """The ratios 0..255 of logs."""
    return (ONE * torch.exp(logs)).round().clamp(0, 255)


def seam_of(
    field: Tensor, skin: Tensor, black: Tensor, target: Tensor, ratios: Tensor, area: Tensor, numbers: Tensor
) -> Tensor:
    """``light.seam_of``, (N, 3, h, w)."""
    sigma = (SEAM * numbers[:, fields.LIGHT]).clamp(min=LEAST_SEAM)
    blur = gaussian(area.shape[-1], sigma, (3 * sigma).round().clamp(min=1))[:, None]
    low, high = SEAM_REACH
    near = ((high - blur @ area[:, None] @ blur.mT) / (high - low)).clamp(0, 1)
    theirs = (target - black).clamp(min=0) + OFFSET
    spread = _low_pass(torch.log(theirs / (field * ratios / ONE + OFFSET)), near * skin, blur)
    return torch.exp(spread.clamp(-SEAM_LIMIT, SEAM_LIMIT) * near)


def lids_of(
    field: Tensor, skin: Tensor, black: Tensor, target: Tensor, lit: Tensor, around: Tensor, numbers: Tensor
) -> Tensor:
    """``light.lids_of``, (N, 3, h, w)."""
    sigma = (LIDS_SIGMA * numbers[:, fields.LIGHT]).clamp(min=LEAST_SEAM)
    blur = gaussian(around.shape[-1], sigma, (3 * sigma).round().clamp(min=1))[:, None]
    theirs, ours = (target - black).clamp(min=0) + OFFSET, lit + OFFSET
    unlike = torch.log(_luma(ours) / _luma(field + OFFSET)) / UNLIKE
    weights = around * skin / (1 + unlike**4)
    low = blur @ torch.cat([torch.log(ours / theirs) * weights, weights], 1) @ blur.mT
    return torch.exp((low[:, :3] / (low[:, 3:] + LIDS_LEAST)).clamp(-LIDS_LIMIT, LIDS_LIMIT))


def _low_pass(image: Tensor, weights: Tensor, blur: Tensor) -> Tensor:
    """``light.low_pass`` of (N, 3, h, w) over (N, 1, h, w)."""
    low = blur @ torch.cat([image * weights, weights], 1) @ blur.mT
    return (low[:, :3] + 1e-4) / (low[:, 3:] + 1e-6)


def _luma(image: Tensor) -> Tensor:
    """Light of (N, 3, h, w), (N, 1, h, w)."""
    return sum(float(weight) * image[:, channel : channel + 1] for channel, weight in enumerate(LUMA))
