"""People whom the refiner's tests learn from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from rtswap.vision.geometry import canonical

if TYPE_CHECKING:
    from training.landmarks.views import Views
    from training.refiner.pairs import Pairs
    from training.refiner.pool import Batch


@pytest.fixture(scope="session")
def views() -> Views:
    """Three people, two views of each."""
    from training.landmarks.views import Views

    meshes = np.stack([canonical().mesh * 58 + np.array([128, 128, 0])] * 6).astype(np.float32)
    rng = np.random.default_rng(0)
    coarse = rng.integers(60, 200, (6, 32, 32, 3), np.uint8)
    images = coarse.repeat(8, 1).repeat(8, 2)
    return Views(images, meshes, np.ones((6, 468), bool), 3)


@pytest.fixture(scope="session")
def pairs(views: Views, tmp_path_factory: pytest.TempPathFactory) -> Pairs:
    """Two files of 12."""
    from training.refiner.pairs import load, prepare

    folder = tmp_path_factory.mktemp("pairs")
    prepare(views, folder, range(2), 1, count=12)
    return load(folder)


@pytest.fixture
def batch(pairs: Pairs) -> Batch:
    """Four with a truth and two without."""
    import torch

    from training.refiner.pool import Pool

    torch.manual_seed(0)
    return Pool.of(pairs, "cpu").draw(4, 2)
