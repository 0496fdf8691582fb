"""Train DF or LIAE on the faces of two people.

The order of a training follows DeepFaceLab's habit: warped inputs first, learning-rate dropout from the middle on,
inputs as they are for the last part, and only then the critic, where one is asked for.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from rtswap.core.errors import UsageError
from rtswap.training.losses import dssim, soft_mask
from rtswap.training.optimisers import AdaBelief
from rtswap.training.people import Draw, Person
from rtswap.training.pictures import sheet
from rtswap.training.recipe import Moment, Recipe, Terms, descend, weighted
from rtswap.training.recipes.deepfacelab.extras import Critics
from rtswap.training.recipes.deepfacelab.network import DF, LIAE, Dims
from rtswap.training.warp import Variation
from rtswap.training.workers import Sample, in_order
from rtswap.vision.resample import resized

DROPOUT_FROM, WARP_UNTIL = 0.5, 0.75
"""Shares of the time."""
FEATURES = 300.0
"""Weight of the mean absolute error at eyes and mouth, with priority for them."""
CRITIC_FROM, CRITIC_RATE = 0.8, 5e-5
"""Share of the time from which pictures are shown to the patch critic; learning rate of both critics."""
RESETS_UNTIL = 0.6
"""Share of the time by which LIAE's shared bottleneck was begun anew for the last time."""
TRIED = 12
"""Held-out faces of each person on a sheet."""


class Pairs:
    """Implements ``workers.Numbered``: faces of both people, drawn independently."""

    def __init__(self, source: Draw, target: Draw, count: int, seed: int) -> None:
        self._source, self._target, self._count, self._seed = source, target, count, seed

    def batch(self, number: int) -> Sample:
        """Warped face, face (N, R, R, 3), mask, features (N, R, R) of the source, then of the target."""
        rng = np.random.default_rng((self._seed, number))
        return (*self._source.batch(rng, self._count), *self._target.batch(rng, self._count))


