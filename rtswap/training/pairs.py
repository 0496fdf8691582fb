"""What recipes share that learn two people: their batches, and the trial on faces kept out of training."""

from __future__ import annotations

import argparse
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from rtswap.training.layers import to_pictures
from rtswap.training.losses import decibels
from rtswap.training.people import Draw, Person
from rtswap.training.pictures import write_sheet
from rtswap.training.recipe import Recipe
from rtswap.training.workers import Sample, in_order
from rtswap.vision.resample import resized

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


class Faces(NamedTuple):
    """N faces of one person on the device, 0..1."""

    given: Tensor
    """(N, 3, R, R) what the network sees."""
    truth: Tensor
    """(N, 3, R, R) what it shall make of it."""
    mask: Tensor
    """(N, 1, R, R) where the face can be seen."""
    features: Tensor
    """(N, 1, R, R) eyes and mouth."""


class PairRecipe(Recipe):
    """Learns a source and a target, of whom every tenth run of faces is kept out for the trial."""

    def __init__(
        self, network: nn.Module, args: argparse.Namespace, source: Person, target: Person, resolution: int
    ) -> None:
        super().__init__(network, args)
        self.resolution = resolution
        self.source, self._kept_source = split(source)
        self.target, self._kept_target = split(target)

    @abstractmethod
    def draws(self) -> tuple[Draw, Draw]:
        """How samples of the source and of the target are drawn."""

    def deployed(self, network: nn.Module) -> nn.Module:
        """Return ``network`` as it is in a DFM file."""
        from rtswap.training.dfm import Deployed

        return Deployed(network)

    def batches(self, seed: int) -> AbstractContextManager[Iterator[list[Tensor]]]:
        """From batch ``seed`` on: the number of the step."""
        args = self.args
        return in_order(Pairs(*self.draws(), args.batch, args.seed), self.device, seed, args.workers)

    def faces(self, batch: Sequence[Tensor], *, warped: bool = True) -> tuple[Faces, Faces]:
        """Return the source's and the target's faces of a batch."""
        parts = [_numbers(part) for part in batch]
        if not warped:
            parts[0], parts[4] = parts[1], parts[5]
        return Faces(*parts[:4]), Faces(*parts[4:])

    def tried(self) -> tuple[Faces, Faces]:
        """Held-out faces of the source and of the target, as they are."""
        found = []
        for person in (self._kept_source, self._kept_target):
            shown = person.part(np.linspace(0, len(person) - 1, TRIED).round().astype(np.int64))
            size = (self.resolution, self.resolution)
            parts = [
                torch.from_numpy(np.stack([resized(one, size, cv2.INTER_AREA) for one in part])).to(self.device)
                for part in (shown.pictures, shown.masks, shown.features)
            ]
            face, mask, features = map(_numbers, parts)
            found.append(Faces(face, face, mask, features))
        return found[0], found[1]

    def show(self, path: Path, columns: Mapping[str, Tensor]) -> None:
        """Write a sheet: ``columns`` of pictures (N, 1 or 3, R, R) 0..1 by name, two faces to a row."""
        write_sheet(path, {name: to_pictures(one) for name, one in columns.items()}, beside=2)


def _numbers(part: Tensor) -> Tensor:
    """(N, H, W, 3) or (N, H, W) uint8 -> (N, C, H, W) 0..1."""
    maps = part[:, None] if part.ndim == 3 else part.permute(0, 3, 1, 2)
    return maps.contiguous(memory_format=torch.channels_last).float() / 255


def psnr(made: Tensor, faces: Faces) -> float:
    """dB between pictures (N, 3, R, R) 0..1 and the truth, within the faces' masks."""
    return decibels(made, faces.truth, faces.mask)


def split(person: Person) -> tuple[Person, Person]:
    """Faces to learn and faces to try out: every tenth run of faces is kept out, so that no neighbour of a frame on
    trial was learnt."""
    block = max(1, len(person) // 40)
    number = np.arange(len(person)) // block
    kept = number % 10 == 9
    return person.part(np.flatnonzero(~kept)), person.part(np.flatnonzero(kept) if kept.any() else np.arange(1))
