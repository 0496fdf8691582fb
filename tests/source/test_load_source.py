"""What a user's photos become. The eyes are fakes that read a drawn scene, so that every rule can be tried."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest

from rtswap.errors import InputError, SourceError
from rtswap.geometry import canonical, keypoints_of, similarity, transform
from rtswap.source import load_source
from rtswap.source.portrait import find_landmarks, make_portrait
from rtswap.source.pose import pose_of
from rtswap.source.quality import appraise, sharpness
from rtswap.topology import CHIN, FOREHEAD, KEYPOINTS, OVAL
from rtswap.types import Box, Detection, Image, Mesh, Points, SourceIdentity


def turned(yaw: float = 0, pitch: float = 0, roll: float = 0) -> Points:
    """The mean face under that pose, inter-ocular distance 1."""
    y, p, r = np.radians([yaw, pitch, roll])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    about_y = np.array([[np.cos(y), 0, -np.sin(y)], [0, 1, 0], [np.sin(y), 0, np.cos(y)]])
    about_z = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    return (canonical().mesh @ (about_z @ about_y @ about_x).T).astype(np.float32)


@dataclass(frozen=True)
class Face:
    """One face of a scene."""

    at: tuple[float, float] = (400.0, 300.0)
    eyes_px: float = 110.0
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    score: float = 0.99
    person: int = 0

    @property
    def mesh(self) -> Points:
        points = turned(self.yaw, self.pitch, self.roll) * self.eyes_px
        return points + np.array([*self.at, 0], np.float32)


@dataclass(frozen=True)
class Scene:
    """What a photo shows. ``turns``: quarter turns clockwise by which the file lies wrong."""

    faces: tuple[Face, ...] = (Face(),)
    size: tuple[int, int] = (800, 600)
    blur: float = 0.0
    gain: float = 1.0
    turns: int = 0

    def image(self) -> Image:
        image = texture(*self.size)
        image = cv2.GaussianBlur(image, (0, 0), self.blur) if self.blur else image
        image = np.clip(image.astype(np.float32) * self.gain, 0, 255).astype(np.uint8)
        return np.ascontiguousarray(np.rot90(image, -self.turns))


@cache
def texture(width: int, height: int) -> Image:
    """Grain of every size from 2 px up, as photos have it, around middle grey."""
    rng = np.random.default_rng(1)
    image = np.full((height, width, 3), 128, np.float32)
    for size in (2, 4, 8, 16, 32, 64):
        grain = rng.normal(0, 14, (height // size + 1, width // size + 1, 3)).astype(np.float32)
        image += cv2.resize(grain, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.clip(image, 0, 255).astype(np.uint8)


class World:
    """Fakes for detector, landmarks and embedder that know the scenes."""

    def __init__(self, scenes: dict[str, Scene]) -> None:
        self.scenes = {Path(name): scene for name, scene in scenes.items()}
        self._now = Scene()
        self.events: list[str] = []
        self.presence = 0.99

    def read(self, path: Path) -> Image:
        if path not in self.scenes:
            raise InputError(f"cannot decode {path}", got="a damaged one", do="Save it again.")
        self._now = self.scenes[path]
        return self._now.image()

    def detect(self, image: Image) -> list[Detection]:
        """Sees faces only when the photo is upright."""
        if not np.array_equal(image[:9], replace(self._now, turns=0).image()[:9]):
            return []
        found = []
        for face in self._now.faces:
            low, high = face.mesh[:, :2].min(axis=0), face.mesh[:, :2].max(axis=0)
            box = np.concatenate([low, high]).astype(np.float32)
            found.append(Detection(box, keypoints_of(face.mesh), face.score))
        return sorted(found, key=lambda detection: -detection.score)

    def refine(self, image: Image, boxes: Sequence[Box]) -> list[Detection | None]:
        raise AssertionError("not needed for photos")

    def find(self, image: Image, faces: Sequence[Points]) -> list[Mesh]:
        """The mesh of the scene's face that fits the points best, moved to where they are."""
        meshes = []
        for points in faces:
            keypoints = points if len(points) == 5 else keypoints_of(points)
            meshes.append(Mesh(self._fitted(keypoints), np.ones(468, np.float32), self.presence))
        return meshes

    def _fitted(self, keypoints: Points) -> Points:
        best, least = self._now.faces[0].mesh, np.inf
        for face in self._now.faces:
            for mesh in (face.mesh, (face.mesh * [-1, 1, 1])[canonical().mirror].astype(np.float32)):
                moved = transform(similarity(keypoints_of(mesh), keypoints), mesh)
                miss = float(np.abs(keypoints_of(moved) - keypoints).mean())
                if miss < least - 1e-3:
                    best, least = moved, miss
        return best

    def embed(self, image: Image, keypoints: Points) -> Points:
        near = min(self._now.faces, key=lambda face: float(np.abs(keypoints_of(face.mesh) - keypoints).max()))
        vector = np.random.default_rng(near.person).normal(size=128)
        vector += 0.3 * np.random.default_rng(100 + near.person * 7 + int(near.yaw)).normal(size=128)
        return (vector / np.linalg.norm(vector)).astype(np.float32)

    def load(self, *names: str, face_index: int | None = None, embedder: bool = True) -> SourceIdentity:
        return load_source(
            [Path(name) for name in names],
            detector=self,
            landmarks=self,
            embedder=self if embedder else None,
            face_index=face_index,
            on_event=self.events.append,
            read=self.read,
        )


