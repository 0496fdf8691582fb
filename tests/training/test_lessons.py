"""What a taught system learns from, what it is told of its target, and what of the photo."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed: it is needed to train, never to use")

import torch
from people import place_mesh
from small_crowd import MadeTriplets, small_crowd
from small_recipes import one_shot_arguments

from rtswap.training.lessons import DRAWN, lessons, turned_most_alike
from rtswap.training.recipes.faceshifter.network import Aei
from rtswap.training.recipes.faceshifter.recipe import FaceShifterRecipe, dims_of
from rtswap.training.recipes.faceshifter.softening import Softened


def test_lessons_fit_together_and_are_the_same_each_time() -> None:
    people = small_crowd(8, 64)
    rows = MadeTriplets(people).batch(np.random.default_rng(1), 2 * DRAWN, 2 * DRAWN)
    chosen = turned_most_alike(rows)
    one, again, other = (lessons(rows, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert all(np.array_equal(a, b) for a, b in zip(one, again, strict=True))
    assert not np.array_equal(one.faces, other.faces)
    assert np.array_equal(one.source, chosen.source)
    assert chosen.known.tolist() == [True, True, False, False]
    for k, points in enumerate(one.points):
        at = tuple(np.round(points[[33, 263], 1::-1]).astype(int).T)
        assert one.masks[k][at].all(), "landmarks went where their face went"
    known, cross = (one.truth[k][one.masks[k] > 0].mean() / people.pictures[chosen.goal[k]].mean() for k in (0, 3))
    assert known > 1.5 * cross, "the person's own picture, and what mesh made, which is darker here"


def test_of_three_triplets_the_one_is_learnt_whose_faces_are_turned_alike() -> None:
    people = small_crowd(6, 64)
    rows = MadeTriplets(people).batch(np.random.default_rng(1), DRAWN, 0)
    yaws = [place_mesh(40.0, (32.0, 32.0), yaw=yaw) for yaw in (0.0, 20.0, -15.0)]
    photos, targets = (np.stack([yaws[k] for k in order]) for order in ((0, 1, 1), (1, 2, 1)))
    found = turned_most_alike(replace(rows, photo_points=photos, target_points=targets))
    assert np.array_equal(found.source, rows.source[2:])


def test_a_taught_generator_is_not_told_who_its_target_is() -> None:
    """Where the template has a face the target is blurred, what is around it stays to the bit; without a teacher all
    of it is seen."""
    torch.manual_seed(0)
    noise = torch.rand(1, 3, 64, 64) * 2 - 1
    seen = Softened("whole", 64)(noise)
    assert seen[..., 24:44, 24:40].std() < 0.4 * noise[..., 24:44, 24:40].std()
    around = torch.ones(64, 64, dtype=torch.bool)
    around[4:60, 10:54] = False
    assert torch.equal(seen[..., around], noise[..., around])
    assert not torch.equal(seen, noise)
    for teacher, softened in (("mesh", True), ("none", False)):
        arguments = one_shot_arguments("faceshifter", teacher=teacher, out=Path("unused"))
        aei = FaceShifterRecipe(arguments, small_crowd(20)).network.aei
        assert torch.equal(aei.softened(noise), seen) == softened


def test_what_the_photo_shows_at_a_place_reaches_that_place() -> None:
    """Beside the code, which knows no places: a change of the photo's corner moves the generator there most."""
    torch.manual_seed(0)
    network = Aei(dims_of("small", 64)).eval()
    with torch.no_grad():
        for block in network.generator.blocks[3:]:
            for aad in block.aads:
                aad.photo.weight.normal_(0, 0.5)
        faces, photo = torch.rand(1, 3, 64, 64), torch.rand(1, 3, 64, 64)
        embedding, other = torch.rand(1, 128), photo.clone()
        other[..., :24, :24] = 1 - other[..., :24, :24]
        moved = (
            network(faces, network.bind(other, embedding)) - network(faces, network.bind(photo, embedding))
        ).abs()
    assert moved[..., :24, :24].mean() > 2 * moved[..., 40:, 40:].mean()
