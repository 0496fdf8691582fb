"""Where the training's batches come from: workers that make them whole, or, for a GPU, a pool of samples (see
``training.pool``) that are filmed on the device."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from rtswap.networks.occlusion import SIZE
from training.drawn import FromPool, FromWorkers, seed_of_worker
from training.landmarks.views import Views
from training.masks.cutouts import Cutouts
from training.masks.samples import SMALL_SHARE, SMALLEST, Sampler
from training.pool import Pool, Sample

AT_LEAST = 2048
"""Samples to wait for before the first batch."""


@dataclass(frozen=True)
class Maker:
    """Endless samples for a pool's worker: crop, guide, visible and weights, before the camera."""

    views: Views
    hands: Cutouts
    worn: np.ndarray

    def __call__(self, seed: int) -> Iterator[Sample]:
        cv2.setNumThreads(1)
        sampler = Sampler(self.views, self.hands, seed, self.worn)
        while True:
            yield sampler.one()


class Pooled(FromPool):
    """Batches on the device: crops, guides, visible, weights. A context."""

    def __init__(self, pool: Pool, device: str, batch: int, seed: int) -> None:
        super().__init__(pool, device, batch, seed, SIZE)

    def __next__(self) -> list[Tensor]:
        """Half of the samples mirrored, all filmed, some of them as small faces."""
        half, small = self._batch // 2, round(SMALL_SHARE * self._batch)
        parts = self._pool.draw(self._batch, AT_LEAST)
        crops, guides, visible, weights = (torch.cat([part[:half].flip(2), part[half:]]) for part in parts)
        near = torch.randperm(self._batch)[:small].to(crops.device)
        far = self._camera.fewer_pixels(crops[near].permute(0, 3, 1, 2).float(), *SMALLEST)
        crops[near] = far.round().to(torch.uint8).permute(0, 2, 3, 1)
        return [self._camera(crops), guides, visible, weights]


class Stream(IterableDataset[tuple[Tensor, ...]]):
    """Batches for a DataLoader's worker; every worker and every run draws others."""

    def __init__(self, maker: Maker, batch: int, seed: int) -> None:
        self._maker, self._batch, self._seed = maker, batch, seed

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        seed = seed_of_worker(self._seed)
        sampler = Sampler(self._maker.views, self._maker.hands, seed, self._maker.worn)
        for batch in sampler.batches(self._batch):
            yield tuple(torch.from_numpy(part) for part in (batch.crops, batch.guides, batch.visible, batch.weights))


def loaded(maker: Maker, device: str, batch: int, seed: int, workers: int) -> FromWorkers:
    """Batches from ``workers`` processes."""
    return FromWorkers(Stream(maker, batch, seed), device, workers, ahead=4)
