"""Train FaceShifter's AEI-Net on the faces of many people.

*faithful*: first it reconstructs people from their own photos, the faces shown in coarse cells, so that what is
finer must come from the photo. Then half of each batch gets somebody else's identity: what the averaged network makes
of the hidden face shows the way, the recogniser looks on, and what came out is given back, with the right photo, to
become the real face again: a swap between two people with a truth for each pixel. Last a critic looks on.

*faithful* with a teacher: the network sees the same, and learns what ``mesh`` makes of pairs of people (``lessons``).

*assisted*: the network also sees the swap of ``mesh`` and adds to it. Half of each batch are triplets with a truth.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from rtswap.core.errors import UsageError
from rtswap.training.crowd import Crowd
from rtswap.training.identity import IdentityLoss, Recogniser
from rtswap.training.layers import to_pictures
from rtswap.training.lessons import DRAWN, lessons, open_triplets
from rtswap.training.losses import decibels, edges
from rtswap.training.pictures import write_sheet
from rtswap.training.recipe import Moment, Recipe, Terms, descend, weigh
from rtswap.training.recipes.faceshifter import losses, samples
from rtswap.training.recipes.faceshifter.critic import Critic
from rtswap.training.recipes.faceshifter.graphs import BindGraph, FrameGraph
from rtswap.training.recipes.faceshifter.hear import Embedder, Hear, MendedFrameGraph, clutter, find_lost
from rtswap.training.recipes.faceshifter.network import PAPER, Aei, Dims, FaceShifter
from rtswap.training.recipes.faceshifter.samples import Batch, Portraits
from rtswap.training.system_file import Graph
from rtswap.training.triplets import supply
from rtswap.training.workers import in_order

PRETRAINED, RAMPED, CRITIC_FROM = 0.33, 0.5, 0.6
"""Shares of the time: until when faces are only reconstructed, from when identity counts fully, and from when there
is a critic."""
AROUND = 0.2
"""How much what is around a face counts, beside the face."""
FINE, COARSE = 8, 16
"""Cells in px of 128 in which faces are shown that are to be reconstructed. In the coarse ones the recogniser does
not know them any more (cosine .37)."""
SHOWN_WHOLE = 0.2
"""Share of the faces that are shown as they are before anything is swapped."""
ASSISTED_PULL, NEAR = 0.2, 0.25
"""Of an assisted generator: how much identity counts, beside a faithful one's, since ``mesh`` has brought most of it;
and how much it counts to stay near the swap of ``mesh``, where no truth is known."""
TAUGHT_PULL = 2.0
"""How much identity counts where a reference is known, beside where it is not."""
SHOWN = 8
"""Rows of the sheet."""


class FaceShifterRecipe(Recipe):
    """``args`` as ``spec.OPTIONS`` describes them, and ``out``, for triplets. The crowd: as ``spec`` asks."""

    name, default_rate, batch, hold, weight_decay, threads = "faceshifter", 8e-4, 16, 0.6, 0.0, 2
    most_norm, betas = 5.0, (0.5, 0.99)
    weights: ClassVar[dict[str, float]] = {
        "same": 10.0, "edges": 4.0, "attributes": 2.0, "identity": 1.0, "around": 10.0, "taught": 10.0,
        "taught_edges": 4.0, "back": 10.0, "back_edges": 4.0, "fooled": 1.0, "change": 1.0, "mended": 10.0,
    }  # fmt: skip
    """Those of identity and critic are options, and are part of their terms. The paper's 10 for attributes would keep
    the target where little else pulls."""
    network: FaceShifter
    shadow: FaceShifter

    def __init__(self, args: argparse.Namespace, crowd: Crowd) -> None:
        self.assisted = args.variant == "assisted"
        self.taught = not self.assisted and args.teacher == "mesh"
        dims = dims_of(args.layout, args.resolution, assisted=self.assisted)
        self.dims = replace(dims, softened=self.taught, template=args.template)
        if self.assisted and args.hear:
            raise UsageError("--hear cannot be combined with --variant assisted", do="Remove one of them.")
        super().__init__(FaceShifter(Aei(self.dims), Hear.of(self.dims) if args.hear else None), args)
        self._learnt, self._kept = crowd.split()
        full = self.dims.shuffle == 1
        self.critic = self.add_critic(Critic((64, 128, 256), 512, 3) if full else Critic((32, 64, 128), 0, 2))
        self.recogniser = Recogniser().to(self.device)
        self.unlike = IdentityLoss(self.recogniser)
        self.embedder = Embedder(self.recogniser, args.template, args.resolution)

    def batches(self, seed: int) -> AbstractContextManager[Iterator[Batch]]:
        """From batch ``seed`` on: the number of the step. Triplets: of those that have been made by then."""
        if self.taught or self.assisted:
            return self._triplets(seed)
        return self._portraits(seed)

    @contextmanager
    def _portraits(self, seed: int) -> Iterator[Iterator[Batch]]:
        args = self.args
        with in_order(Portraits(self._learnt, args.batch, args.seed), self.device, seed, args.workers) as drawn:
            yield map(Batch.of, drawn)

    @contextmanager
    def _triplets(self, seed: int) -> Iterator[Iterator[Batch]]:
        args, known, folder = self.args, self._learnt.embeddings, self.args.out / "triplets"
        rows = args.batch * (DRAWN if self.taught else 1)
        drawing = open_triplets(self._learnt, folder, args.resolution, rows, seed=args.seed, workers=args.workers)
        with drawing as drawn:
            batches = map(drawn, count(seed))
            if self.taught:
                yield (samples.taught_batch(lessons(rows, rng), known, rng).to(self.device) for rows, rng in batches)
            else:
                yield (Batch.of(samples.assisted_batch(rows, known)).to(self.device) for rows, _ in batches)

    def step(self, batches: Iterator[Any], moment: Moment) -> Terms:
        """The generator learns, then the critic."""
        self.set_rate(moment.rate)
        batch = next(batches)
        learning = 1 - self.args.hear
        if moment.share >= learning:
            terms = self.hear_terms(batch)
            descend(weigh(terms, self.weights), self.network, self.optimiser, self.most_norm)
            return terms
        share = moment.share / learning
        self.critic.requires_grad_(False)
        terms_of = self.assisted_terms if self.assisted else self.taught_terms if self.taught else self.terms
        terms, made = terms_of(batch, share)
        if critical := share >= CRITIC_FROM and self.args.critic_weight > 0:
            with self.autocast():
                terms["fooled"] = self.args.critic_weight * losses.generator_loss(self.critic(made))
        descend(weigh(terms, self.weights), self.network, self.optimiser, self.most_norm)
        if not critical:
            return terms
        self.critic.requires_grad_(True)
        with self.autocast():
            judged = losses.critic_loss(self.critic(batch.truth), self.critic(made.detach()))
        self.teach_critic(judged, self.most_norm)
        return {**terms, "critic": judged}

    def terms(self, batch: Batch, share: float) -> tuple[Terms, Tensor]:
        """Of a faithful generator, when ``share`` of the time is over, and what it made (N, 3, R, R)."""
        swapping = share >= PRETRAINED
        count = len(batch.faces) // 2 if swapping else len(batch.faces)
        same, cross = batch.part(slice(count)), batch.part(slice(count, None))
        weight = AROUND + (1 - AROUND) * batch.masks
        cells = torch.zeros(len(batch.faces), dtype=torch.int64)
        drawn = torch.rand(count)
        cells[:count] = torch.where(drawn < 0.5, self._px(FINE), self._px(COARSE))
        if not swapping:
            cells[drawn > 1 - SHOWN_WHOLE] = 0
        given = losses.hide(batch.faces, batch.masks, cells)
        others = batch.from_others()
        photos, embeddings = (
            torch.cat([own[:count], other[count:]])
            for own, other in ((batch.photos, others.photos), (batch.embeddings, others.embeddings))
        )
        with self.autocast():
            attributes = self.network.aei.attributes(given)
            made = self.network.aei.made(attributes, self.network.aei.bind(photos, embeddings)).float()
        terms = _likeness(made[:count], same.truth, weight[:count])
        if not swapping:
            return terms, made
        swapped = made[count:]
        with self.autocast():
            again = self.network.aei.attributes(swapped)
            back = self.network.aei(swapped.detach(), self.network.aei.bind(cross.photos, cross.embeddings)).float()
        taught = self._from_hidden(others.part(slice(count, None)))
        terms |= {
            **self._swap_terms(swapped, cross, embeddings[count:], share),
            "attributes": losses.attributes(again, [maps[count:] for maps in attributes]),
            "taught": losses.reconstruction(swapped, taught, cross.masks),
            "taught_edges": edges(swapped, taught, cross.masks),
            "back": losses.reconstruction(back, cross.truth, weight[count:]),
            "back_edges": edges(back, cross.truth, weight[count:]),
        }
        return terms, made

    def assisted_terms(self, batch: Batch, share: float) -> tuple[Terms, Tensor]:
        """Of an assisted generator: the first half of the batch has a truth, the second none."""
        count = len(batch.faces) // 2
        known, cross = batch.part(slice(count)), batch.part(slice(count, None))
        weight = AROUND + (1 - AROUND) * batch.masks
        with self.autocast():
            attributes = self.network.aei.attributes(batch.faces, batch.warped)
            bound = self.network.aei.bind(batch.photos, batch.embeddings)
            made = self.network.aei.made(attributes, bound, batch.warped).float()
            again = self.network.aei.attributes(made[count:], cross.warped)
        assert cross.warped is not None
        terms = self._swap_terms(made[count:], cross, cross.embeddings, share)
        return {
            **terms,
            "identity": ASSISTED_PULL * terms["identity"],
            "taught": NEAR * losses.reconstruction(made[count:], cross.warped, cross.masks),
            **_likeness(made[:count], known.truth, weight[:count]),
            "attributes": losses.attributes(again, [maps[count:] for maps in attributes]),
        }, made

    def taught_terms(self, batch: Batch, share: float) -> tuple[Terms, Tensor]:
        """Of a generator that learns what ``mesh`` makes of two people; what should come out is known of all."""
        with self.autocast():
            bound = self.network.aei.bind(batch.photos, batch.embeddings)
            made = self.network.aei(batch.faces, bound).float()
        weight = AROUND + (1 - AROUND) * batch.masks
        with self.autocast():
            off = self.unlike(made, batch.known, batch.embeddings, batch.truth)
        return {
            **_likeness(made, batch.truth, weight),
            "identity": TAUGHT_PULL * self.args.identity_weight * off,
        }, made

    def hear_terms(self, batch: Batch) -> Terms:
        """Terms of HEAR-Net, while AEI-Net is fixed at its average; half of the batch get their own identity."""
        aei, hear = self.network.aei, self.network.hear
        assert hear is not None
        if not self.network.mending:
            aei.load_state_dict(self.shadow.aei.state_dict())
            self.network.mending.fill_(1)
        aei.eval().requires_grad_(False)
        batch = batch._replace(faces=batch.truth)  # whose photo it is, also where a lesson's target is somebody else
        count = len(batch.faces) // 2
        own, others = batch.part(slice(count)), batch.from_others().part(slice(count, None))
        photos, embeddings = torch.cat([own.photos, others.photos]), torch.cat([own.embeddings, others.embeddings])
        faces = clutter(batch.faces)
        with self.autocast():
            with torch.no_grad():
                swapped = aei(faces, aei.bind(photos, embeddings))
                error = find_lost(aei, self.embedder, faces)
            made = hear(swapped, error).float()
            shown = losses.grey_change(made, swapped.float(), self._px(FINE))
            off = self.unlike(shown, batch.known, embeddings)
        return {
            "identity": off,
            "change": (made - swapped.float()).abs().mean(),
            "mended": losses.reconstruction(made[:count], faces[:count], torch.ones_like(own.masks)),
        }

    def _swap_terms(self, swapped: Tensor, cross: Batch, embeddings: Tensor, share: float) -> Terms:
        """Between two people, without a truth: the identity, and what is around the face."""
        pull = self.args.identity_weight * min(1.0, max(0.0, share - PRETRAINED) / (RAMPED - PRETRAINED))
        shown = losses.grey_change(swapped, cross.truth, self._px(FINE))
        with self.autocast():
            off = self.unlike(shown, cross.known, embeddings)
        return {
            "identity": pull * off,
            "around": losses.reconstruction(swapped, cross.truth, 1 - cross.masks),
        }

    @torch.no_grad()
    def _from_hidden(self, cross: Batch) -> Tensor:
        """Reconstructions of the coarsened faces by the averaged network: they keep little of the identity."""
        cells = torch.full((len(cross.faces),), self._px(COARSE))
        self.shadow.eval()
        with self.autocast():
            given = losses.hide(cross.faces, cross.masks, cells)
            found = self.shadow.aei(given, self.shadow.aei.bind(cross.photos, cross.embeddings))
        self.shadow.train()
        return found.float()

    def _px(self, of_128: int) -> int:
        return of_128 * self.dims.resolution // 128

    def graphs(self) -> dict[str, Graph]:
        """``frame`` and ``bind`` of the averaged network."""
        shadow = self.shadow.float().cpu().eval()
        kept = self._kept.part(np.array([0, -1])).at(self.args.resolution)
        photo, face = (torch.from_numpy(one[None]) for one in kept.pictures)
        described = {"photo": photo, "embedding": torch.from_numpy(self._kept.embeddings[:1].copy())}
        bind = BindGraph(shadow.aei)
        with torch.no_grad():
            identity, start = bind(*described.values())
        examples = {"face": face, "identity": identity, "start": start, **({"warped": face} if self.assisted else {})}
        frame = FrameGraph(shadow.aei)
        if shadow.hear is not None:
            frame = MendedFrameGraph(shadow.aei, shadow.hear, self.embedder.cpu())
        return {
            "frame": Graph(frame, examples, ("swapped",)),
            "bind": Graph(bind, described, ("identity", "start")),
        }

    def trial(self, picture: Path) -> dict[str, float]:
        """On people kept out: ``same_psnr``, dB within the masks of faces whose truth is known (faithful:
        reconstructed from the mirrored photo); of swaps between two people the cosines to the source and to the
        target, and the ``detail``: slopes within the mask, as a share of the target's (below 1: blurred, above:
        stripes); assisted: the same of ``mesh``. The sheet: source, target, assisted: the swap of mesh, swapped;
        target with a truth, made, truth."""
        same, cross = self.tried
        made, swapped = (self.made(one) for one in (same, cross))
        who = self.recogniser(swapped, cross.known)
        slopes = [edges(one, torch.zeros_like(one), cross.masks) for one in (swapped, cross.faces)]
        beside = {} if cross.warped is None else {"mesh": cross.warped}
        known = {"target 2": same.faces, "made of it": made, "truth": same.truth}
        columns = {"source": cross.photos, "target": cross.faces, **beside, "swap": swapped, **known}
        write_sheet(picture, {name: to_pictures((one[:SHOWN] + 1) / 2) for name, one in columns.items()})
        mesh: dict[str, float] = {}
        if same.warped is not None and cross.warped is not None:
            theirs = self.recogniser(cross.warped, cross.known)
            mesh = {
                "mesh_psnr": decibels(same.warped, same.truth, same.masks, 2),
                "mesh_source": float((theirs * cross.embeddings).sum(1).mean()),
            }
        return {
            **mesh,
            "same_psnr": decibels(made, same.truth, same.masks, 2),
            "source": float((who * cross.embeddings).sum(1).mean()),
            "target": float((who * cross.own).sum(1).mean()),
            "detail": float(slopes[0] / slopes[1]),
        }

    @cached_property
    def tried(self) -> tuple[Batch, Batch]:
        """People kept out: with a truth, and swaps between two."""
        if not self.assisted:
            return samples.trial_of(self._kept.at(self.args.resolution), self.device)
        with supply(self._kept, self.args.out / "tried", self.args.resolution, count=1, least=1, seed=1) as stored:
            rows = stored.batch(np.random.default_rng(0), samples.TRIED, samples.TRIED)
        batch = Batch.of(samples.assisted_batch(rows, self._kept.embeddings)).to(self.device)
        return batch.part(slice(samples.TRIED)), batch.part(slice(samples.TRIED, None))

    def made(self, batch: Batch) -> Tensor:
        """What the averaged network makes of ``batch``, -1..1."""
        with self.autocast():
            bound = self.shadow.aei.bind(batch.photos, batch.embeddings)
            made = self.shadow.aei(batch.faces, bound, batch.warped)
            if self.shadow.mending and self.shadow.hear is not None:
                made = self.shadow.hear(made, find_lost(self.shadow.aei, self.embedder, batch.faces))
            return made.float().clamp(-1, 1)


def _likeness(made: Tensor, truth: Tensor, weight: Tensor) -> Terms:
    return {"same": losses.reconstruction(made, truth, weight), "edges": edges(made, truth, weight)}


def dims_of(layout: str, resolution: int, *, assisted: bool = False) -> Dims:
    """Sizes of the networks. Raises UsageError for a resolution that does not fit."""
    least = 64 if layout == "small" else 128
    if resolution & (resolution - 1) or resolution < least:
        expected = f"a power of two, {least} or more"
        raise UsageError("unsupported --resolution for faceshifter", expected=expected, got=str(resolution))
    if layout == "small":
        return Dims(resolution, assisted, unshuffle=resolution // 64, shuffle=resolution // 32)
    photo = (64, 128, 256, 256, 256)
    return replace(PAPER[layout], resolution=resolution, identity=128, photo=photo, assisted=assisted)
