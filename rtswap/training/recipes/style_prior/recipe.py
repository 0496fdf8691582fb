"""How systems around a style prior are trained: first the prior, then, with the prior fixed, the swap.

With some thousand faces no StyleGAN can be trained; the prior is a style autoencoder. The rows of structure come from
the face in another light, those of appearance from the face with another shape, and out must come the face: so each
kind of rows learns what it is for. Faces are then inverted by construction. A critic looks on late in both phases.
"""

from __future__ import annotations

import argparse
import math
from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from rtswap.core.errors import UsageError
from rtswap.core.urls import expanded
from rtswap.training.checkpoint import DAMAGED, load_part, read_checkpoint
from rtswap.training.crowd import Crowd
from rtswap.training.identity import IdentityLoss, Perception, Recogniser
from rtswap.training.layers import to_pictures
from rtswap.training.lessons import DRAWN, lessons, open_triplets
from rtswap.training.losses import decibels, edges
from rtswap.training.pictures import write_sheet
from rtswap.training.recipe import Moment, Recipe, Terms, descend, weigh
from rtswap.training.recipes.style_prior import losses
from rtswap.training.recipes.style_prior.critic import Critic, vary
from rtswap.training.recipes.style_prior.network import Dims, StylePrior
from rtswap.training.recipes.style_prior.points import normalise
from rtswap.training.recipes.style_prior.samples import Batch, Portraits, relight, taught_batch, trial_of
from rtswap.training.triplets import Triplets
from rtswap.training.workers import in_order
from rtswap.vision.topology import POINTS_68

PRIOR_UNTIL, HELD, WATCHED = 0.6, 0.5, 0.67
"""Shares: of the time, until the prior is learnt; of each phase, at its full rate, and without the critic."""
AROUND = 0.2
"""How much what is around a face counts, beside the face."""
CRITIC_BETAS = (0.5, 0.99)
PENALTY, PENALTY_EVERY = 1.0, 16
"""Weight of R1, and steps from one to the next."""
TRIED, SHOWN = 48, 8
"""Held-out faces of the figures, and of the sheet."""


class Phases:
    """Where a training is: in the prior, or past it for good, even if the training is made longer. A checkpoint holds
    it."""

    def __init__(self, prior_until: float) -> None:
        self._until, self.swapping = prior_until, False

    def begins(self, share: float) -> bool:
        """Whether the swap is to be learnt from now on; True once."""
        begins = not self.swapping and share >= self._until
        self.swapping = self.swapping or begins
        return begins

    def over(self, share: float) -> float:
        """How much of the phase is over, 0..1."""
        start, end = (self._until, 1.0) if self.swapping else (0.0, self._until)
        return min(max((share - start) / max(end - start, 1e-9), 0.0), 1.0)

    def rate(self, share: float) -> float:
        """Of the learning rate: 1, then down to a twentieth along a cosine, in each phase."""
        fall = min(max((self.over(share) - HELD) / (1 - HELD), 0.0), 1.0)
        return 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * fall))

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"swapping": self.swapping}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """From a checkpoint."""
        self.swapping = bool(state["swapping"])


