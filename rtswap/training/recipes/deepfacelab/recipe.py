"""Train DF or LIAE on the faces of two people.

The order of a training follows DeepFaceLab's habit: warped inputs first, learning-rate dropout from the middle on,
inputs as they are for the last part, and only then the critic, where one is asked for.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from rtswap.core.errors import UsageError
from rtswap.training.losses import dssim, soft_mask
from rtswap.training.optimisers import AdaBelief
from rtswap.training.pairs import Faces, PairRecipe, psnr
from rtswap.training.people import Draw, Person
from rtswap.training.recipe import Moment, Terms, descend, weigh
from rtswap.training.recipes.deepfacelab.extras import Critics
from rtswap.training.recipes.deepfacelab.network import DF, LIAE, Dims
from rtswap.training.warp import Variation

DROPOUT_FROM, WARP_UNTIL = 0.5, 0.75
"""Shares of the time."""
FEATURES = 300.0
"""Weight of the mean absolute error at eyes and mouth, with priority for them."""
CRITIC_FROM, CRITIC_RATE = 0.8, 5e-5
"""Share of the time from which pictures are shown to the patch critic; learning rate of both critics."""
RESETS_UNTIL = 0.6
"""Share of the time by which LIAE's shared bottleneck was begun anew for the last time."""


class DeepfakeRecipe(PairRecipe):
    """What DF and LIAE share. ``args`` as ``spec.OPTIONS`` describes them."""

    default_rate, batch, hold, weight_decay = 1e-4, 8, 0.7, 0.0
    architecture: ClassVar[type[DF] | type[LIAE]]
    weights: ClassVar[dict[str, float]] = {
        "source": 1.0, "target": 1.0, "source_mask": 10.0, "target_mask": 10.0, "features": FEATURES,
        "true_face": 1.0, "face_style": 1.0, "background_style": 1.0, "fooled": 1.0,
    }  # fmt: skip
    """The powers that the user gives are part of the last four."""

    def __init__(self, args: argparse.Namespace, source: Person, target: Person) -> None:
        dims = Dims(
            args.resolution,
            args.options.replace("none", ""),
            args.ae_dims,
            args.e_dims,
            args.d_dims,
            args.d_mask_dims,
        )
        if dims.resolution % dims.multiple:
            raise UsageError(
                f"--resolution {dims.resolution} does not fit the options {args.options}",
                expected=f"a multiple of {dims.multiple}",
            )
        super().__init__(self.architecture(dims), args, source, target, dims.resolution)
        self.critics = Critics(args, self.network).to(self.device)
        self._critic_optimiser = AdaBelief(self.critics.parameters(), CRITIC_RATE) if self.critics.any else None

    @property
    def parts(self) -> dict[str, Any]:
        """Also the critics, where there are any."""
        if self._critic_optimiser is None:
            return super().parts
        return {**super().parts, "critics": self.critics, "critic_optimiser": self._critic_optimiser}

    def make_optimiser(self) -> torch.optim.Optimizer:
        """AdaBelief over everything that learns."""
        return AdaBelief(self.network.parameters(), self.rate)

    def draws(self) -> tuple[Draw, Draw]:
        """The target is mirrored at times, the source never."""
        args, side = self.args, self.resolution
        colours = self.target if args.random_color else None
        source = Draw(self.source, side, Variation(mirrored=0.0), args.uniform_yaw, colours)
        return source, Draw(self.target, side, Variation(), args.uniform_yaw)

    def step(self, batches: Iterator[Any], moment: Moment) -> Terms:
        """Reconstruct both people."""
        for group in self.optimiser.param_groups:
            group["lr"], group["dropout"] = moment.rate, moment.share >= DROPOUT_FROM
        self._begin_anew(moment)
        batch = self.faces(next(batches), warped=moment.share < WARP_UNTIL)
        self.critics.watching = moment.share >= CRITIC_FROM
        self.critics.requires_grad_(False)
        terms = self.losses(batch)
        descend(weigh(terms, self.weights), self.network, self.optimiser, None)
        self.critics.requires_grad_(True)
        told = self.critics.losses()
        if told and self._critic_optimiser is not None:
            descend(torch.stack(list(told.values())).sum(), self.critics, self._critic_optimiser, None)
        return {**terms, **told}

    def _begin_anew(self, moment: Moment) -> None:
        """LIAE alone does."""

    def losses(self, batch: tuple[Faces, Faces]) -> Terms:
        """Of both reconstructions; ``features`` only with priority for eyes and mouth."""
        with self.autocast():
            made = self.network(*(faces.given for faces in batch))
        terms: Terms = {}
        features: list[Tensor] = []
        for name, (face, mask), faces in zip(("source", "target"), made, batch, strict=True):
            face, mask = face.float(), mask.float()
            soft = soft_mask(faces.mask, max(1.0, self.resolution / 32))
            terms[name] = reconstruction(face * soft, faces.truth * soft)
            terms[f"{name}_mask"] = functional.mse_loss(mask, faces.mask)
            features.append(((face - faces.truth).abs() * faces.features * faces.mask).mean())
        if not self.args.no_features_priority:
            terms["features"] = torch.stack(features).sum()
        with self.autocast():
            return {**terms, **self.critics.terms(self.network, *batch, [face.float() for face, _ in made])}

    def trial(self, picture: Path) -> dict[str, float]:
        """PSNR in dB, inside their masks, of held-out faces of both people, and a sheet: source, reconstructed,
        target, reconstructed, swapped, swapped within its mask."""
        tried = self.tried()
        with self.autocast():
            made = [face for face, _ in self.shadow(*(faces.given for faces in tried))]
            swapped, mask, _ = self.shadow.swap(tried[1].given)
        shown = mask.float() * swapped.float() + (1 - mask.float()) * tried[1].given
        source, target = (faces.given for faces in tried)
        again = {"source again": made[0], "target": target, "target again": made[1]}
        self.show(picture, {"source": source, **again, "swap": swapped, "swap, masked": shown})
        names = ("source_psnr", "target_psnr")
        return {name: psnr(face, faces) for name, face, faces in zip(names, made, tried, strict=True)}


class DfRecipe(DeepfakeRecipe):
    """One code, two decoders."""

    name, architecture = "df", DF


class LiaeRecipe(DeepfakeRecipe):
    """Two codes, one decoder."""

    name, architecture = "liae", LIAE

    def _begin_anew(self, moment: Moment) -> None:
        """Begin the shared bottleneck anew, ``--resets`` times: it then learns the target's expressions instead of
        the people of a many-faced target."""
        done = int(self.network.resets)
        if done < self.args.resets and moment.share >= RESETS_UNTIL * (done + 1) / self.args.resets:
            for layer in self.network.inter_ab.modules():
                if isinstance(layer, nn.Linear | nn.Conv2d):
                    layer.reset_parameters()
            self.network.resets += 1


def reconstruction(made: Tensor, truth: Tensor) -> Tensor:
    """10 (1 - SSIM) / 2 + 10 MSE; from 256 px on half of the first term at each of two window sizes."""
    side = made.shape[-1]
    if side < 256:
        structure = 10 * dssim(made, truth, round(side / 11.6))
    else:
        structure = 5 * dssim(made, truth, round(side / 11.6)) + 5 * dssim(made, truth, round(side / 23.2))
    return structure + 10 * functional.mse_loss(made, truth)
