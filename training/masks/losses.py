"""What the occlusion network is told."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits


def losses(logits: Tensor, visible: Tensor, weights: Tensor) -> dict[str, Tensor]:
    """``visible``, ``weights``: (N, S, S) 0..1. Every answer, and how well the hidden part is met as a whole."""
    each = binary_cross_entropy_with_logits(logits, visible, reduction="none") * weights
    pixels = each.sum() / weights.sum().clamp(min=1)
    guess, truth = torch.sigmoid(-logits) * weights, (1 - visible) * weights
    both, either = (guess * truth).sum((1, 2)), (guess + truth - guess * truth).sum((1, 2))
    # Where nothing is hidden the ratio says nothing but "a little"; 20 pixels soften it.
    parts = 1 - (both + 20) / (either + 20)
    return {"pixels": pixels, "parts": 0.3 * parts.mean()}
