"""Where the training's batches come from: a worker that makes them whole, or, for a GPU, a pool of shots (see
``training.pool``) that are filmed on the device."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from training.drawn import FromPool, FromWorkers, seed_of_worker
from training.landmarks.faces import mirror_permutation
from training.landmarks.network import SIZE
from training.landmarks.samples import Sampler, replayed
from training.landmarks.views import Views
from training.pool import Pool, Sample
from training.under_way import stand_back

RENEW_EVERY = 50
"""Shots per view that a worker renders anew."""
AT_LEAST = 4096
"""Shots to wait for before the first batch."""


@dataclass(frozen=True)
class Maker:
    """Endless shots for a pool's worker: crop, points, visible and present, before the camera."""

    views: Views
    covered: tuple[float, float, float]

    def __call__(self, seed: int) -> Iterator[Sample]:
        cv2.setNumThreads(1)
        sampler, count = Sampler(self._own(), mirror_permutation(), SIZE, seed, self.covered), 0
        while True:
            crop, points, visible, present = sampler.shot()
            yield crop, points, visible.astype(np.uint8), np.array(present, np.uint8)
            count += 1
            if count % RENEW_EVERY == 0:
                sampler.renew()

    def _own(self) -> Views:
        """The views, to be written to; the cache stays as it is."""
        views, images = self.views, self.views.images
        if isinstance(images, np.memmap):
            images = np.memmap(str(images.filename), np.uint8, "c", shape=images.shape)
        return Views(images, views.meshes.copy(), views.visible.copy(), views.people)


class Pooled(FromPool):
    """Batches on the device: crops, points, visible, present. A context."""

    def __init__(self, pool: Pool, device: str, batch: int, seed: int) -> None:
        super().__init__(pool, device, batch, seed, SIZE)
        self._mirror = torch.from_numpy(mirror_permutation()).to(device)

    def __next__(self) -> list[Tensor]:
        """Half of the shots mirrored, all filmed."""
        crops, points, visible, present = self._pool.draw(self._batch, AT_LEAST)
        half = self._batch // 2
        turned = points[:half, self._mirror]
        turned[..., 0] = SIZE - 1 - turned[..., 0]
        points = torch.cat([turned, points[half:]])
        visible = torch.cat([visible[:half, self._mirror], visible[half:]])
        crops = torch.cat([crops[:half].flip(2), crops[half:]])
        return [self._camera(crops), points, visible.float(), present.float()]


class Stream(IterableDataset[tuple[Any, ...]]):
    """Batches for a DataLoader's worker; every worker and every run draws others. Each twice unless ``fresh``."""

    def __init__(self, maker: Maker, batch: int, seed: int, fresh: bool) -> None:
        self._maker, self._batch, self._seed, self._fresh = maker, batch, seed, fresh

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        seed, mirror = seed_of_worker(self._seed), mirror_permutation()
        made = Sampler(self._maker.views, mirror, SIZE, seed, self._maker.covered).batches(self._batch)
        for batch in made if self._fresh else replayed(made, mirror, seed):
            yield tuple(torch.from_numpy(part) for part in (batch.crops, batch.points, batch.visible, batch.present))


def loaded(maker: Maker, device: str, batch: int, seed: int, *, fresh: bool) -> FromWorkers:
    """Batches from one worker, or twelve beside a GPU."""
    workers = 1 if device == "cpu" else 12
    stand = stand_back if workers == 1 else None
    return FromWorkers(Stream(maker, batch, seed, fresh), device, workers, ahead=6, first=stand)