def world(**scenes: Scene) -> World:
    return World({f"{name}.jpg": scene for name, scene in scenes.items()})


def test_one_photo_becomes_a_source_without_a_word() -> None:
    photos = world(me=Scene())
    source = photos.load("me.jpg")
    assert photos.events == []
    assert source.name == "me.jpg"
    assert source.portrait.dtype == np.uint8
    assert source.landmarks.shape == (468, 3)
    assert source.embedding is not None
    assert source.embedding.shape == (128,)
    assert np.linalg.norm(source.embedding) == pytest.approx(1, abs=1e-5)


def test_without_an_embedder_there_is_no_embedding() -> None:
    assert world(me=Scene()).load("me.jpg", embedder=False).embedding is None


@pytest.mark.parametrize("eyes_px", [60, 110, 160, 500])
@pytest.mark.parametrize("roll", [-70, 0, 20])
def test_the_portrait_is_upright_whole_and_not_blown_up(eyes_px: float, roll: float) -> None:
    width, height = round(6 * eyes_px), round(7 * eyes_px)
    photos = world(me=Scene((Face((width / 2, height / 2), eyes_px, roll=roll),), (width, height)))
    source = photos.load("me.jpg")
    side = source.portrait.shape[0]
    assert source.portrait.shape == (side, side, 3)
    assert side <= 512
    oval = source.landmarks[OVAL, :2]
    tall = float(np.ptp(oval[:, 1]))
    assert 0.5 < tall / side < 0.66
    assert oval[:, 1].min() > 0.15 * side, "no room for hair"
    assert oval[:, 1].max() < 0.92 * side, "no room for the chin"
    assert min(oval[:, 0].min(), side - oval[:, 0].max()) > 0.12 * side, "no room for ears"
    assert abs(pose_of(source.landmarks).roll) < 1
    in_photo = float(np.ptp(canonical().mesh[OVAL, 1])) * eyes_px
    assert tall <= in_photo * 1.01


