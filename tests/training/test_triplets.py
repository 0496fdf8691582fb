"""Triplets: the right truth, other people in turned targets, files that are made once, batches of what was asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed: it is needed to train, never to use")

from rtswap.core.errors import InputError, UsageError
from rtswap.training.crowd import Crowd
from rtswap.training.scenes import CROSS, SAME, TURNED, Plan, Scene, SceneMaker, mirror
from rtswap.training.shards import read_shard, shards, write_shards
from rtswap.training.triplets import FIELDS, CrowdPeople, Supply, supply, write_triplets
from rtswap.vision.geometry import canonical
from rtswap.vision.topology import OVAL

PEOPLE, SIDE = 5, 96


@pytest.fixture(scope="module")
def crowd() -> Crowd:
    """Five people, each of another skin, on other backgrounds."""
    rng = np.random.default_rng(0)
    mesh = (canonical().mesh * 26 + np.array([SIDE / 2, SIDE / 2, 0])).astype(np.float32)
    mask = np.zeros((SIDE, SIDE), np.uint8)
    cv2.fillPoly(mask, [np.round(mesh[OVAL, :2]).astype(np.int32)], 255)
    pictures = rng.integers(40, 220, (PEOPLE, 12, 12, 3), np.uint8).repeat(8, 1).repeat(8, 2)
    for number, picture in enumerate(pictures):
        picture[mask > 0] = 60 + 30 * number + picture[mask > 0] // 6
    return Crowd(
        pictures, np.stack([mask] * PEOPLE), np.stack([mesh] * PEOPLE), np.eye(PEOPLE, 128, dtype=np.float32),
        np.arange(PEOPLE),
    )  # fmt: skip


@pytest.fixture(scope="module")
def scenes(crowd: Crowd) -> list[Scene]:
    """Those of one group of people, in plain light."""
    plan = Plan(badly_lit=0)
    made: Iterator[Scene] = SceneMaker(CrowdPeople(crowd), 0, plan).scenes()
    return [next(made) for _ in range(PEOPLE * (plan.same + plan.turned + plan.cross))]


def off(a: np.ndarray, b: np.ndarray, where: np.ndarray) -> float:
    return float(np.abs(a.astype(int) - b)[where].mean())


def test_turned_targets_show_somebody_else_on_the_truth(scenes: list[Scene]) -> None:
    counts = [sum(one.kind == kind for one in scenes) for kind in (SAME, TURNED, CROSS)]
    assert counts == [5, 20, 20]
    for one in scenes:
        face = one.swap.mask(one.target.image.shape) > 200
        outside = one.target.visible == 0
        assert off(one.target.image, one.truth.image, outside) == 0
        told = off(one.target.image, one.truth.image, face)
        assert told > 3 if one.kind == TURNED else told == 0
        assert (one.source == one.goal) or one.kind == CROSS


def test_mesh_brings_the_source_towards_the_truth(scenes: list[Scene]) -> None:
    """It puts the target's light on it, so that of a plain skin little more than features differ."""
    for one in scenes:
        if one.kind == SAME:
            face = one.swap.mask(one.target.image.shape) > 250
            assert off(one.swap.shown(one.target), one.truth.image, face) < 12


def test_photos_are_never_the_truth_itself(scenes: list[Scene]) -> None:
    """Unless there is none: half of the cross scenes have the person's picture as it is."""
    for one in scenes:
        if one.kind != CROSS:
            assert off(one.photo.image, one.truth.image, np.ones((SIDE, SIDE), bool)) > 3


def test_what_is_before_a_face_stays_there(crowd: Crowd) -> None:
    masks = crowd.masks.copy()
    masks[:, :40] = 0
    hidden = replace(crowd, masks=masks)
    people = CrowdPeople(hidden)
    assert not people.sources
    people.sources = list(range(PEOPLE))
    for one in (next(SceneMaker(people, seed, Plan(badly_lit=0)).scenes()) for seed in range(2)):
        shown = one.swap.shown(one.target)
        assert np.array_equal(shown[:40], one.truth.image[:40])


