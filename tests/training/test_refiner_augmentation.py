"""The refiner's augmentation: pictures are changed alike, and swapped faces damaged, however it is computed."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="torch is not installed: it is needed to train, never to use")

import torch

from rtswap.training.identity import sample
from training.refiner.augmentation import augment, damage
from training.refiner.pool import Batch


def test_augmentation_changes_all_pictures_alike(batch: Batch) -> None:
    for seed in range(4):
        torch.manual_seed(seed)
        other = augment(batch)
        outside = (other.mask == 0).expand_as(other.composite)
        assert torch.allclose(other.composite[outside], other.clean[outside], atol=1e-5)
        assert other.composite.min() >= -1
        assert other.composite.max() <= 1
        assert not torch.equal(other.truth, batch.truth)


def test_damage_is_done_to_the_swapped_face_alone_and_to_most_of_them(batch: Batch) -> None:
    torch.manual_seed(0)
    faces, masks = batch.clean.repeat(8, 1, 1, 1), batch.mask.repeat(8, 1, 1, 1)
    hurt = damage(faces, masks)
    assert torch.equal(hurt[(masks == 0).expand_as(hurt)], faces[(masks == 0).expand_as(hurt)])
    changed = ((hurt - faces).abs() * masks).sum((1, 2, 3)) / masks.sum((1, 2, 3))
    assert 0.6 < (changed > 0.03).float().mean() <= 1
    assert 0.03 < changed.mean() < 0.6


def test_the_network_looking_on_sees_the_same_crop_of_a_mirrored_batch(batch: Batch) -> None:
    turned = set()
    for seed in range(6):
        torch.manual_seed(seed)
        other = augment(batch)
        turned.add(bool(other.known[0, 0, 0] * batch.known[0, 0, 0] < 0))
        a, b = sample(batch.lowered, batch.known, 96), sample(other.lowered, other.known, 96)
        for one, again in zip(a.flatten(1), b.flatten(1), strict=True):
            assert torch.corrcoef(torch.stack([one, again]))[0, 1] > 0.9
    assert turned == {True, False}
