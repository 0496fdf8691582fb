"""A grey film stays grey and a tinted one tinted; a film in colour keeps its colours to the bit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from people import place_mesh

from rtswap.compositing.finishes.grey import LUMA, GreyMatch
from rtswap.core.types import Quality, SwappedFace, Target

SIDE = 96


def faces(colourful: float, *, tint: Sequence[float] = (1, 1, 1), level: int = 120) -> tuple[SwappedFace, Target]:
    """A swapped face with skin and red lips, and a target of one tint whose lips and cheeks differ from it by this
    share of their level."""
    rng = np.random.default_rng(0)
    luma = np.clip(rng.normal(level, 25, (SIDE // 8, SIDE // 8, 1)), 10, 245).repeat(8, 0).repeat(8, 1)
    theirs = luma * np.array(tint)
    theirs[56:80, 24:72] *= 1 + colourful * np.array([-0.5, -1, 1])
    noise = rng.normal(0, 2, (SIDE, SIDE, 3))
    ours = np.tile(np.array([110, 130, 190], np.uint8), (SIDE, SIDE, 1))
    ours[60:75, 30:66] = (90, 80, 200)
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[8:-8, 8:-8] = 255
    mesh = place_mesh(70, (SIDE / 2, SIDE / 2))
    crop = np.clip(theirs + (noise if colourful else 0), 0, 255).astype(np.uint8)
    return SwappedFace(ours, mask), Target(1, crop, mesh, np.ones(468, np.float32), 0.0)


def colour(face: SwappedFace) -> int:
    return int(np.ptp(face.crop.astype(int), axis=2).max())


@pytest.mark.parametrize("level", [30, 120, 220])
def test_a_grey_film_stays_grey(level: int) -> None:
    face, target = faces(0.0, level=level)
    done = GreyMatch().apply(face, target, Quality())
    assert colour(done) <= 1
    assert abs(float(done.crop.mean()) - float((face.crop @ LUMA).mean())) < 1


@pytest.mark.parametrize(
    "tint", [(0.7, 1.0, 1.15), (0.93, 1.0, 1.03), (1.15, 0.98, 0.85)], ids=["sepia", "faint", "blue"]
)
def test_a_tinted_film_keeps_its_tint(tint: Sequence[float]) -> None:
    """Lips have the colour of the film, and the light of the swapped face stays."""
    face, target = faces(0.0, tint=tint)
    done = GreyMatch().apply(face, target, Quality())
    ratios = done.crop.reshape(-1, 3) / done.crop.reshape(-1, 3)[:, 1:2]
    expected = np.array(tint) / tint[1]
    assert np.abs(ratios - expected).max() < 0.02
    assert np.abs(done.crop @ np.array(LUMA) - face.crop @ np.array(LUMA)).max() < 1.5


def test_a_part_of_a_face_on_one_level_has_the_mean_tint() -> None:
    face, target = faces(0.0)
    target.crop[:] = (90, 120, 140)
    done = GreyMatch().apply(face, target, Quality())
    ratios = done.crop.reshape(-1, 3) / done.crop.reshape(-1, 3)[:, 1:2]
    assert np.abs(ratios - np.array([90, 120, 140]) / 120).max() < 0.02


@pytest.mark.parametrize("level", [60, 120, 200])
@pytest.mark.parametrize("tint", [(0.6, 0.8, 1.1), (1, 1, 1)])
def test_a_film_with_colours_is_not_touched(level: int, tint: Sequence[float]) -> None:
    face, target = faces(0.1, level=level, tint=tint)
    assert GreyMatch().apply(face, target, Quality()) is face


def test_black_gives_grey() -> None:
    face, target = faces(0.0)
    target.crop[:] = 0
    assert colour(GreyMatch().apply(face, target, Quality())) <= 1


def test_faces_without_whole_cells_are_not_touched() -> None:
    face, target = faces(0.0)
    small = SwappedFace(face.crop[:7, :90], face.mask[:7, :90])
    assert GreyMatch().apply(small, replace(target, crop=target.crop[:7, :90]), Quality()) is small
    bare = SwappedFace(face.crop, np.zeros_like(face.mask))
    assert GreyMatch().apply(bare, target, Quality()) is bare


def test_colours_fade_in_without_a_jump() -> None:
    shown = [colour(GreyMatch().apply(*faces(share), Quality())) for share in np.linspace(1e-6, 0.1, 21)]
    assert shown[0] < 10
    assert shown[-1] == colour(faces(0.1)[0])
    assert np.diff(shown).min() >= -3
    assert np.diff(shown).max() < 60


def test_the_gpus_half_does_the_same() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    from rtswap.compositing.finishes.grey_gpu import GpuGreyMatch
    from rtswap.core.types import BatchedTarget, SwappedBatch, TargetBatch

    for colourful, tint in (
        (0.0, (1, 1, 1)),
        (0.0, (0.7, 1, 1.15)),
        (0.02, (0.7, 1, 1.15)),
        (0.03, (1, 1, 1)),
        (0.1, (1, 1, 1)),
    ):
        face, target = faces(colourful, tint=tint)
        swapped = SwappedBatch(torch.from_numpy(face.crop[None].copy()), torch.from_numpy(face.mask[None].copy()))
        one = BatchedTarget(1, target.landmarks, target.visibility, 0.0, (SIDE, SIDE))
        targets = TargetBatch((one,), torch.from_numpy(target.crop[None].copy()))
        done = GpuGreyMatch().apply_all(swapped, targets, Quality(), lambda tensor, then: None)
        expected = GreyMatch().apply(face, target, Quality()).crop
        assert np.abs(done.crops[0].numpy().astype(int) - expected).max() <= 1
