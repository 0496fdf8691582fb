"""Batches out of the prepared pairs: tensors, mirrored, toned and unevenly lit anew each time."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.one.network import SIZE, to_input
from training.one.pairs import Pairs

NEARLY_RIGHT = 0.4


@dataclass(frozen=True)
class Batch:
    """N pairs: pictures (N, 3, 128, 128) -1..1, masks (N, 1, 128, 128) 0..1; see ``pairs.Pairs``."""

    composite: Tensor
    target: Tensor
    lowered: Tensor
    photo: Tensor
    mask: Tensor
    inside: Tensor
    visible: Tensor
    same: Tensor
    source: Tensor
    known: Tensor
    mesh: Tensor

    def part(self, chosen: Tensor) -> Batch:
        return Batch(*(getattr(self, field.name)[chosen] for field in fields(self)))


def gathered(pairs: Pairs, rows: NDArray[np.int64], device: str = "cpu") -> Batch:
    """The pairs in ``rows`` as they are."""

    def picture(name: str) -> Tensor:
        taken = torch.from_numpy(getattr(pairs, name)[rows]).to(device)
        return to_input(taken).contiguous(memory_format=torch.channels_last)

    def share(name: str) -> Tensor:
        return torch.from_numpy(getattr(pairs, name)[rows]).to(device)[:, None].float() / 255

    def value(name: str) -> Tensor:
        return torch.from_numpy(getattr(pairs, name)[rows]).to(device)

    pictures = (picture(name) for name in ("composite", "target", "lowered", "photo"))
    shares = (share(name) for name in ("mask", "inside", "visible"))
    return Batch(*pictures, *shares, *(value(name) for name in ("same", "source", "known", "mesh")))


class Draws:
    """Random rows of the pairs: a fixed share of same ones in every batch, those first."""

    def __init__(self, pairs: Pairs, seed: int) -> None:
        self._same, self._cross = np.flatnonzero(pairs.same), np.flatnonzero(~pairs.same)
        self._rng = np.random.default_rng(seed)

    def rows(self, same: int, cross: int) -> NDArray[np.int64]:
        return np.concatenate([self._rng.choice(self._same, same), self._rng.choice(self._cross, cross)])


def augmented(batch: Batch, dice: torch.Generator) -> Batch:
    return _uneven(_nearly_right(_toned(_mirrored(batch, dice), dice), dice), dice)


def _mirrored(batch: Batch, dice: torch.Generator) -> Batch:
    """Half of the time the other way round; the crops of the watching networks then show what they showed before."""
    if torch.rand((), generator=dice) < 0.5:
        return batch
    back = torch.tensor([[-1.0, 0, SIZE - 1], [0, 1, 0], [0, 0, 1]], device=batch.known.device)
    names = ("composite", "target", "lowered", "photo", "mask", "inside", "visible")
    turned = {name: getattr(batch, name).flip(3) for name in names}
    return replace(batch, **turned, known=batch.known @ back, mesh=batch.mesh @ back)


def _toned(batch: Batch, dice: torch.Generator) -> Batch:
    """Another exposure, veil and colour cast for everything; the source's photo gets its own."""
    count = len(batch.same)

    def tone() -> tuple[Tensor, Tensor]:
        gain = torch.exp(0.12 * torch.randn(count, 1, 1, 1, generator=dice))
        gain = gain * torch.exp(0.05 * torch.randn(count, 3, 1, 1, generator=dice))
        return gain, gain - 1 + 0.04 * torch.randn(count, 1, 1, 1, generator=dice)

    def shown(picture: Tensor, gain: Tensor, offset: Tensor) -> Tensor:
        return (picture * gain).add_(offset).clamp_(-1, 1)

    common, own = tone(), tone()
    pictures = {name: shown(getattr(batch, name), *common) for name in ("composite", "target", "lowered")}
    return replace(batch, **pictures, photo=shown(batch.photo, *own))


def _nearly_right(batch: Batch, dice: torch.Generator) -> Batch:
    """Some faces of the same person are given as good as they should become: what is right is to be left alone."""
    chosen = (torch.rand(len(batch.same), generator=dice) < NEARLY_RIGHT) & batch.same
    share = (chosen * (0.3 + 0.7 * torch.rand(len(batch.same), generator=dice)))[:, None, None, None]
    return replace(batch, composite=batch.composite + share * (batch.target - batch.composite) * batch.visible)


def _uneven(batch: Batch, dice: torch.Generator) -> Batch:
    """The swapped face alone in slightly other light: what the program's relighting gets wrong."""
    count = len(batch.same)
    field = 0.06 * torch.randn(count, 1, 3, 3, generator=dice) + 0.03 * torch.randn(count, 3, 1, 1, generator=dice)
    light = nn.functional.interpolate(field, (SIZE, SIZE), mode="bilinear", align_corners=True)
    lit = (batch.composite + (batch.composite + 1) * batch.mask * light).clamp(-1, 1)
    return replace(batch, composite=lit.contiguous(memory_format=torch.channels_last))
