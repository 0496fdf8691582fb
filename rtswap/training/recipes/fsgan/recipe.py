"""Train FSGAN on photos of many people.

Its three networks do not depend on each other and learn side by side, a batch each in turn (``samples.ORDER``). A
quarter of the batches of views goes by half-way landmarks, too, and both ways must agree. The critic comes late.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from rtswap.core.errors import UsageError
from rtswap.training.crowd import Crowd
from rtswap.training.identity import Perception
from rtswap.training.layers import to_input
from rtswap.training.losses import unlike
from rtswap.training.recipe import Moment, Recipe, Terms, descend, weigh
from rtswap.training.recipes.fsgan import losses
from rtswap.training.recipes.fsgan.graphs import graphs_of
from rtswap.training.recipes.fsgan.network import Critic, Dims, Fsgan
from rtswap.training.recipes.fsgan.samples import ORDER, Samples
from rtswap.training.recipes.fsgan.trial import Trial
from rtswap.training.system_file import Graph
from rtswap.training.workers import in_order

CRITIC_FROM = 0.6
"""Share of the time from which views are shown to the critic."""
STEPWISE = 0.25
"""Share of a batch of views that also goes by half-way landmarks."""


class FsganRecipe(Recipe):
    """``args`` as ``spec.OPTIONS`` describes them, and ``template``, by which the faces are aligned."""

    name, default_rate, batch, weight_decay, threads = "fsgan", 5e-4, 8, 0.0, 2
    betas = (0.5, 0.999)
    weights: ClassVar[dict[str, float]] = {
        "view": 1.0, "view_features": 0.5, "view_identity": 0.05, "steps": 0.5, "agreement": 0.25, "fooled": 0.01,
        "hole": 1.0, "hole_features": 0.2, "seam": 2.0,
    }  # fmt: skip
    network: Fsgan
    shadow: Fsgan

    def __init__(self, args: argparse.Namespace, crowd: Crowd) -> None:
        if args.resolution % 16:
            got = str(args.resolution)
            raise UsageError("unsupported --resolution for fsgan", expected="a multiple of 16", got=got)
        dims = Dims.of(args.resolution, args.capacity)
        assisted = not args.faithful
        super().__init__(Fsgan(dims, assisted=assisted), args)
        self.crowd, kept = crowd.split()
        self.critic = self.add_critic(Critic(dims))
        self.perception = Perception(args.template, dims.resolution).to(self.device)
        self._embeddings = torch.from_numpy(self.crowd.embeddings).to(self.device)
        self._trial = Trial(kept, self.perception, args.template, assisted=assisted)

    def batches(self, seed: int) -> AbstractContextManager[Iterator[list[Tensor]]]:
        """From batch ``seed`` on: the number of the step."""
        samples = Samples(self.crowd, self.args.batch, self.args.seed, assisted=not self.args.faithful)
        return in_order(samples, self.device, seed, self.args.workers)

    def step(self, batches: Iterator[Any], moment: Moment) -> Terms:
        """One network learns from one batch, and with the views the critic."""
        self.set_rate(moment.rate)
        kind, rows, *parts = next(batches)
        taught = ORDER[int(kind[0])]
        if taught == "hole":
            terms = self._hole(*map(numbers, parts))
        elif taught == "seam":
            terms = self._seam(*map(numbers, parts))
        else:
            return self._views(rows, *map(numbers, parts), moment=moment)
        descend(weigh(terms, self.weights), self.network, self.optimiser, self.most_norm)
        return terms

    def _views(
        self, rows: Tensor, view: Tensor, points: Tensor, truth: Tensor, goal: Tensor, mask: Tensor, *, moment: Moment
    ) -> Terms:
        """Teach the network that reenacts: each view must become the photo that it was made from."""
        where, reenact, few = losses.on_face(mask), self.network.reenact, max(1, round(STEPWISE * len(view)))
        watched = moment.share >= CRITIC_FROM
        with self.autocast():
            made = reenact(view, points, goal)
            half = (points[:few] + goal[:few]) / 2
            twice = reenact(reenact(view[:few], points[:few], half), half, goal[:few]).float()
            features, who = self.perception.compare(made.float(), truth)
            terms = {
                "view": losses.off(made.float(), truth, where),
                "view_features": features,
                "view_identity": unlike(who, self._embeddings[rows]),
                "steps": losses.off(twice, truth[:few], where[:few]),
                "agreement": losses.off(twice, made[:few].float(), mask[:few]),
            }
            if watched:
                self.critic.requires_grad_(False)
                terms["fooled"] = losses.generator_loss(self.critic, made)
        descend(weigh(terms, self.weights), self.network, self.optimiser, self.most_norm)
        if watched:
            self.critic.requires_grad_(True)
            with self.autocast():
                terms["critic"] = losses.critic_loss(self.critic, made, truth)
            self.teach_critic(terms["critic"])
        return terms

    def _hole(self, face: Tensor, hole: Tensor, mask: Tensor) -> Terms:
        """Terms of the network that fills holes; the truth is what was there."""
        with self.autocast():
            made = self.network.inpaint(face, hole).float()
            features = self.perception(made, face)
        return {"hole": losses.off(made, face, hole * mask), "hole_features": features}

    def _seam(self, face: Tensor, target: Tensor, mask: Tensor, truth: Tensor) -> Terms:
        """Terms of the network that blends; the truth is the solution of Poisson's equation."""
        with self.autocast():
            made = self.network.blend(face, target, mask).float()
        return {"seam": losses.off(made, truth, mask)}

    def graphs(self) -> dict[str, Graph]:
        """The graphs to export, first the one that runs in each frame."""
        return graphs_of(self.shadow)

    def trial(self, picture: Path) -> dict[str, float]:
        """PSNR in dB of held-out views, holes and seams, cosines of reenacted and swapped faces, and a sheet."""
        return self._trial(self.shadow, picture)


def numbers(part: Tensor) -> Tensor:
    """Pictures (N, S, S, 3) uint8 -> (N, 3, S, S) -1..1, masks (N, S, S) uint8 -> (N, 1, S, S) 0..1; no landmarks."""
    if part.dtype != torch.uint8:
        return part
    if part.ndim == 3:
        return part[:, None].float() / 255
    return to_input(part).contiguous(memory_format=torch.channels_last)
