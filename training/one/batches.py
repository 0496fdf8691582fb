"""What is done to a batch anew each time: mirrored, toned, and its swapped faces damaged. All on the batch's device,
without waiting for it."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from training.one.damage import damaged
from training.one.pool import PICTURES, SHARES, Batch

NEARLY_RIGHT = 0.3
SOMEBODY = 0.6
"""How many of the photos are somebody else's."""


def augmented(batch: Batch) -> Batch:
    """A batch that nobody has seen before. ``clean`` is its composite before it was damaged."""
    right = _nearly_right(_toned(_mirrored(_strange(batch))))
    return replace(right, composite=damaged(right.composite, right.mask), clean=right.composite)


def _strange(batch: Batch) -> Batch:
    """Some photos are of another pair: whether photo and target are one person must not tell how much is to be
    mended, or of two people's pairs, which have no truth, little is."""
    others = torch.rand(len(batch), 1, 1, 1, device=batch.mask.device) < SOMEBODY
    return replace(batch, photo=torch.where(others, batch.photo.roll(len(batch) // 2, 0), batch.photo))


def _mirrored(batch: Batch) -> Batch:
    """Half of them the other way round; the crops of the watching networks then show what they showed before."""
    turn = torch.rand(len(batch), device=batch.mask.device) < 0.5

    def turned(name: str) -> Tensor:
        picture = getattr(batch, name)
        return torch.where(turn[:, None, None, None], picture.flip(3), picture)

    def seen(matrix: Tensor) -> Tensor:
        x, y, at = matrix.unbind(2)
        return torch.where(turn[:, None, None], torch.stack([-x, y, at + (batch.mask.shape[-1] - 1) * x], 2), matrix)

    changed = {name: turned(name) for name in (*PICTURES, *SHARES)}
    return replace(batch, **changed, known=seen(batch.known), mesh=seen(batch.mesh))


def _toned(batch: Batch) -> Batch:
    """Another exposure, veil and colour cast for everything; the source's photo gets its own."""

    def normal(channels: int, spread: float) -> Tensor:
        return spread * torch.randn(len(batch), channels, 1, 1, device=batch.mask.device)

    def shown(names: tuple[str, ...]) -> dict[str, Tensor]:
        gain = torch.exp(normal(1, 0.12) + normal(3, 0.05))
        offset = gain - 1 + normal(1, 0.04)
        return {name: (getattr(batch, name) * gain + offset).clamp(-1, 1) for name in names}

    return replace(batch, **shown(PICTURES[:-1]), **shown(PICTURES[-1:]))


def _nearly_right(batch: Batch) -> Batch:
    """Some faces are given as good as they should become: what is right is to be left alone."""
    share = 0.3 + 0.7 * torch.rand(len(batch), device=batch.mask.device)
    chosen = (torch.rand_like(share) < NEARLY_RIGHT) & batch.known_truth
    share = (chosen * share)[:, None, None, None]
    return replace(
        batch, composite=batch.composite + share * (batch.truth - batch.composite) * batch.mask * batch.visible
    )