def test_mirrored_faces_keep_their_landmarks_on_their_features(crowd: Crowd) -> None:
    face = CrowdPeople(crowd).view(0, np.random.default_rng(0), source=True)
    again = mirror(mirror(face))
    assert np.array_equal(again.image, face.image)
    assert np.allclose(again.mesh, face.mesh, atol=1e-4)
    assert np.allclose(mirror(face).mesh[33, 0], SIDE - 1 - face.mesh[263, 0], atol=1e-4)


def test_a_file_is_made_once_and_whole(tmp_path: Path) -> None:
    calls: list[int] = []

    def make(number: int) -> list[dict[str, np.ndarray]]:
        calls.append(number)
        if number == 2:
            raise KeyboardInterrupt
        return [{"a": np.full(3, number)}] * 4

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            write_shards(tmp_path, range(4), make)
    assert calls == [0, 1, 2, 2]
    assert [path.name for path in shards(tmp_path)] == ["0000.npz", "0001.npz"]
    assert read_shard(tmp_path / "0001.npz")["a"].tolist() == [[1] * 3] * 4


def test_files_from_somebody_else_are_one_error(crowd: Crowd, tmp_path: Path) -> None:
    path = tmp_path / "0000.npz"
    for write in (
        lambda: path.write_bytes(b"nothing"),
        lambda: path.write_bytes(b""),
        lambda: np.save(path.open("wb"), np.zeros(3)),
        lambda: np.savez(path, photo=np.array([{}], dtype=object)),
        lambda: np.savez(path, photo=np.zeros(3), known=np.zeros(2)),
        lambda: np.savez_compressed(path, photo=np.zeros(1 << 20)),
    ):
        write()
        with pytest.raises(InputError, match="Remove it to make it anew"):
            read_shard(path)
    for columns in ({"photo": np.zeros(3)}, {name: np.zeros(2) for name in (*FIELDS, "faces")}):
        np.savez(path, **columns)
        with pytest.raises(UsageError, match="holds no triplets"), supply(crowd, tmp_path, 48, count=1):
            pass


def test_batches_have_what_was_asked_for_and_a_run_that_goes_on_makes_nothing_anew(
    crowd: Crowd, tmp_path: Path
) -> None:
    write_triplets(crowd, tmp_path, 48, range(2), rows=30)
    before = [path.stat().st_mtime_ns for path in shards(tmp_path)]
    with supply(crowd, tmp_path, 48, count=2) as stored:
        assert len(stored) == 60
        batch = stored.batch(np.random.default_rng(0), 6, 3)
        again = stored.batch(np.random.default_rng(0), 6, 3)
    assert [path.stat().st_mtime_ns for path in shards(tmp_path)] == before
    assert batch.known.tolist() == [True] * 6 + [False] * 3
    assert np.array_equal(batch.warped, again.warped)
    assert batch.photo.shape == (9, 48, 48, 3)
    assert batch.mask.shape == (9, 48, 48)
    assert (batch.mask <= batch.visible).all()
    assert (batch.source == batch.goal)[batch.known].all()
    middle = batch.target_points[:, 4, :2]
    assert (np.abs(middle - 23.5) < 6).all()  # the nose
    with pytest.raises(UsageError, match="not of these faces"), supply(crowd, tmp_path, 32, count=2):
        pass


def test_files_come_while_they_are_learnt_from(crowd: Crowd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rtswap.training.triplets.LOOK_EVERY_S", 0.0)
    write_triplets(crowd, tmp_path, 32, range(1), rows=20)
    stored = Supply(tmp_path, 2)
    stored.take()
    assert len(stored) == 20
    partial(write_triplets, crowd, tmp_path, 32, range(3), rows=20)()
    stored.batch(np.random.default_rng(0), 1, 1)
    assert len(stored) == 40  # and no more than was asked for
