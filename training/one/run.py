"""A training under way: networks, optimisers, one step, checkpoints."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from training.one.adversary import R1, R1_COUNT, R1_EVERY, fooled, steepness, told_apart
from training.one.batches import Batch
from training.one.losses import Output, cross_terms, kept_term, mended, same_terms, weighted
from training.one.network import Critic, Made, One
from training.one.together import averaged
from training.one.watchers import Watchers
from training.under_way import Checkpointed, Progress, average, learning_rate, set_rate, steps_averaged

RISING = 0.2
"""Share of the time over which the critic's voice rises, and for half of which it is taught before it is heard."""
CRITIC_RATE = 2e-4
CRITIC_EVERY = 2
LANDMARKS_EVERY = 4


@dataclass
class Counted(Progress):
    samples: int = 0


class Run(Checkpointed):
    PARTS = ("one", "shadow", "critic", "optimiser", "critic_optimiser")
    progress: Counted

    def __init__(self, device: str, rate: float, settled: float = 0.45) -> None:
        """``settled``: share of the time after which the critic is heard; above 1 it never is."""
        self.settled = settled
        self.one, self.critic = (part.to(device, memory_format=torch.channels_last) for part in (One(), Critic()))  # type: ignore[call-overload]
        self.shadow = copy.deepcopy(self.one)
        self.optimiser = torch.optim.AdamW(self.one.parameters(), rate, betas=(0.9, 0.99), weight_decay=1e-2)
        self.critic_optimiser = torch.optim.Adam(self.critic.parameters(), CRITIC_RATE, betas=(0.0, 0.99))
        self.progress, self.rate, self.device = Counted(), rate, device

    def step(
        self, batch: Batch, watchers: Watchers, people: Tensor, share: float, dice: torch.Generator, half: bool
    ) -> dict[str, Tensor]:
        """One step, ``share`` of the way; ``half``: convolutions in bfloat16. Returns the named loss terms."""
        set_rate(self.optimiser, learning_rate(share, self.progress.step, self.rate))
        heard = min(max((share - self.settled) / RISING, 0.0), 1.0)
        with torch.autocast(self.device, torch.bfloat16, enabled=half):
            output = mended(batch, self.one(batch.composite, batch.lowered, batch.mask, batch.photo))
        of_same, of_cross = batch.same.nonzero()[:, 0], (~batch.same).nonzero()[:, 0]
        same, cross = batch.part(of_same), batch.part(of_cross)
        terms = same_terms(_part(output, of_same), same) | cross_terms(_part(output, of_cross), cross)
        terms |= kept_term(output, batch)
        with torch.autocast(self.device, torch.bfloat16, enabled=half):
            terms |= watchers.identity(output.picture[of_cross], cross, people)
            if self.progress.step % LANDMARKS_EVERY == 0:
                terms |= watchers.landmarks(output.picture[of_cross], cross)
            shown = batch.mask * batch.visible
            if heard:
                self.critic.requires_grad_(False)
                terms["fooled"] = heard * fooled(self.critic, output.picture, shown, dice)
                self.critic.requires_grad_(True)
        self.optimiser.zero_grad(set_to_none=True)
        weighted(terms).backward()
        averaged(part.grad for part in self.one.parameters() if part.grad is not None)
        nn.utils.clip_grad_norm_(self.one.parameters(), 1.0)
        self.optimiser.step()
        average(self.shadow, self.one, self.progress.step, steps_averaged(share))
        if share > self.settled - RISING / 2 and self.progress.step % CRITIC_EVERY == 0:
            terms |= self._teach_critic(output.picture.detach(), batch.target, shown, dice, half)
        self.progress.step += 1
        self.progress.samples += len(batch.same)
        return terms

    def _teach_critic(
        self, fake: Tensor, real: Tensor, shown: Tensor, dice: torch.Generator, half: bool
    ) -> dict[str, Tensor]:
        with torch.autocast(self.device, torch.bfloat16, enabled=half):
            apart = told_apart(self.critic, fake, real, shown, dice)
        loss = apart
        if self.progress.step % (R1_EVERY * CRITIC_EVERY) == 0:
            loss = loss + R1 / 2 * R1_EVERY * steepness(self.critic, real[:R1_COUNT])
        self.critic_optimiser.zero_grad(set_to_none=True)
        loss.backward()
        averaged(part.grad for part in self.critic.parameters() if part.grad is not None)
        self.critic_optimiser.step()
        return {"told_apart": apart}


def _part(output: Output, chosen: Tensor) -> Output:
    return Output(output.picture[chosen], Made(*(value[chosen] for value in output.made)))
