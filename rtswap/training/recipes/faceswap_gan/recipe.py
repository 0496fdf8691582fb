"""Train faceswap-GAN on the faces of two people.

Each step the decoders reconstruct both people from warped faces, watched by the recogniser and a critic per person,
then the critics learn from what was made. What changes in the course of a training stands in ``schedule``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from rtswap.core.errors import UsageError
from rtswap.training.identity import Perception
from rtswap.training.pairs import Faces, PairRecipe, psnr
from rtswap.training.parts import with_parts_of
from rtswap.training.people import Draw, Person
from rtswap.training.recipe import Moment, Terms, descend, weigh
from rtswap.training.recipes.faceswap_gan import losses
from rtswap.training.recipes.faceswap_gan.network import Critic, Dims, FaceswapGan, Made
from rtswap.training.recipes.faceswap_gan.schedule import PARTS, WHOLE, Pace, Schedule
from rtswap.training.warp import Variation

VARIATION = Variation(turn=10.0, zoom=0.1, shift=0.05, mirrored=0.5, warp=0.1, cells=(4,))
COLOURED, MOVING = 0.5, 0.25
"""Shares of the samples with another face's colours, and with motion blur."""
SIDES = ("source", "target")


class FaceswapGanRecipe(PairRecipe):
    """``args`` as ``spec.OPTIONS`` describes them, and ``template``, by which the faces are aligned."""

    name, default_rate, batch, hold, weight_decay, threads = "faceswap-gan", 2e-4, 8, 1.0, 0.0, 2
    betas, critic_rate = (0.5, 0.999), 2.0
    weights: ClassVar[dict[str, float]] = {
        "colour": 1.0, "features": 30.0, "edges": 0.1, "feature_edges": 30.0, "fooled": 0.1, "perception": 1.0,
        "alpha": 0.01, "shortfall": 0.1, "alpha_variation": 0.1, "alpha_mask": 10.0, "cycle": 10.0,
    }  # fmt: skip
    network: FaceswapGan
    shadow: FaceswapGan

    def __init__(self, args: argparse.Namespace, source: Person, target: Person) -> None:
        lite = args.capacity == "lite"
        dims = Dims(args.resolution, lite, args.norm, args.attention, args.critic_dims, args.code_dims)
        try:
            assert dims.lowest
        except ValueError:
            got = str(args.resolution)
            raise UsageError("unsupported --resolution for faceswap-gan", expected=EXPECTED, got=got) from None
        if args.learn_parts:
            source = with_parts_of(source, target, args.learn_parts)
        super().__init__(FaceswapGan(dims), args, source, target, dims.resolution)
        self.critics = self.add_critic(nn.ModuleDict({side: Critic(dims) for side in SIDES}), "critics")
        self._perception = Perception(args.template, dims.resolution).to(self.device)
        self._schedule = Schedule(PARTS if args.learn_parts else WHOLE, exchanging=args.exchange)

    @property
    def parts(self) -> dict[str, Any]:
        """All that a checkpoint holds."""
        return {**super().parts, "schedule": self._schedule}

    def draws(self) -> tuple[Draw, Draw]:
        """Both people alike, at times with the colours of any face of the two."""
        both = Person.join(self.source, self.target)
        source, target = (
            Draw(person, self.resolution, VARIATION, self.args.uniform_yaw, both, COLOURED, MOVING)
            for person in (self.source, self.target)
        )
        return source, target

    def step(self, batches: Iterator[Any], moment: Moment) -> Terms:
        """The decoders learn, then the critics."""
        pace = self._schedule.at(moment.share)
        if self._schedule.exchanges(moment.share):
            self.exchange_decoders()
        self.set_rate(moment.rate * pace.rate)
        batch = self.faces(next(batches), warped=pace.warped)
        shares = [losses.draw_shares(len(faces.given), self.device) for faces in batch]
        self.critics.requires_grad_(False)
        terms, made = self.terms(batch, pace, shares)
        descend(weigh(terms, self.weights), self.network, self.optimiser, None)
        self.critics.requires_grad_(True)
        judged = self.critics_loss(batch, made, shares)
        self.teach_critic(judged)
        return {**terms, "critic": judged}

    def terms(self, batch: tuple[Faces, Faces], pace: Pace, shares: list[Tensor]) -> tuple[Terms, list[Made]]:
        """The decoders' terms, each the sum over both people, and what they made."""
        with self.autocast():
            made = [one.precise() for one in self.network(*(faces.given * 2 - 1 for faces in batch))]
        found: list[Terms] = []
        for side, faces, one, share in zip(SIDES, batch, made, shares, strict=True):
            given, truth = faces.given * 2 - 1, faces.truth * 2 - 1
            terms = losses.reconstruction(one, truth, faces.features)
            with self.autocast():
                terms["fooled"] = losses.generator_loss(self.critics[side], one, given)
                if pace.perception:
                    mixed = share * one.face + (1 - share) * one.shown(given)
                    terms["perception"] = self._perception(mixed, truth)
            if self.args.alpha == "guided":
                terms["alpha_mask"] = losses.astray(one.alpha, faces.mask)
            elif pace.least is None:
                terms["alpha"] = one.alpha.mean()
            else:
                terms["shortfall"] = losses.shortfall(one.alpha, pace.least)
            terms["alpha_variation"] = losses.variation(one.alpha)
            found.append(terms)
        if self.args.cycle:
            for terms, one_way in zip(found, (False, True), strict=True):
                terms["cycle"] = self._cycle(batch[one_way].truth * 2 - 1, back=one_way)
        return {name: torch.stack([terms[name] for terms in found]).sum() for name in found[0]}, made

    def critics_loss(self, batch: tuple[Faces, Faces], made: list[Made], shares: list[Tensor]) -> Tensor:
        """Both critics' loss."""
        found = []
        for side, faces, one, share in zip(SIDES, batch, made, shares, strict=True):
            with self.autocast():
                given, truth = faces.given * 2 - 1, faces.truth * 2 - 1
                found.append(losses.critic_loss(self.critics[side], one.apart(), given, truth, share))
        return torch.stack(found).sum()

    def _cycle(self, faces: Tensor, *, back: bool) -> Tensor:
        """Mean absolute error of ``faces``, made the other person's and back. ``back``: of the target's."""
        network = self.network
        there, here = (network.source, network.target) if back else (network.target, network.source)
        with self.autocast():
            returned = here(network.encoder(there(network.encoder(faces)).face)).face
        return (returned.float() - faces).abs().mean()

    def exchange_decoders(self) -> None:
        """In the network and in its mean; what the optimiser knows of each weight moves with it."""
        self.network.exchange_decoders()
        self.shadow.exchange_decoders()
        state = self.optimiser.state
        for one, other in zip(self.network.source.parameters(), self.network.target.parameters(), strict=True):
            if one in state:
                state[one], state[other] = state[other], state[one]

    def trial(self, picture: Path) -> dict[str, float]:
        """PSNR in dB, inside their masks, of held-out faces of both people as the decoders make them; the mean of
        alpha inside and outside the mask of swapped faces. The sheet: source, reconstructed, target, reconstructed,
        swapped, alpha, what is shown."""
        tried = self.tried()
        with self.autocast():
            made = self.shadow(*(faces.given * 2 - 1 for faces in tried))
            swapped, alpha, _ = (part.float() for part in self.shadow.swap(tried[1].given))
        faces = [(one.face.float() + 1) / 2 for one in made]
        shown = alpha * swapped + (1 - alpha) * tried[1].given
        source, target = (one.given for one in tried)
        again = {"source again": faces[0], "target": target, "target again": faces[1]}
        self.show(picture, {"source": source, **again, "swap": swapped, "alpha": alpha, "what is shown": shown})
        inside = tried[1].mask
        return {
            "source_psnr": psnr(faces[0], tried[0]),
            "target_psnr": psnr(faces[1], tried[1]),
            "alpha_inside": float((alpha * inside).sum() / inside.sum()),
            "alpha_outside": float((alpha * (1 - inside)).sum() / (1 - inside).sum()),
        }


EXPECTED = "64, 96, 128, 192, 256, 384 or 512"
