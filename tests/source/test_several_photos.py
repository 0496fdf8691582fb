"""What several photos become: the best is the portrait, strangers are left out, worse ones count less."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from photos import Face, Scene, World, world

from rtswap.core.errors import SourceError
from rtswap.source.consent.question import photo_files
from rtswap.source.personas import persona_photo
from rtswap.vision.pose import pose_of


@pytest.mark.parametrize(
    "worse", [Scene((Face(yaw=35),)), Scene((Face(eyes_px=55),)), Scene(blur=3), Scene(gain=0.35)]
)
def test_the_best_of_several_photos_is_the_portrait(worse: Scene) -> None:
    for names in (("worse.jpg", "good.jpg"), ("good.jpg", "worse.jpg")):
        assert world(worse=worse, good=Scene()).load(*names).name == "good.jpg"


def test_unusable_photos_are_left_out_with_a_word() -> None:
    photos = world(dark=Scene(gain=0.1), good=Scene(), empty=Scene(()))
    assert photos.load("dark.jpg", "good.jpg", "broken.jpg", "empty.jpg").name == "good.jpg"
    assert [event.startswith("left out") for event in photos.events] == [True] * 3


def test_without_a_usable_photo_the_first_reason_is_reported() -> None:
    with pytest.raises(SourceError, match=r"none of the 2 photos.*too dark"):
        world(dark=Scene(gain=0.1), empty=Scene(())).load("dark.jpg", "empty.jpg")


def test_embeddings_are_averaged() -> None:
    photos = world(a=Scene((Face(yaw=1),)), b=Scene((Face(yaw=10),)), c=Scene((Face(yaw=-12),)))
    together = photos.load("a.jpg", "b.jpg", "c.jpg").identity("dlib")
    truth = np.random.default_rng(0).normal(size=128)
    truth /= np.linalg.norm(truth)
    alone = [world(a=photos.scenes[Path(f"{name}.jpg")]).load("a.jpg").identity("dlib") for name in "abc"]
    assert np.linalg.norm(together) == pytest.approx(1, abs=1e-5)
    assert together @ truth > np.mean([one @ truth for one in alone])


@pytest.mark.parametrize(
    "worse", [Scene((Face(yaw=40),)), Scene((Face(eyes_px=60),)), Scene(blur=4), Scene(gain=0.3)]
)
def test_a_worse_photo_counts_less_and_the_reason_is_reported(worse: Scene) -> None:
    photos = world(good=Scene(), worse=worse)
    together = photos.load("good.jpg", "worse.jpg").identity("dlib")
    told = [event for event in photos.events if " has a weight of " in event]
    shares = {line.split()[0]: int(line.split(" has a weight of ")[1].split("%")[0]) for line in told}
    assert sum(shares.values()) == pytest.approx(100, abs=1)
    assert shares["good.jpg"] > 60
    assert all(" px, sharpness 0." in line and "degrees, light " in line for line in told)
    good, bad = (
        world(a=photos.scenes[Path(name)]).load("a.jpg").identity("dlib") for name in ("good.jpg", "worse.jpg")
    )
    expected = shares["good.jpg"] * good + shares["worse.jpg"] * bad
    np.testing.assert_allclose(together, expected / np.linalg.norm(expected), atol=0.02)


def test_another_persons_photo_among_several_is_left_out() -> None:
    photos = world(a=Scene(), b=Scene((Face(yaw=8),)), other=Scene((Face(eyes_px=115, person=5),)))
    source = photos.load("a.jpg", "other.jpg", "b.jpg")
    assert source.name != "other.jpg"
    assert sum("other.jpg may show a different person" in event for event in photos.events) == 1
    assert source.identity("dlib") @ np.random.default_rng(5).normal(size=128) < 4


def test_two_photos_of_two_people_are_reported() -> None:
    photos = world(a=Scene(), b=Scene((Face(person=5),)))
    photos.load("a.jpg", "b.jpg")
    assert "two different people" in photos.events[0]


@pytest.mark.parametrize(("names", "told"), [(["ada", "george"], 1), (["ada", "ada"], 0)])
def test_two_personas_are_two_people_however_alike(names: list[str], told: int) -> None:
    """Our own network takes some of them for one person, and nothing was said."""
    photos = World({str(persona_photo(name)): Scene() for name in names})
    photos.load(*(f"persona:{name}" for name in names))
    assert sum("are two people" in event for event in photos.events) == told


def test_photos_that_all_differ_are_reported() -> None:
    photos = world(**{f"p{n}": Scene((Face(person=n),)) for n in range(4)})
    photos.load(*(f"p{n}.jpg" for n in range(4)))
    assert "no two of them match" in photos.events[0]


def test_further_photos_of_the_person_come_along_best_first() -> None:
    photos = world(good=Scene(), side=Scene((Face(yaw=35),)), turned=Scene((Face(yaw=-20),)), dark=Scene(gain=0.1))
    source = photos.load("side.jpg", "good.jpg", "turned.jpg", "dark.jpg")
    assert source.name == "good.jpg"
    assert [round(pose_of(one.landmarks).yaw) for one in source.further] == [-20, 35]
    assert all(one.image.shape[0] == one.image.shape[1] for one in source.further)


def test_one_photo_has_no_further_ones() -> None:
    assert world(me=Scene()).load("me.jpg").further == ()


@pytest.mark.parametrize("strangers", [1, 2])
def test_no_other_persons_photo_is_included(strangers: int) -> None:
    """Not even when there are too few photos to say which of them is the odd one."""
    scenes = {f"p{n}": Scene((Face(person=n, yaw=5.0 * n),)) for n in range(strangers + 1)}
    source = world(**scenes).load(*(f"{name}.jpg" for name in scenes))
    assert source.name == "p0.jpg"
    assert source.further == ()


def test_a_photo_of_another_person_is_left_out() -> None:
    photos = world(a=Scene(), b=Scene((Face(yaw=8),)), other=Scene((Face(eyes_px=115, person=5),)))
    source = photos.load("a.jpg", "other.jpg", "b.jpg")
    assert [round(pose_of(one.landmarks).yaw) for one in source.further] == [8]


def test_of_many_photos_the_best_few_come_along() -> None:
    scenes = {f"p{n}": Scene((Face(yaw=4.0 * n),)) for n in range(8)}
    source = world(**scenes).load(*(f"{name}.jpg" for name in reversed(scenes)))
    assert [round(pose_of(one.landmarks).yaw) for one in source.further] == [4, 8, 12, 16]


def test_without_an_identity_space_the_user_is_believed() -> None:
    photos = world(a=Scene(), b=Scene((Face(yaw=20),)))
    assert len(photos.load("a.jpg", "b.jpg", spaces={}).further) == 1


def test_a_folder_means_the_pictures_in_it(tmp_path: Path) -> None:
    for name in ("b.jpg", "a.PNG", "notes.txt", "c.dng"):
        (tmp_path / name).write_bytes(b"x")
    photos = World({str(tmp_path / "a.PNG"): Scene(), str(tmp_path / "b.jpg"): Scene((Face(yaw=20),))})
    assert photos.load(str(tmp_path)).name == "a.PNG"
    assert photos.events[0] == f"{tmp_path}: 1 picture passed over: a camera's raw picture (c.dng)"
    assert all(" has a weight of " in event for event in photos.events[1:])


def test_hidden_files_of_a_folder_are_no_photos(tmp_path: Path) -> None:
    """macOS leaves ``._me.jpg`` beside ``me.jpg`` on sticks and in zip files."""
    (tmp_path / "._me.jpg").write_bytes(b"\0\5\x16\7")
    assert photo_files([tmp_path]) == []
    with pytest.raises(SourceError, match="no image in the folder"):
        world().load(str(tmp_path))


def test_a_folder_without_pictures_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(SourceError, match="no image in the folder"):
        world().load(str(tmp_path))


def test_a_thousand_photos_are_not_all_read(tmp_path: Path) -> None:
    scenes = {}
    for number in range(60):
        path = tmp_path / f"{number:03}.jpg"
        path.write_bytes(b"x")
        scenes[str(path)] = Scene((Face(eyes_px=40),), (320, 300))
    photos = World({name: replace(scene, faces=(Face((160, 150), 45),)) for name, scene in scenes.items()})
    photos.load(str(tmp_path), spaces={})
    assert "first 50" in photos.events[0]