class StyleRecipe(Recipe):
    """What FSLSD and MegaFS share. ``args``: ``resolution``, ``prior_layout``, ``prior``, and ``template``."""

    default_rate, batch, hold, weight_decay, threads = 1e-3, 16, 1.0, 0.0, 2
    most_norm = 5.0
    weights: ClassVar[dict[str, float]] = {
        "inversion": 30.0, "inversion_edges": 6.0, "inversion_likeness": 1.0, "inversion_identity": 0.3,
        "reading": 2.0, "identity": 1.0, "landmarks": 5.0, "same": 30.0, "same_edges": 6.0, "likeness": 1.0,
        "around": 30.0, "style": 10.0, "side": 4.0, "trajectory": 0.1, "unsteady": 1.0, "fooled": 1.0,
    }  # fmt: skip
    """The pull of identity and the weight of the critic, which are options, are part of their terms."""
    network: Any
    shadow: Any

    def __init__(self, network: nn.Module, dims: Dims, args: argparse.Namespace, crowd: Crowd) -> None:
        self.dims = dims
        if args.prior is not None:
            load_prior(expanded(args.prior), network.prior)  # type: ignore[arg-type]
        super().__init__(network, args)
        self.phases = Phases(0.0 if args.prior is not None else PRIOR_UNTIL)
        self._larger, self.learnt, self.kept = crowd.split()[0], *crowd.at(dims.resolution).split()
        self.recogniser = Recogniser().to(self.device)
        self.unlike = IdentityLoss(self.recogniser)
        self.perception = Perception(args.template, dims.resolution).to(self.device)
        self.critic = self.add_critic(Critic(dims, full=args.prior_layout == "full"), betas=CRITIC_BETAS)

    @property
    def parts(self) -> dict[str, Any]:
        """All that a checkpoint holds."""
        return {**super().parts, "phases": self.phases}

    @contextmanager
    def batches(self, seed: int) -> Iterator[Iterator[Batch]]:
        """From batch ``seed`` on: the number of the step. With a teacher the swap is learnt from lessons."""
        args = self.args
        with ExitStack() as stack:
            portraits = stack.enter_context(
                in_order(Portraits(self.learnt, args.batch, args.seed), self.device, seed, args.workers)
            )

            @cache
            def drawn() -> Callable[[int], tuple[Triplets, np.random.Generator]]:
                folder, side, rows = args.out / "triplets", args.resolution, DRAWN * args.batch
                return stack.enter_context(
                    open_triplets(self._larger, folder, side, rows, seed=args.seed, workers=args.workers)
                )

            def endless() -> Iterator[Batch]:
                for number in count(seed):
                    if self.phases.swapping and args.teacher == "mesh":
                        taught = lessons(*drawn()(number))
                        yield taught_batch(taught, self.learnt.embeddings).to(self.device)
                    else:
                        yield Batch.of(next(portraits))

            yield endless()

    def step(self, batches: Iterator[Any], moment: Moment) -> Terms:
        """The prior learns, or the swap; then the critic."""
        if self.phases.begins(moment.share):
            self.network.prior.load_state_dict(self.shadow.prior.state_dict())
        self.set_rate(moment.rate * self.phases.rate(moment.share))
        batch = next(batches)
        for name, part in self.network.named_children():
            learns = (name == "prior") != self.phases.swapping
            part.requires_grad_(learns).train(learns)
        terms_of = self.prior_terms if not self.phases.swapping else self.swap_terms
        if batch.truth is not None:
            terms_of = self.taught_terms
        terms, made = terms_of(batch)
        watched = bool(self.args.adversarial) and self.phases.over(moment.share) >= WATCHED
        if watched:
            self.critic.requires_grad_(False)
            with self.autocast():
                terms["fooled"] = self.args.adversarial * losses.generator_loss(self.critic(vary(made)))
        descend(weigh(terms, self.weights), self.network, self.optimiser, self.most_norm)
        if watched:
            terms["critic"] = self._judge(batch.faces, made.detach(), moment.step)
        return terms

    def _judge(self, faces: Tensor, made: Tensor, step: int) -> Tensor:
        """The critic learns. Returns its loss."""
        self.critic.requires_grad_(True)
        with self.autocast():
            judged = losses.critic_loss(self.critic(vary(faces)), self.critic(vary(made)))
        loss = judged
        if step % PENALTY_EVERY == 0:
            real = vary(faces).requires_grad_(True)
            loss = judged + PENALTY * PENALTY_EVERY * losses.penalty(self.critic(real), real)
        self.teach_critic(loss, self.most_norm)
        return judged

    def prior_terms(self, batch: Batch) -> tuple[Terms, Tensor]:
        """Of the autoencoder, and what it made: the structure of the face in another light, and the appearance of the
        bent face (of half of the faces), make the face."""
        prior: StylePrior = self.network.prior
        half, faces = len(batch.faces) // 2, batch.faces
        bent = torch.cat([faces[:half], batch.bent[half:]])
        with self.autocast():
            first, second = prior.encode(torch.cat([relight(faces), bent])).float().chunk(2)
            k, count = self.structure, self.dims.rows  # where the generator begins is structure, too
            rows = torch.cat([first[:, :k], second[:, k:count], first[:, count:]], 1)
            made = prior.generator(rows)[1].float()
            read = prior.reader(torch.cat([relight(faces), made])).float()
            unlike = self.unlike(made, batch.matrices, batch.embeddings)
        weight = AROUND + (1 - AROUND) * batch.masks
        wanted = self.read(batch.points)
        with self.autocast():
            likeness = self.perception(made, faces)
        return {
            "inversion": losses.difference(made, faces, weight),
            "inversion_edges": edges(made, faces, weight),
            "inversion_likeness": likeness,
            "inversion_identity": unlike,
            "reading": losses.apart(read, torch.cat([wanted, wanted])),
        }, made

    def read(self, points: Tensor) -> Tensor:
        """Landmarks (N, 468, 3) px as the prior's reader tells them."""
        return normalise(points, self.dims.resolution)[:, POINTS_68, :2]

    @property
    @abstractmethod
    def structure(self) -> int:
        """How many of the first rows are structure."""

    @abstractmethod
    def swap_terms(self, batch: Batch) -> tuple[Terms, Tensor]:
        """Of the swap, with the prior fixed, and the pictures (N, 3, R, R) that the critic judges."""

    @abstractmethod
    def taught_terms(self, batch: Batch) -> tuple[Terms, Tensor]:
        """As ``swap_terms``, of a batch of pairs of people whose truth is known."""

    @abstractmethod
    def swapped(self, batch: Batch) -> list[Tensor]:
        """The averaged network's swaps of each face with the next person's photo, (N, 3, R, R): last the swap, before
        it whatever led to it."""

    def trial(self, picture: Path) -> dict[str, float]:
        """On people kept out: PSNR in dB of faces inverted, within their masks; of swaps between two of them the
        cosine to the source, that to the target, and the distance of the landmarks from the target's, as a share of
        the side. The sheet: source, target, target inverted, and what ``swapped`` gives."""
        batch = trial_of(self.kept.spread(TRIED)).to(self.device)
        with self.autocast():
            inverted = self.shadow.prior(batch.faces).float()
            made = [one.float() for one in self.swapped(batch)]
            read = self.shadow.prior.reader(torch.cat([made[-1], batch.faces])).float()
        who = self.recogniser(made[-1], batch.matrices)
        names = ("source", "target", "target again", *(["side output"] if made[1:] else []), "swap")
        columns = zip(names, (batch.photos.roll(-1, 0), batch.faces, inverted, *made), strict=True)
        write_sheet(picture, {name: to_pictures((one[:SHOWN] + 1) / 2) for name, one in columns}, beside=2)
        return {
            "inversion_psnr": decibels(inverted, batch.faces, batch.masks, 2),
            "source": float((who * batch.embeddings.roll(-1, 0)).sum(1).mean()),
            "target": float((who * batch.embeddings).sum(1).mean()),
            "landmarks_off": float(losses.apart(*read.chunk(2))) / 2,
        }

    def status(self) -> str:
        """The phase."""
        return "  swap" if self.phases.swapping else "  prior"


