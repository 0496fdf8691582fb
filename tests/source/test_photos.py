"""What a user's photo becomes. The eyes are fakes that read a drawn scene, so that every rule can be tried."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import pytest
from photos import Face, Scene, world

from rtswap.core.errors import SourceError
from rtswap.core.types import Image, Mesh, Points, SourceIdentity
from rtswap.source.portrait import find_landmarks, make_portrait
from rtswap.vision.geometry import canonical, keypoints_of, transform
from rtswap.vision.pose import pose_of
from rtswap.vision.topology import OVAL


def test_one_photo_becomes_a_source_without_a_word() -> None:
    photos = world(me=Scene())
    source = photos.load("me.jpg")
    assert photos.events == []
    assert source.name == "me.jpg"
    assert source.portrait.dtype == np.uint8
    assert source.landmarks.shape == (468, 3)


@pytest.mark.parametrize("eyes_px", [60, 110, 160, 500])
@pytest.mark.parametrize("roll", [-70, 0, 20])
def test_the_portrait_is_upright_whole_and_not_blown_up(eyes_px: float, roll: float) -> None:
    width, height = round(6 * eyes_px), round(7 * eyes_px)
    photos = world(me=Scene((Face((width / 2, height / 2), eyes_px, roll=roll),), (width, height)))
    source = photos.load("me.jpg")
    side = source.portrait.shape[0]
    assert source.portrait.shape == (side, side, 3)
    assert side <= 768
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
def test_a_photo_on_its_side_is_turned_upright(turns: int) -> None:
    upright = world(me=Scene()).load("me.jpg")
    lying = world(me=Scene(turns=turns)).load("me.jpg")
    np.testing.assert_array_equal(lying.portrait, upright.portrait)


def test_a_photo_without_a_face_is_an_error() -> None:
    with pytest.raises(SourceError, match=r"no face found in me\.jpg") as caught:
        world(me=Scene(())).load("me.jpg")
    assert caught.value.exit_code == 2


THREE = Scene(
    (Face((650, 300), 70, person=3), Face((150, 300), 60, person=1), Face((400, 300), 90, person=2)),
)


def whose(source: SourceIdentity) -> int:
    def alike(person: int) -> float:
        return float(source.identity("dlib") @ np.random.default_rng(person).normal(size=128))

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
def test_a_face_number_out_of_range_is_an_error(number: int) -> None:
    with pytest.raises(SourceError, match=rf"number {number}; expected 1 \(leftmost\) to 3"):
        world(us=THREE).load("us.jpg", face_index=number)


@pytest.mark.parametrize(("number", "told"), [(None, 0), (0, 0), (1, 0), (2, 1)])
def test_another_number_than_the_only_face_is_told(number: int | None, told: int) -> None:
    """Whoever names a second person would else get the only one that was found, unnoticed."""
    photos = world(me=Scene())
    photos.load("me.jpg", face_index=number)
    assert len(photos.events) == told
    assert all("me.jpg shows 1 face" in event for event in photos.events)


def test_doubtful_faces_are_not_counted() -> None:
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
def test_an_unusable_photo_is_reported_with_the_reason(scene: Scene, told: str) -> None:
    with pytest.raises(SourceError, match=rf"cannot use .*me\.jpg: .*{told}") as caught:  # also an example for --swap
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


def test_no_face_in_the_close_up_is_an_error() -> None:
    photos = world(me=Scene())
    photos.presence = 0.1
    with pytest.raises(SourceError, match=r"me\.jpg: no face found in the close-up"):
        photos.load("me.jpg")


def test_an_unreadable_photo_is_the_users_mistake() -> None:
    with pytest.raises(SourceError, match="cannot decode") as caught:
        world().load("broken.jpg")
    assert caught.value.exit_code == 2


def test_no_photo_is_an_error() -> None:
    with pytest.raises(SourceError, match="--source"):
        world().load()