class DeepfakeRecipe(Recipe):
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
        super().__init__(self.architecture(dims), args)
        self.dims = dims
        self._source, self._kept_source = split(source)
        self._target, self._kept_target = split(target)
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

    def batches(self, seed: int) -> AbstractContextManager[Iterator[list[Tensor]]]:
        """From batch ``seed`` on: the number of the step."""
        args, side = self.args, self.dims.resolution
        colours = self._target if args.random_color else None
        source = Draw(self._source, side, Variation(mirrored=0.0), args.uniform_yaw, colours)
        target = Draw(self._target, side, Variation(), args.uniform_yaw)
        pairs = Pairs(source, target, args.batch, args.seed)
        return in_order(pairs, self.device, seed, args.workers)

    def step(self, batches: Iterator[Any], moment: Moment) -> Terms:
        """Reconstruct both people."""
        for group in self.optimiser.param_groups:
            group["lr"], group["dropout"] = moment.rate, moment.share >= DROPOUT_FROM
        self._begin_anew(moment)
        batch = self.given(next(batches), warped=moment.share < WARP_UNTIL)
        self.critics.watching = moment.share >= CRITIC_FROM
        self.critics.requires_grad_(False)
        terms = self.losses(batch)
        descend(weighted(terms, self.weights), self.network, self.optimiser, None)
        self.critics.requires_grad_(True)
        told = self.critics.told_apart()
        if told and self._critic_optimiser is not None:
            descend(torch.stack(list(told.values())).sum(), self.critics, self._critic_optimiser, None)
        return {**terms, **told}

    def _begin_anew(self, moment: Moment) -> None:
        """LIAE alone does."""

    def given(self, batch: list[Tensor], *, warped: bool) -> list[Tensor]:
        """Pictures (N, 3, R, R) and masks (N, 1, R, R), 0..1, of a batch."""

        def numbers(part: Tensor) -> Tensor:
            maps = part[:, None] if part.ndim == 3 else part.permute(0, 3, 1, 2)
            return maps.float() / 255

        parts = [numbers(part) for part in batch]
        if not warped:
            parts[0], parts[4] = parts[1], parts[5]
        return parts

    def losses(self, batch: list[Tensor]) -> Terms:
        """Of both reconstructions; ``features`` only with priority for eyes and mouth."""
        like = torch.channels_last
        with self.autocast():
            made = self.network(batch[0].contiguous(memory_format=like), batch[4].contiguous(memory_format=like))
        terms: Terms = {}
        features: list[Tensor] = []
        for name, (face, mask), (_, truth, where, near) in zip(
            ("source", "target"), made, (batch[:4], batch[4:]), strict=True
        ):
            face, mask = face.float(), mask.float()
            soft = soft_mask(where, max(1.0, self.dims.resolution / 32))
            terms[name] = reconstruction(face * soft, truth * soft)
            terms[f"{name}_mask"] = functional.mse_loss(mask, where)
            features.append(((face - truth).abs() * near * where).mean())
        if not self.args.no_features_priority:
            terms["features"] = torch.stack(features).sum()
        with self.autocast():
            return {**terms, **self.critics.terms(self.network, batch, [face.float() for face, _ in made])}

    def deployed(self, network: nn.Module) -> nn.Module:
        """As in a DFM file."""
        from rtswap.training.dfm import Deployed

        return Deployed(network)

    def trial(self, picture: Path) -> dict[str, float]:
        """PSNR in dB, inside their masks, of held-out faces of both people, and a sheet: source, reconstructed,
        target, reconstructed, swapped."""
        side, figures, columns = self.dims.resolution, {}, []
        whole: list[np.ndarray] = []
        for person in (self._kept_source, self._kept_target):
            rows = np.linspace(0, len(person) - 1, TRIED).round().astype(np.int64)
            shown = person.part(rows)
            faces = np.stack([resized(face, (side, side), cv2.INTER_AREA) for face in shown.pictures])
            masks = np.stack([resized(mask, (side, side), cv2.INTER_AREA) for mask in shown.masks])
            columns.append(faces)
            whole.append(masks)
        given = [torch.from_numpy(faces).permute(0, 3, 1, 2).to(self.device).float() / 255 for faces in columns]
        with self.autocast():
            (source, _), (target, _) = self.shadow(*given)
            swapped, mask, _ = self.shadow.swap(given[1])
        for name, made, faces, masks in zip(("source", "target"), (source, target), given, whole, strict=True):
            weight = torch.from_numpy(masks).to(self.device).float()[:, None] / 255
            error = ((made.float() - faces).square() * weight).sum() / (3 * weight.sum())
            figures[f"{name}_psnr"] = float(-10 * torch.log10(error + 1e-10))
        shown = mask.float() * swapped.float() + (1 - mask.float()) * given[1]
        tiles = [pictures(part) for part in (given[0], source, given[1], target, swapped, shown)]
        zoom = max(1.0, 128 / side)
        cv2.imwrite(str(picture), sheet([tile for row in zip(*tiles, strict=True) for tile in row], 12, zoom=zoom))
        return figures


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


def split(person: Person) -> tuple[Person, Person]:
    """Faces to learn and faces to try out: every tenth run of faces is kept out, so that no neighbour of a frame on
    trial was learnt."""
    block = max(1, len(person) // 40)
    number = np.arange(len(person)) // block
    kept = number % 10 == 9
    return person.part(np.flatnonzero(~kept)), person.part(np.flatnonzero(kept) if kept.any() else np.arange(1))


def reconstruction(made: Tensor, truth: Tensor) -> Tensor:
    """10 (1 - SSIM) / 2 + 10 MSE; from 256 px on half of the first at either of two windows."""
    side = made.shape[-1]
    if side < 256:
        structure = 10 * dssim(made, truth, round(side / 11.6))
    else:
        structure = 5 * dssim(made, truth, round(side / 11.6)) + 5 * dssim(made, truth, round(side / 23.2))
    return structure + 10 * functional.mse_loss(made, truth)


def pictures(faces: Tensor) -> list[np.ndarray]:
    """(N, 3, H, W) 0..1 -> N pictures (H, W, 3) uint8."""
    found = (faces.float().clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1)
    return list(found.cpu().numpy())