def test_the_portrait_shows_the_photo_where_the_matrix_says() -> None:
    """On a picture that brightens evenly, portrait pixels tell where they were taken: to half a pixel."""
    columns, rows = np.meshgrid(np.arange(800), np.arange(600))
    photo = np.stack([columns * 0.3, rows * 0.4, np.zeros_like(rows)], axis=2).astype(np.uint8)
    for roll in (0, 17):
        for eyes_px in (60, 200):
            portrait, matrix = make_portrait(photo, Face(eyes_px=eyes_px, roll=roll).mesh)
            side = portrait.shape[0]
            spots = np.random.default_rng(0).uniform(0.2 * side, 0.8 * side, (200, 2)).round()
            taken = transform(np.asarray(cv2.invertAffineTransform(matrix), np.float32), spots.astype(np.float32))
            inside = ((taken > 5) & (taken < (790, 590))).all(axis=1)
            seen = portrait[spots[:, 1].astype(int), spots[:, 0].astype(int)].astype(float)
            assert inside.sum() > 100
            assert np.abs(seen[:, 0] - taken[:, 0] * 0.3)[inside].mean() < 1.0
            assert np.abs(seen[:, 1] - taken[:, 1] * 0.4)[inside].mean() < 1.0


def test_an_upright_face_keeps_its_pixels_to_the_bit() -> None:
    photo = Scene().image()
    portrait, matrix = make_portrait(photo, Face(eyes_px=100).mesh)
    x, y = (round(-float(value)) for value in matrix[:, 2])
    side = portrait.shape[0]
    np.testing.assert_array_equal(portrait, photo[y : y + side, x : x + side])


def test_a_face_at_the_edge_of_the_photo_still_gives_a_square() -> None:
    source = world(me=Scene((Face((60, 80)),))).load("me.jpg")
    assert source.portrait.shape[0] == source.portrait.shape[1]


class Shaky:
    """Landmarks of one scene, upright or mirrored, each look off by a few pixels."""

    def __init__(self, mesh: Points, width: int) -> None:
        self.seen = {
            False: mesh,
            True: ((mesh * [-1, 1, 1]) + [width - 1, 0, 0])[canonical().mirror].astype(np.float32),
        }
        self.rng = np.random.default_rng(0)
        self.plain = Scene().image()

    def find(self, image: Image, faces: Sequence[Points]) -> list[Mesh]:
        mesh = self.seen[not np.array_equal(image, self.plain)]
        for points in faces:
            keypoints = points if len(points) == 5 else keypoints_of(points)
            assert np.abs(keypoints - keypoints_of(mesh)).max() < 30, "asked to look elsewhere"
        moved = [mesh + self.rng.normal(0, 3.0, mesh.shape) for _ in faces]
        return [Mesh(points.astype(np.float32), np.ones(468, np.float32), 0.9) for points in moved]


def test_landmarks_are_averaged_over_looks_and_mirrored_ones_turned_back() -> None:
    exact = Face(yaw=15, eyes_px=100).mesh
    found = find_landmarks(Shaky(exact, 800), Scene().image(), keypoints_of(exact))
    error = (found - exact)[:, :2]
    assert np.abs(error.mean(axis=0)).max() < 0.3
    assert error.std() < 3.0 / np.sqrt(6)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_photo_that_lies_on_its_side_is_put_upright(turns: int) -> None:
    upright = world(me=Scene()).load("me.jpg")
    lying = world(me=Scene(turns=turns)).load("me.jpg")
    np.testing.assert_array_equal(lying.portrait, upright.portrait)


def test_no_face_is_told() -> None:
    with pytest.raises(SourceError, match=r"no face in me\.jpg") as caught:
        world(me=Scene(())).load("me.jpg")
    assert caught.value.exit_code == 2


THREE = Scene(
    (Face((650, 300), 70, person=3), Face((150, 300), 60, person=1), Face((400, 300), 90, person=2)),
)


def whose(source: SourceIdentity) -> int:
    def alike(person: int) -> float:
        return float(source.embedding @ np.random.default_rng(person).normal(size=128))  # type: ignore[operator]

    return max((1, 2, 3), key=alike)


def test_of_several_faces_the_largest_is_taken_with_a_word() -> None:
    for index in (None, 0):
        photos = world(us=THREE)
        assert whose(photos.load("us.jpg", face_index=index)) == 2
        assert len(photos.events) == 1
        assert "3 faces" in photos.events[0]
        assert "number 2 from the left" in photos.events[0]
        assert "--source-face" in photos.events[0]


