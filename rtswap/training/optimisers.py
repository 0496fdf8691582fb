"""AdaBelief, with the learning-rate dropout that DeepFaceLab trains with."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

KEPT = 0.3
"""Share of the weights that move in a step, with learning-rate dropout."""


class AdaBelief(torch.optim.Optimizer):
    """Zhuang et al. 2020: Adam that divides by how far a gradient is from its mean.

    As DeepFaceLab has it: betas .9 and .999, eps 1e-6, no correction of the bias. With ``dropout`` every weight moves
    in ``KEPT`` of the steps only (Lin et al. 2019), which finds finer detail towards the end of a training.
    """

    def __init__(self, weights: Iterable[Tensor], rate: float) -> None:
        super().__init__(weights, {"lr": rate, "betas": (0.9, 0.999), "eps": 1e-6, "dropout": False})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:
        """Move all weights that have a gradient."""
        for group in self.param_groups:
            first, second = group["betas"]
            weights = [weight for weight in group["params"] if weight.grad is not None]
            gradients = [weight.grad for weight in weights]
            for weight in weights:
                if not self.state[weight]:
                    like = torch.preserve_format
                    self.state[weight] = {
                        "mean": torch.zeros_like(weight, memory_format=like),
                        "spread": torch.zeros_like(weight, memory_format=like),
                    }
            means = [self.state[weight]["mean"] for weight in weights]
            spreads = [self.state[weight]["spread"] for weight in weights]
            torch._foreach_lerp_(means, gradients, 1 - first)
            off = torch._foreach_sub(gradients, means)
            torch._foreach_mul_(spreads, second)
            torch._foreach_addcmul_(spreads, off, off, 1 - second)
            below = torch._foreach_sqrt(spreads)
            torch._foreach_add_(below, group["eps"])
            moves = torch._foreach_div(means, below)
            if group["dropout"]:
                torch._foreach_mul_(moves, [torch.empty_like(move).bernoulli_(KEPT) for move in moves])
            torch._foreach_add_(weights, moves, alpha=-group["lr"])
