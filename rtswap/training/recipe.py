"""What a recipe gives to the trainer, and the command line that all recipes share."""

from __future__ import annotations

import argparse
import copy
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rtswap.training.checkpoint import load_part
from rtswap.training.onnx_files import in_chunks, load_weights, settle
from rtswap.training.processes import average_gradients

Terms = dict[str, Tensor]
Critic = TypeVar("Critic", bound=nn.Module)
SETTLING = 8
"""Batches that a network from a file sees before it learns."""


@dataclass(frozen=True)
class Moment:
    """The state of a training at one step."""

    step: int
    share: float
    """Of the time that is over, 0..1."""
    rate: float
    """The learning rate."""


class Recipe(ABC):
    """A network, its losses, its data and its held-out trial. Class attributes are what recipes differ in."""

    name: ClassVar[str]
    default_rate: ClassVar[float]
    threads: ClassVar[int] = 1
    batch: ClassVar[int] = 32
    """Samples per step; 0: a recipe counts otherwise."""
    hold: ClassVar[float] = 0.33
    """Share of the time at the full learning rate."""
    weight_decay: ClassVar[float] = 1e-2
    betas: ClassVar[tuple[float, float]] = (0.9, 0.99)
    """Of Adam."""
    critic_rate: ClassVar[float] = 0.5
    """Of a critic, beside the network's learning rate."""
    most_norm: ClassVar[float] = 1.0
    """To which gradients are clipped."""
    trial_s: ClassVar[float] = 300.0
    """Seconds of training between two trials."""
    half_on_cuda: ClassVar[bool] = True
    """Whether convolutions are computed in bfloat16 on CUDA; on a CPU they are with ``--half`` alone."""
    weights: ClassVar[dict[str, float]]
    """Of the loss terms in the sum that is minimised."""
    deployed_as: ClassVar[type[nn.Module]]
    """What wraps the network where it is exported."""

    def __init__(self, network: nn.Module, args: argparse.Namespace) -> None:
        self.args, self.device, self.rate, self.half = args, args.device, args.rate, args.half
        self.batch_size: int = args.batch if self.batch else 0
        """Samples per step of all processes together."""
        if args.begin_from is not None:
            self.begin_from(network, args.begin_from)
        self.network = network.train().to(self.device, memory_format=torch.channels_last)
        self.shadow = copy.deepcopy(self.network)
        """Follows ``network`` as its mean over the last steps: what is tried out and exported."""
        self.optimiser = self.make_optimiser()
        self._critics: dict[str, nn.Module] = {}
        self.critic_optimiser: torch.optim.Optimizer | None = None

    @classmethod
    def parser(cls) -> argparse.ArgumentParser:
        """The command line that all recipes share; subclasses add their own options."""
        parser = argparse.ArgumentParser(
            prog=f"python -m training.{cls.name}", description=sys.modules[cls.__module__].__doc__
        )
        add = parser.add_argument
        add("--minutes", type=float, required=True, help="training time, earlier runs included")
        add("--until", type=float, help="seconds since 1970 by which all is written, whatever --minutes says")
        add("--faces", type=Path, required=True, help="folder with faces.npz and its pictures")
        add("--out", type=Path, required=True, help="caches, checkpoint, history, curves, pictures")
        add("--device", default="auto", help="auto, cpu or cuda")
        add("--begin-from", type=Path, help="exported network to begin with, say what ships")
        add("--rate", type=float, default=cls.default_rate, help="learning rate at its peak")
        if cls.batch:
            add("--batch", type=int, default=cls.batch, help="samples per step")
        add("--threads", type=int, default=cls.threads, help="per process")
        add(
            "--half",
            action=argparse.BooleanOptionalAction,
            help="bfloat16 convolutions: up to twice as fast on CPUs with AMX or AVX-512 BF16",
        )
        return parser

    @classmethod
    @contextmanager
    def data(cls, args: argparse.Namespace) -> Iterator[tuple[Any, ...]]:
        """The recipe's arguments beside ``args``, made or opened once, before it runs in several processes."""
        yield ()

    @classmethod
    def processes(cls, args: argparse.Namespace) -> int:
        """How many processes share each step."""
        return 1

    @property
    def networks(self) -> dict[str, nn.Module]:
        """All networks that learn, and the mean of ``network``."""
        return {"network": self.network, "shadow": self.shadow, **self._critics}

    @property
    def parts(self) -> dict[str, Any]:
        """Everything that a checkpoint holds, by name."""
        parts = {**self.networks, "optimiser": self.optimiser}
        return parts if self.critic_optimiser is None else {**parts, "critic_optimiser": self.critic_optimiser}

    def make_optimiser(self) -> torch.optim.Optimizer:
        """AdamW over the network; Adam where ``weight_decay`` is 0."""
        return torch.optim.AdamW(
            self.network.parameters(), self.rate, self.betas, weight_decay=self.weight_decay, fused=True
        )

    def add_critic(self, critic: Critic, name: str = "critic", betas: tuple[float, float] | None = None) -> Critic:
        """``critic`` on the device, to learn with ``critic_optimiser``; a checkpoint's part ``name``. ``betas``:
        other ones than the network's."""
        self._critics[name] = critic.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        rate = self.critic_rate * self.rate
        self.critic_optimiser = torch.optim.Adam(critic.parameters(), rate, betas or self.betas, fused=True)
        return critic

    def set_rate(self, rate: float) -> None:
        """Set the learning rate, also the critic's."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        for group in self.critic_optimiser.param_groups if self.critic_optimiser is not None else ():
            group["lr"] = rate * self.critic_rate

    def teach_critic(self, loss: Tensor, most_norm: float | None = None) -> None:
        """One step of the critic's optimiser along ``loss``."""
        assert self.critic_optimiser is not None
        for critic in self._critics.values():
            descend(loss, critic, self.critic_optimiser, most_norm)

    @abstractmethod
    def batches(self, seed: int) -> AbstractContextManager[Iterator[Any]]:
        """Endless batches on the device; every ``seed`` draws others."""

    def deployed(self, network: nn.Module) -> nn.Module:
        """``network`` as it is exported."""
        return self.deployed_as(network)

    def inputs(self, batch: Any) -> tuple[Tensor, ...]:
        """The network's inputs in a batch."""
        raise NotImplementedError

    def begin_from(self, network: nn.Module, path: Path) -> None:
        """Give ``network`` the weights of an exported file."""
        load_weights(path, self.deployed(network))

    def prepare(self, batches: Iterator[Any]) -> None:
        """Called once, before the first step of a new run."""
        if self.args.begin_from is not None:
            settle(self.network, (self.inputs(next(batches)) for _ in range(SETTLING)))
        self.shadow.load_state_dict(self.network.state_dict())

    def load(self, state: dict[str, Any]) -> None:
        """Take over a checkpoint's parts."""
        for name, part in self.parts.items():
            load_part(part, state[name])

    def losses(self, batch: Any) -> Terms:
        """Named terms, unweighted."""
        raise NotImplementedError

    def step(self, batches: Iterator[Any], moment: Moment) -> Terms:
        """Learn from one batch; returns the loss terms."""
        self.set_rate(moment.rate)
        terms = self.losses(next(batches))
        descend(weigh(terms, self.weights), self.network, self.optimiser, self.most_norm)
        return terms

    def autocast(self) -> torch.autocast:
        return torch.autocast(self.device, torch.bfloat16, enabled=self.half)

    def answers(self, **given: NDArray[Any]) -> list[NDArray[Any]]:
        """All outputs of ``shadow``, as it is exported, for these arrays."""
        deployed = self.deployed(self.shadow).eval()

        def run(**part: NDArray[Any]) -> Iterable[NDArray[Any]]:
            found = deployed(*(torch.from_numpy(values).to(self.device) for values in part.values()))
            return [one.cpu().numpy() for one in (found if isinstance(found, tuple) else (found,))]

        return in_chunks(run, 64, **given)

    def averaged_over(self, moment: Moment) -> float:
        """Steps over which ``shadow`` is averaged: 1,000, growing to 1,700 towards the end, but no more than a tenth
        of all that there will be."""
        return min(1000 + 700 * moment.share, max(100.0, 0.1 * moment.step / max(moment.share, 1e-3)))

    @abstractmethod
    def trial(self, picture: Path) -> dict[str, float]:
        """Figures of ``shadow`` on people kept out of training; a picture for a person goes to ``picture``."""

    def status(self) -> str:
        """Return text for the end of a report's line, after losses and speed."""
        return ""


def weigh(terms: Terms, weights: dict[str, float]) -> Tensor:
    """Return the weighted sum of ``terms``, which is minimised."""
    return torch.stack([weights[name] * value for name, value in terms.items()]).sum()


def descend(loss: Tensor, network: nn.Module, optimiser: torch.optim.Optimizer, most_norm: float | None) -> None:
    """One step of ``optimiser`` along the gradient of ``loss``, averaged over all processes and clipped."""
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    average_gradients(part.grad for part in network.parameters() if part.grad is not None)
    if most_norm is not None:
        nn.utils.clip_grad_norm_(network.parameters(), most_norm)
    optimiser.step()
