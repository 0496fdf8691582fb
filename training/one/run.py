"""A training under way: networks, optimisers, one step of each side, checkpoints.

Nothing in a step waits for the device or depends on numbers of the host, so that CUDA can replay it (``replayed``).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from training.one.adversary import R1, R1_COUNT, fooled, steepness, told_apart
from training.one.losses import Output, cross_terms, kept_term, mended, true_terms, weighted
from training.one.network import SIZE, Critic, Made, One
from training.one.pool import Batch
from training.one.together import averaged
from training.one.watchers import Watchers
from training.under_way import Checkpointed, Progress

RISING = 0.2
"""Share of the time over which the critic's voice rises, and for half of which it is taught before it is heard."""
CRITIC_RATE = 2e-4
CRITIC_EVERY = 2


@dataclass
class Counted(Progress):
    samples: int = 0


@dataclass(frozen=True)
class Seen:
    """What the critic is to look at: N pictures (N, 3, S, S) and where they count (N, 1, S, S)."""

    fake: Tensor
    real: Tensor
    shown: Tensor


class Run(Checkpointed):
    PARTS = ("one", "shadow", "critic", "optimiser", "critic_optimiser")
    progress: Counted

    def __init__(self, device: str, rate: float, settled: float = 0.45, size: int = SIZE) -> None:
        """``settled``: share of the time after which the critic is heard; above 1 it never is. ``size``: 128, or 256
        for the finer level alone."""
        self.settled = settled
        self.one = One(size).train().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.critic = Critic().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.shadow = copy.deepcopy(self.one)
        on_gpu = device == "cuda"
        self.rate = torch.tensor(rate, device=device)
        """The generator's, at the moment; on the device, where a replayed step reads it."""
        self.heard = torch.zeros((), device=device)
        """How loud the critic is, 0..1."""
        self.optimiser = torch.optim.AdamW(
            [one for one in self.one.parameters() if one.requires_grad],
            self.rate,
            betas=(0.9, 0.99),
            weight_decay=1e-2,
            capturable=on_gpu,
            foreach=on_gpu,
        )
        self.critic_optimiser = torch.optim.Adam(
            self.critic.parameters(), CRITIC_RATE, betas=(0.0, 0.99), capturable=on_gpu
        )
        self.progress, self.peak, self.device = Counted(), rate, device
        self._asks_critic = True

    def load(self, path: Path, device: str) -> None:
        """Also where the checkpoint comes from another device."""
        super().load(path, device)
        for optimiser in (self.optimiser, self.critic_optimiser):
            for group in optimiser.param_groups:
                group["capturable"] = device == "cuda"
        for group in self.optimiser.param_groups:
            group |= {"lr": self.rate, "foreach": device == "cuda"}

    def pace(self, share: float, rate: float) -> None:
        """``share`` of the way: how loud the critic is, and how fast is learnt now."""
        self.rate.fill_(rate)
        loud = min(max((share - self.settled) / RISING, 0.0), 1.0)
        self.heard.fill_(loud)
        self._asks_critic = loud > 0 or self.device == "cuda"

    def teaches_critic(self, share: float) -> bool:
        """Whether the critic learns at this step."""
        return share > self.settled - RISING / 2 and self.progress.step % CRITIC_EVERY == 0

    def teach(
        self, batch: Batch, true: int, watchers: Watchers, people: Tensor, half: bool
    ) -> tuple[dict[str, Tensor], Seen]:
        """One step of the generator; of the first ``true`` pairs the truth is known. ``half``: convolutions in
        bfloat16. Returns the named loss terms."""
        with torch.autocast(self.device, torch.bfloat16, enabled=half):
            output = mended(batch, self.one(*batch.given))
        first, rest = slice(true), slice(true, None)
        terms = true_terms(_part(output, first), batch.part(first)) | cross_terms(
            _part(output, rest), batch.part(rest)
        )
        terms |= kept_term(output, batch)
        shown = batch.mask * batch.visible
        with torch.autocast(self.device, torch.bfloat16, enabled=half):
            terms |= watchers.identity(output.picture, batch, people)
            terms |= watchers.landmarks(output.picture[rest], batch.part(rest))
            if self._asks_critic:
                self.critic.requires_grad_(False)
                terms["fooled"] = self.heard * fooled(self.critic, output.picture, shown)
                self.critic.requires_grad_(True)
        self.optimiser.zero_grad(set_to_none=True)
        weighted(terms).backward()
        averaged(part.grad for part in self.one.parameters() if part.grad is not None)
        nn.utils.clip_grad_norm_(self.one.parameters(), 1.0)
        self.optimiser.step()
        return terms, Seen(output.picture.detach(), batch.truth, shown)

    def teach_critic(self, seen: Seen, half: bool) -> dict[str, Tensor]:
        """One step of the critic."""
        with torch.autocast(self.device, torch.bfloat16, enabled=half):
            apart = told_apart(self.critic, seen.fake, seen.real, seen.shown)
        loss = apart + R1 / 2 * steepness(self.critic, seen.real[:R1_COUNT])
        self.critic_optimiser.zero_grad(set_to_none=True)
        loss.backward()
        averaged(part.grad for part in self.critic.parameters() if part.grad is not None)
        self.critic_optimiser.step()
        return {"told_apart": apart}


def _part(output: Output, chosen: slice) -> Output:
    return Output(output.picture[chosen], Made(*(value[chosen] for value in output.made)))