@pytest.mark.parametrize("number", [1, 2, 3])
def test_faces_are_numbered_from_the_left_beginning_with_one(number: int) -> None:
    photos = world(us=THREE)
    assert whose(photos.load("us.jpg", face_index=number)) == number
    assert not [event for event in photos.events if "faces" in event]


@pytest.mark.parametrize("number", [4, -1])
def test_a_number_that_is_not_there_is_told(number: int) -> None:
    with pytest.raises(SourceError, match=rf"number {number}; expected 1 \(leftmost\) to 3"):
        world(us=THREE).load("us.jpg", face_index=number)


def test_what_is_hardly_a_face_is_not_counted() -> None:
    photos = world(me=Scene((Face(), Face((100, 100), 15), Face((700, 450), 60, score=0.75))))
    photos.load("me.jpg")
    assert photos.events == []


@pytest.mark.parametrize(
    ("scene", "told"),
    [
        (Scene((Face(eyes_px=25),)), "small"),
        (Scene((Face(eyes_px=2),)), "small"),
        (Scene(blur=12), "blurred"),
        (Scene((Face(yaw=70),)), "turned away by 70"),
        (Scene((Face(yaw=-65),)), "turned away"),
        (Scene((Face(pitch=62),)), "turned away"),
        (Scene(gain=0.1), "too dark"),
        (Scene(gain=4), "overexposed"),
    ],
    ids=["small", "dot", "blurred", "right", "left", "down", "dark", "bright"],
)
def test_a_photo_that_cannot_be_used_is_told_with_the_reason(scene: Scene, told: str) -> None:
    with pytest.raises(SourceError, match=told) as caught:
        world(me=scene).load("me.jpg")
    assert "me.jpg" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("scene", "told"), [(Scene((Face(eyes_px=45),)), "small"), (Scene((Face(yaw=40),)), "turned away by 40")]
)
def test_a_photo_that_is_not_good_is_used_with_a_word(scene: Scene, told: str) -> None:
    photos = world(me=scene)
    photos.load("me.jpg")
    assert told in photos.events[0]


def test_no_face_from_close_by_is_told() -> None:
    photos = world(me=Scene())
    photos.presence = 0.1
    with pytest.raises(SourceError, match=r"me\.jpg: no face can be made out"):
        photos.load("me.jpg")


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


def test_when_none_is_left_the_first_reason_is_told() -> None:
    with pytest.raises(SourceError, match=r"none of the 2 photos.*too dark"):
        world(dark=Scene(gain=0.1), empty=Scene(())).load("dark.jpg", "empty.jpg")


def test_an_unreadable_photo_is_the_users_mistake() -> None:
    with pytest.raises(SourceError, match="cannot decode") as caught:
        world().load("broken.jpg")
    assert caught.value.exit_code == 2


def test_no_photo_at_all_is_told() -> None:
    with pytest.raises(SourceError, match="--source"):
        world().load()


def test_embeddings_are_averaged() -> None:
    photos = world(a=Scene((Face(yaw=1),)), b=Scene((Face(yaw=10),)), c=Scene((Face(yaw=-12),)))
    together = photos.load("a.jpg", "b.jpg", "c.jpg").embedding
    truth = np.random.default_rng(0).normal(size=128)
    truth /= np.linalg.norm(truth)
    alone = [world(a=photos.scenes[Path(f"{name}.jpg")]).load("a.jpg").embedding for name in "abc"]
    assert np.linalg.norm(together) == pytest.approx(1, abs=1e-5)  # type: ignore[arg-type]
    assert together @ truth > np.mean([one @ truth for one in alone])  # type: ignore[operator]


