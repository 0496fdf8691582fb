"""What the network is asked for, as named terms."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from rtswap.vision.topology import LEFT_BROW, LEFT_EYE, LIPS_INNER, LIPS_OUTER, OVAL, RIGHT_BROW, RIGHT_EYE
from training.landmarks.network import ANCHORS, SIZE

WEIGHTS = {
    "points": 1.0,
    "anchors": 0.5,
    "depth": 0.3,
    "shape": 1.5,
    "spans": 0.3,
    "presence": 0.02,
    "visibility": 0.03,
}
_EYES = (33, 133, 362, 263)
_SPANS = ((61, 291), (78, 308), (0, 17), (105, 159), (334, 386))
"""Width of the mouth, outside and inside, height of both lips, brows over the lids: what tells a smile."""
_NEAR = 0.01
"""In inter-ocular distances: below it the error counts as its square, above it as it is."""


def point_weights() -> Tensor:
    """(468,) mean 1: eyelids and lips count 4, brows 2, the outline 2, the rest 1."""
    weights = torch.ones(468)
    for ring, weight in (
        ((*LEFT_EYE, *RIGHT_EYE, *LIPS_INNER, *LIPS_OUTER), 4.0),
        ((*LEFT_BROW, *RIGHT_BROW, *OVAL), 2.0),
    ):
        weights[list(ring)] = weight
    return weights / weights.mean()


def losses(
    outputs: tuple[Tensor, Tensor, Tensor, Tensor], points: Tensor, visible: Tensor, present: Tensor, weights: Tensor
) -> dict[str, Tensor]:
    """Named terms, unweighted. ``points`` (N, 468, 3) crop px, ``visible`` (N, 468) and ``present`` (N,) 0..1.

    Points and visibility count only where a face is present; a hidden point counts as much as a seen one.
    """
    found, anchors, seen, presence = outputs
    left, right = points[:, list(_EYES[:2])].mean(1), points[:, list(_EYES[2:])].mean(1)
    unit = (right - left).norm(dim=-1).clamp_min(4.0)
    error = (found - points) / unit[:, None, None]
    each = functional.smooth_l1_loss(error, torch.zeros_like(error), beta=_NEAR, reduction="none")
    share = weights * present[:, None]
    total = share.sum().clamp_min(1.0)
    wanted = points[:, ANCHORS, :2]
    inside = ((wanted > 0) & (wanted < SIZE)).all(-1) * present[:, None]
    off = (anchors - wanted[:, None]) / unit[:, None, None, None]
    off = functional.smooth_l1_loss(off, torch.zeros_like(off), beta=_NEAR, reduction="none").sum(-1).mean(1)
    # The openings of eyes and mouth, as differences: what a viewer notices first.
    above, below = _lid_pairs()
    opening = (error[:, above] - error[:, below])[..., :2]
    shape = functional.smooth_l1_loss(opening, torch.zeros_like(opening), beta=_NEAR, reduction="none").mean((1, 2))
    first, second = zip(*_SPANS, strict=True)
    span = (error[:, list(first)] - error[:, list(second)])[..., :2]
    spans = functional.smooth_l1_loss(span, torch.zeros_like(span), beta=_NEAR, reduction="none").mean((1, 2))
    bce = functional.binary_cross_entropy_with_logits
    seen_each = bce(seen, visible, reduction="none").mean(1)
    faces = present.sum().clamp_min(1.0)
    return {
        "points": (each[..., :2].sum(-1) * share).sum() / total,
        "anchors": (off * inside).sum() / inside.sum().clamp_min(1.0),
        "depth": (each[..., 2] * share).sum() / total,
        "shape": (shape * present).sum() / faces,
        "spans": (spans * present).sum() / faces,
        "presence": bce(presence, present),
        "visibility": (seen_each * present).sum() / faces,
    }


def _lid_pairs() -> tuple[list[int], list[int]]:
    above, below = [], []
    for ring in (LEFT_EYE, RIGHT_EYE):
        above += ring[9:16]
        below += ring[1:8][::-1]
    above += LIPS_INNER[11:]
    below += LIPS_INNER[1:10][::-1]
    return above, below


def weighted(terms: dict[str, Tensor]) -> Tensor:
    """The sum that is minimised."""
    return torch.stack([WEIGHTS[name] * value for name, value in terms.items()]).sum()