def dims_of(layout: str, resolution: int, name: str, *, hierfe: bool = False) -> Dims:
    """Sizes of the prior; ``hierfe``: with MegaFS's encoder. Raises UsageError for a resolution that does not fit."""
    least, most = (64, 256) if layout == "small" else (64, 1024)
    if resolution & (resolution - 1) or not least <= resolution <= most:
        raise UsageError(
            f"unsupported --resolution {resolution} for {name} with this --prior-layout",
            expected=f"a power of two from {least} to {most}",
        )
    return (Dims.small if layout == "small" else Dims.full)(resolution, hierfe=hierfe)


def check_split(rows: int, dims: Dims, flag: str) -> int:
    """``rows``, by which a prior's rows are divided. Raises UsageError where nothing would be left."""
    if rows >= dims.rows:
        raise UsageError(
            f"{flag} {rows} leaves no rows to the other part", expected=f"less than {dims.rows}", got=str(rows)
        )
    return rows


def load_prior(path: Path, prior: nn.Module) -> None:
    """Give ``prior`` the averaged prior of a checkpoint of FSLSD or MegaFS. Raises ModelError and UsageError for
    another file."""
    do = "Give a checkpoint.pt of fslsd or megafs with the same --resolution and --prior-layout."
    state = read_checkpoint(path, do=do)
    try:
        found = {str(name): value for name, value in state["shadow"].items()}
        named = {name.removeprefix("prior."): value for name, value in found.items() if name.startswith("prior.")}
        load_part(prior, named)
    except DAMAGED:
        raise UsageError(f"{path} holds another prior", do=do) from None
