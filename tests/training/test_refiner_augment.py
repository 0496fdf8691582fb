"""The refiner's augmentation: pictures are changed alike, and swapped faces damaged, however it is computed."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="torch is not installed: it is needed to train, never to use")

import torch

from rtswap.training.identity import sampled
from training.refiner import augment
from training.refiner.augment import augmented, damaged
from training.refiner.pool import Batch


def test_augmentation_changes_all_pictures_alike(batch: Batch) -> None:
    for seed in range(4):
        torch.manual_seed(seed)
        other = augmented(batch)
        outside = (other.mask == 0).expand_as(other.target)
        assert torch.allclose(other.composite[outside], other.target[outside], atol=1e-5)
        assert other.composite.min() >= -1
        assert other.composite.max() <= 1
        assert not torch.equal(other.target, batch.target)


def test_damage_is_done_to_the_swapped_face_alone_and_to_most_of_them(batch: Batch) -> None:
    torch.manual_seed(0)
    faces, masks = batch.clean.repeat(8, 1, 1, 1), batch.mask.repeat(8, 1, 1, 1)
    hurt = damaged(faces, masks)
    assert torch.equal(hurt[(masks == 0).expand_as(hurt)], faces[(masks == 0).expand_as(hurt)])
    changed = ((hurt - faces).abs() * masks).sum((1, 2, 3)) / masks.sum((1, 2, 3))
    assert 0.6 < (changed > 0.03).float().mean() <= 1
    assert 0.03 < changed.mean() < 0.6


@pytest.mark.parametrize("share", [1.1, -1.0])
def test_damage_is_the_same_however_it_is_computed(
    batch: Batch, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where all faces get it, both draw the same numbers."""
    for kind in ("UNEVEN", "SHADED", "GLOSSY", "STRANDS", "CAST", "BLURRED"):
        monkeypatch.setattr(augment, kind, share)
    hurt = []
    for all_of_them in (True, False):
        torch.manual_seed(3)
        hurt.append(damaged(batch.clean, batch.mask, all_of_them=all_of_them))
    assert torch.allclose(*hurt, atol=1e-6)
    assert torch.allclose(hurt[0], batch.clean, atol=1e-6) == (share < 0)


def test_each_damage_gets_its_share_of_the_faces_either_way(batch: Batch) -> None:
    faces, masks = batch.clean.repeat(50, 1, 1, 1), torch.ones_like(batch.mask).repeat(50, 1, 1, 1)
    changes = []
    for all_of_them in (True, False):
        torch.manual_seed(4)
        changes.append((damaged(faces, masks, all_of_them=all_of_them) - faces).abs().mean((1, 2, 3)))
    dense, sparse = changes
    assert abs(float(dense.mean() / sparse.mean()) - 1) < 0.2
    assert abs(float((dense > 0.01).float().mean() - (sparse > 0.01).float().mean())) < 0.1


def test_the_networks_looking_on_see_the_same_crop_of_a_mirrored_batch(batch: Batch) -> None:
    torch.manual_seed(0)
    other = augmented(batch)
    turned = other.known[:, 0, 0] * batch.known[:, 0, 0] < 0
    assert turned.any()
    assert not turned.all()
    a, b = sampled(batch.target, batch.known, 96), sampled(other.target, other.known, 96)
    for one, again in zip(a.flatten(1), b.flatten(1), strict=True):
        assert torch.corrcoef(torch.stack([one, again]))[0, 1] > 0.9
