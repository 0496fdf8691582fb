"""What every training does alike: its arguments, the pace of learning, the averaged network, checkpoints."""

from __future__ import annotations

import argparse
import math
import os
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn

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


def also_fast(parser: argparse.ArgumentParser) -> None:
    """What a training needs that begins from what ships and has a GPU for minutes only."""
    parser.add_argument("--begin-from", type=Path, help="exported network to begin with, say what ships")
    parser.add_argument(
        "--until", type=float, help="seconds since 1970 by which all must be written, whatever --minutes says"
    )
    parser.add_argument("--pool", type=int, default=0, help="samples to keep on the device; needs --workers")
    parser.add_argument("--workers", type=int, default=1, help="processes that fill the pool")
    parser.add_argument("--half", action="store_true", help="bf16 convolutions: twice as fast where a CPU has AMX")


def minutes_left(minutes: float, until: float | None, ending: float = 12.0) -> float:
    """Of training: ``minutes``, or fewer where ``ending`` seconds before ``until`` come first."""
    return minutes if until is None else min(minutes, (until - time.time() - ending) / 60)


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
    pairs = list(zip(shadow.state_dict().values(), network.state_dict().values(), strict=True))
    numbers = [pair for pair in pairs if pair[0].dtype.is_floating_point]
    with torch.no_grad():
        torch._foreach_lerp_([old for old, _ in numbers], [new for _, new in numbers], 1 - keep)
        for old, new in pairs:
            if not old.dtype.is_floating_point:
                old.copy_(new)


def add(sums: dict[str, Tensor], terms: dict[str, Tensor]) -> None:
    """``terms`` to ``sums``, on their device: nobody waits for them."""
    for name, value in terms.items():
        sums[name] = sums[name] + value.detach() if name in sums else value.detach()


def steps_averaged(share: float) -> float:
    """1,000, growing to 1,700 towards the end (a ``share`` of 1)."""
    return 1000 + 700 * share


def share_averaged(share: float, step: int) -> float:
    """Steps: as ``steps_averaged``, but no more than a tenth of all that there will be."""
    return min(steps_averaged(share), max(100.0, 0.1 * step / max(share, 1e-3)))


def stand_back(_: int) -> None:
    """A worker that shares the network's cores takes what they leave: a quarter more samples per second."""
    if hasattr(os, "nice"):
        os.nice(19)
