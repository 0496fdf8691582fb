"""Trainings of seconds: a clock, a stop at a chosen step, and a few steps of one loss."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from rtswap.training.trainer import Trainer


class Seconds:
    """A clock by which every step takes a second."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> float:
        self.count += 1
        return float(self.count)


class StoppedTrainer(Trainer):
    """Ends after step ``stop_after`` as if somebody had pressed Ctrl+C just after a checkpoint."""

    stop_after = 10

    def _step(self, batches: Iterator[Any], share: float) -> None:
        super()._step(batches, share)
        if self.progress.step == self.stop_after:
            self.save()
            raise KeyboardInterrupt


def descend(network: nn.Module, loss: Callable[[], Tensor], steps: int, rate: float) -> list[float]:
    """Minimise ``loss()`` with AdamW; return its value before each step."""
    optimiser, values = torch.optim.AdamW(network.parameters(), rate), []
    for _ in range(steps):
        value = loss()
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        values.append(float(value.detach()))
    return values
