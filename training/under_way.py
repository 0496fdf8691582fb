"""What every training does alike: its arguments, the pace of learning, the averaged network, checkpoints."""

from __future__ import annotations

import argparse
import math
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import ClassVar

import torch
from torch import nn

CHECKPOINT = "checkpoint.pt"
WARM_UP_STEPS = 100


@dataclass
class Progress:
    step: int = 0
    seconds: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)

    def note(self, figures: dict[str, float]) -> None:
        """Figures of this moment, into the history."""
        self.history.append({"minutes": self.seconds / 60, "step": self.step, **figures})


class Checkpointed:
    """A training under way: what a checkpoint holds."""

    PARTS: ClassVar[tuple[str, ...]] = ("network", "shadow", "optimiser")
    """Networks and optimisers, by the names of their attributes."""
    progress: Progress

    def save(self, path: Path) -> None:
        """All of the file or nothing."""
        state = {name: getattr(self, name).state_dict() for name in self.PARTS}
        temporary = path.with_suffix(".tmp")
        torch.save({**state, "progress": asdict(self.progress)}, temporary)
        temporary.replace(path)

    def load(self, path: Path, device: str) -> None:
        state = torch.load(path, map_location=device, weights_only=True)
        for name in self.PARTS:
            getattr(self, name).load_state_dict(state[name])
        self.progress = type(self.progress)(**state["progress"])


def parser_of(package: str, doc: str | None, out: str) -> argparse.ArgumentParser:
    """``package``: ``training.one``. ``out``: what the folder is for."""
    parser = argparse.ArgumentParser(prog=f"python -m {package}", description=doc)
    parser.add_argument("--minutes", type=float, required=True, help="training time, earlier runs included")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--faces", type=Path, required=True, help="folder with faces.npz and its pictures")
    parser.add_argument("--out", type=Path, required=True, help=out)
    return parser


def device_for(asked: str) -> str:
    """``asked``: auto, cpu or cuda."""
    return ("cuda" if torch.cuda.is_available() else "cpu") if asked == "auto" else asked


def learning_rate(share: float, step: int, peak: float, hold: float = 0.33) -> float:
    """Warm up, hold for that share of the time, then fall along a cosine to a hundredth."""
    fall = 0.5 * (1 + math.cos(math.pi * min(max((share - hold) / (1 - hold), 0.0), 1.0)))
    return peak * min(1.0, (step + 1) / WARM_UP_STEPS) * (0.01 + 0.99 * fall)


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    for group in optimiser.param_groups:
        group["lr"] = rate


def average(shadow: nn.Module, network: nn.Module, step: int, over: float) -> None:
    """``shadow`` follows ``network``: an exponential mean over about the last ``over`` steps, fewer at the start."""
    keep = min(1 - 1 / over, (step + 1) / (step + 12))
    with torch.no_grad():
        for old, new in zip(shadow.state_dict().values(), network.state_dict().values(), strict=True):
            if old.dtype.is_floating_point:
                old.lerp_(new, 1 - keep)
            else:
                old.copy_(new)


def steps_averaged(share: float) -> float:
    """1,000, growing to 1,700 towards the end (a ``share`` of 1)."""
    return 1000 + 700 * share


def stand_back(_: int) -> None:
    """A worker that shares the network's cores takes what they leave: a quarter more samples per second."""
    if hasattr(os, "nice"):
        os.nice(19)
