"""A grey film stays grey; a film with colours keeps them to the bit."""

from __future__ import annotations

import numpy as np
import pytest
from people import place_mesh

from rtswap.compositing.finishes.grey import GreyMatch
from rtswap.core.types import Quality, SwappedFace, Target

SIDE = 96


def faces(tint: float, *, level: int = 120) -> tuple[SwappedFace, Target]:
    """A swapped face with skin and red lips, and a target whose skin has this share of its colour."""
    rng = np.random.default_rng(0)
    grey = np.clip(rng.normal(level, 25, (SIDE, SIDE, 1)), 10, 245)
    theirs = np.clip(grey * (1 + tint * np.array([-0.35, -0.1, 0.35])), 0, 255).astype(np.uint8)
    ours = np.tile(np.array([110, 130, 190], np.uint8), (SIDE, SIDE, 1))
    ours[60:75, 30:66] = (90, 80, 200)
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[8:-8, 8:-8] = 255
    mesh = place_mesh(70, (SIDE / 2, SIDE / 2))
    return SwappedFace(ours, mask), Target(1, theirs, mesh, np.ones(468, np.float32), 0.0)


def colour(face: SwappedFace) -> int:
    return int(np.ptp(face.crop.astype(int), axis=2).max())


@pytest.mark.parametrize("level", [30, 120, 220])
def test_a_grey_film_stays_grey(level: int) -> None:
    face, target = faces(0.0, level=level)
    done = GreyMatch().apply(face, target, Quality())
    assert colour(done) == 0
    assert abs(float(done.crop.mean()) - float((face.crop @ [0.114, 0.587, 0.299]).mean())) < 1


@pytest.mark.parametrize("level", [30, 120, 220])
def test_a_film_with_colours_is_not_touched(level: int) -> None:
    face, target = faces(1.0, level=level)
    assert GreyMatch().apply(face, target, Quality()) is face


def test_colours_fade_in_without_a_jump() -> None:
    shown = [colour(GreyMatch().apply(*faces(tint), Quality())) for tint in np.linspace(0, 0.4, 21)]
    assert shown[0] == 0
    assert shown[-1] == colour(faces(1.0)[0])
    assert np.diff(shown).min() >= 0
    assert np.diff(shown).max() < 60


def test_the_gpus_half_does_the_same() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    from rtswap.compositing.finishes.grey_gpu import GpuGreyMatch
    from rtswap.core.types import BatchedTarget, SwappedBatch, TargetBatch

    for tint in (0.0, 0.12, 0.2, 1.0):
        face, target = faces(tint)
        swapped = SwappedBatch(torch.from_numpy(face.crop[None].copy()), torch.from_numpy(face.mask[None].copy()))
        one = BatchedTarget(1, target.landmarks, target.visibility, 0.0, (SIDE, SIDE))
        targets = TargetBatch((one,), torch.from_numpy(target.crop[None].copy()))
        done = GpuGreyMatch().apply_all(swapped, targets, Quality(), lambda tensor, then: None)
        expected = GreyMatch().apply(face, target, Quality()).crop
        assert np.abs(done.crops[0].numpy().astype(int) - expected).max() <= 1