@pytest.mark.parametrize(
    "worse", [Scene((Face(yaw=40),)), Scene((Face(eyes_px=60),)), Scene(blur=4), Scene(gain=0.3)]
)
def test_a_worse_photo_counts_less_and_it_is_told_why(worse: Scene) -> None:
    photos = world(good=Scene(), worse=worse)
    together = photos.load("good.jpg", "worse.jpg").embedding
    told = [event for event in photos.events if " counts " in event]
    shares = {line.split()[0]: int(line.split(" counts ")[1].split("%")[0]) for line in told}
    assert sum(shares.values()) == pytest.approx(100, abs=1)
    assert shares["good.jpg"] > 60
    assert all(" px, sharpness 0." in line and "degrees, light " in line for line in told)
    good, bad = (world(a=photos.scenes[Path(name)]).load("a.jpg").embedding for name in ("good.jpg", "worse.jpg"))
    expected = shares["good.jpg"] * good + shares["worse.jpg"] * bad  # type: ignore[operator]
    np.testing.assert_allclose(together, expected / np.linalg.norm(expected), atol=0.02)


def test_another_persons_photo_among_several_is_left_out() -> None:
    photos = world(a=Scene(), b=Scene((Face(yaw=8),)), other=Scene((Face(eyes_px=115, person=5),)))
    source = photos.load("a.jpg", "other.jpg", "b.jpg")
    assert source.name != "other.jpg"
    assert sum("other.jpg may show another person" in event for event in photos.events) == 1
    assert source.embedding @ np.random.default_rng(5).normal(size=128) < 4  # type: ignore[operator]


def test_two_photos_of_two_people_are_told() -> None:
    photos = world(a=Scene(), b=Scene((Face(person=5),)))
    photos.load("a.jpg", "b.jpg")
    assert "two different people" in photos.events[0]


def test_photos_that_all_differ_are_told() -> None:
    photos = world(**{f"p{n}": Scene((Face(person=n),)) for n in range(4)})
    photos.load(*(f"p{n}.jpg" for n in range(4)))
    assert "no two of them agree" in photos.events[0]


def test_further_photos_of_the_person_come_along_best_first() -> None:
    photos = world(good=Scene(), side=Scene((Face(yaw=35),)), turned=Scene((Face(yaw=-20),)), dark=Scene(gain=0.1))
    source = photos.load("side.jpg", "good.jpg", "turned.jpg", "dark.jpg")
    assert source.name == "good.jpg"
    assert [round(pose_of(one.landmarks).yaw) for one in source.further] == [-20, 35]
    assert all(one.image.shape[0] == one.image.shape[1] for one in source.further)


def test_one_photo_has_no_further_ones() -> None:
    assert world(me=Scene()).load("me.jpg").further == ()


@pytest.mark.parametrize("strangers", [1, 2])
def test_no_stranger_s_photo_comes_along(strangers: int) -> None:
    """Not even when there are too few photos to say which of them is the odd one."""
    scenes = {f"p{n}": Scene((Face(person=n, yaw=5.0 * n),)) for n in range(strangers + 1)}
    source = world(**scenes).load(*(f"{name}.jpg" for name in scenes))
    assert source.name == "p0.jpg"
    assert source.further == ()


def test_a_stranger_among_friends_is_no_further_photo() -> None:
    photos = world(a=Scene(), b=Scene((Face(yaw=8),)), other=Scene((Face(eyes_px=115, person=5),)))
    source = photos.load("a.jpg", "other.jpg", "b.jpg")
    assert [round(pose_of(one.landmarks).yaw) for one in source.further] == [8]


def test_of_many_photos_the_best_few_come_along() -> None:
    scenes = {f"p{n}": Scene((Face(yaw=4.0 * n),)) for n in range(8)}
    source = world(**scenes).load(*(f"{name}.jpg" for name in reversed(scenes)))
    assert [round(pose_of(one.landmarks).yaw) for one in source.further] == [4, 8, 12, 16]


def test_without_an_embedder_the_user_is_believed() -> None:
    photos = world(a=Scene(), b=Scene((Face(yaw=20),)))
    assert len(photos.load("a.jpg", "b.jpg", embedder=False).further) == 1


def test_a_folder_stands_for_its_pictures(tmp_path: Path) -> None:
    for name in ("b.jpg", "a.PNG", "notes.txt"):
        (tmp_path / name).write_bytes(b"x")
    photos = World({str(tmp_path / "a.PNG"): Scene(), str(tmp_path / "b.jpg"): Scene((Face(yaw=20),))})
    assert photos.load(str(tmp_path)).name == "a.PNG"
    assert all(" counts " in event for event in photos.events)


def test_a_folder_without_pictures_is_told(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(SourceError, match="no picture in the folder"):
        world().load(str(tmp_path))


def test_a_thousand_photos_are_not_all_read(tmp_path: Path) -> None:
    scenes = {}
    for number in range(60):
        path = tmp_path / f"{number:03}.jpg"
        path.write_bytes(b"x")
        scenes[str(path)] = Scene((Face(eyes_px=40),), (320, 300))
    photos = World({name: replace(scene, faces=(Face((160, 150), 45),)) for name, scene in scenes.items()})
    photos.load(str(tmp_path), embedder=False)
    assert "first 50" in photos.events[0]


@pytest.mark.parametrize(
    ("yaw", "pitch", "roll"), [(0, 0, 0), (30, 0, 0), (-50, 0, 0), (0, 25, 0), (0, -25, 0), (0, 0, 80)]
)
def test_pose_is_what_the_head_was_turned_by(yaw: float, pitch: float, roll: float) -> None:
    found = pose_of(turned(yaw, pitch, roll) * 90 + np.array([200, 300, 5], np.float32))
    assert found == pytest.approx((yaw, pitch, roll), abs=0.5)


def test_signs_of_the_pose() -> None:
    """Turned to the image's right, the nose is right of the eyes' middle; looking down, it comes nearer the chin."""
    right, down = turned(yaw=30), turned(pitch=20)
    assert right[1, 0] > right[[33, 263], 0].mean()
    assert (down[CHIN, 1] - down[1, 1]) < (canonical().mesh[CHIN, 1] - canonical().mesh[1, 1])


@pytest.mark.parametrize("broken", [np.full((468, 3), np.nan, np.float32), np.zeros((468, 3), np.float32)])
def test_the_pose_of_no_face_is_no_frontal_one(broken: Points) -> None:
    assert abs(pose_of(broken).yaw) > 90


def test_sharpness_falls_with_blur_and_does_not_care_for_contrast() -> None:
    grey = cv2.cvtColor(Scene(blur=0.8).image(), cv2.COLOR_BGR2GRAY)
    inside = np.ones_like(grey, bool)
    values = [sharpness(np.asarray(cv2.GaussianBlur(grey, (0, 0), s), np.uint8), inside) for s in (0.5, 1, 2, 4)]
    assert values == sorted(values, reverse=True)
    faint = (grey // 2 + 40).astype(np.uint8)
    assert sharpness(faint, inside) == pytest.approx(sharpness(grey, inside), rel=0.1)
    assert sharpness(np.full_like(grey, 9), inside) == 0
    assert sharpness(grey, ~inside) == 0


def test_appraisal_of_a_face_outside_the_picture_is_a_fault() -> None:
    away = Face((5000, 5000)).mesh
    assert appraise(Scene().image(), away, 1.0).faults


def test_appraisal_measures_size_in_the_photo_not_in_the_portrait() -> None:
    mesh = Face(eyes_px=110).mesh
    eyes = mesh[[*KEYPOINTS[0], *KEYPOINTS[1]], :2].mean(axis=0)
    face_px = float(np.linalg.norm(mesh[CHIN, :2] - eyes))
    assert mesh[FOREHEAD, 1] < eyes[1]
    assert not appraise(Scene().image(), mesh, 1.0).faults
    small = appraise(Scene().image(), mesh, face_px / 30)
    assert "30 px" in small.faults[0]
