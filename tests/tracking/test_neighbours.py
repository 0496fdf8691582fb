"""Who is beside or behind a followed face."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import pytest
from face_stream import track_at

from rtswap.core.types import Head, Image, Track
from rtswap.networks.heads import HeadModel
from rtswap.tracking.neighbours import (
    AS_LARGE,
    BLOCK,
    EVERYWHERE,
    LEAST_BELOW,
    LEAST_SCORE,
    MOST_SKIPPED,
    ONE_MORE,
    REACH,
    SIDE,
    SMALLEST,
    UNSURE,
    Neighbours,
    around,
)
from rtswap.tracking.reduced_picture import reduced
from rtswap.vision.geometry import box_of

FACE = np.array([0, 0, 255], np.uint8)
PLACE = 700, 400
SCENE = np.random.default_rng(1).integers(90, 110, (720, 1280, 3), np.uint8)
PHOTO = np.asarray(cv2.resize(SCENE[:18, :32] * 2, (1280, 720), interpolation=cv2.INTER_CUBIC), np.uint8)
"""Nothing finer than 40 px."""


class Scripted(HeadModel):
    """Finds the given squares: x, y of the middle and the side, in faces from the followed face's middle; score."""

    def __init__(self, *rows: Sequence[float]) -> None:
        self._rows = rows
        self.pictures: list[Image] = []

    def find(self, picture: Image, threshold: float) -> np.ndarray:
        self.pictures.append(picture.copy())
        scale = SIDE / REACH
        found = [
            [
                *(SIDE / 2 + (at - size / 2) * scale for at in (x, y)),
                *(SIDE / 2 + (at + size / 2) * scale for at in (x, y)),
                score,
            ]
            for x, y, size, score in self._rows
            if score > threshold
        ]
        return np.array(found, np.float32).reshape(-1, 5)


def look(watch: Neighbours, image: Image, tracks: Sequence[Track], small: Image | None = None) -> tuple[Head, ...]:
    small = reduced(image) if small is None else small
    size = small.shape[1] // BLOCK, small.shape[0] // BLOCK
    blocks = cv2.resize(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), size, interpolation=cv2.INTER_AREA)
    return watch.look(image, tracks, small, np.asarray(blocks, np.float32))


def test_heads_come_in_pixels_of_the_frame() -> None:
    track = track_at(*PLACE, px=120)
    x1, y1, x2, y2 = box_of(track.landmarks)
    side = max(x2 - x1, y2 - y1)
    (head,) = look(Neighbours(Scripted((0.6, -0.3, 0.9, 0.8))), SCENE, [track])
    middle = (head.box[:2] + head.box[2:]) / 2
    np.testing.assert_allclose(middle, [(x1 + x2) / 2 + 0.6 * side, (y1 + y2) / 2 - 0.3 * side], atol=0.05)
    np.testing.assert_allclose(head.box[2:] - head.box[:2], 0.9 * side, atol=0.05)
    assert head.score == pytest.approx(0.8)


def test_every_followed_face_is_painted_out() -> None:
    tracks = [track_at(*PLACE, px=120), track_at(PLACE[0] + 110, PLACE[1], px=100, id=2)]
    image, model = SCENE.copy(), Scripted()
    for track in tracks:
        x1, y1, x2, y2 = box_of(track.landmarks).astype(int)
        image[y1 + 12 : y2 - 12, x1 + 12 : x2 - 12] = FACE
    look(Neighbours(model), image, tracks)
    assert not (np.abs(model.pictures[0].astype(int) - FACE).max(axis=2) < 60).any()


@pytest.mark.parametrize(
    ("found", "there"),
    [
        ((0.6, -0.3, 0.9, LEAST_SCORE + 0.02), True),
        ((0.6, -0.3, 0.9, LEAST_SCORE - 0.02), False),
        ((0.5, 0.7, 0.6, LEAST_BELOW - 0.02), False),  # a hand below the chin
        ((0.5, 0.7, 0.6, LEAST_BELOW + 0.02), True),  # that is a face
        ((0.6, -0.3, SMALLEST + 0.02, 0.95), True),
        ((0.6, -0.3, SMALLEST - 0.02, 0.95), False),  # far behind: seen in the whole picture
    ],
)
def test_what_counts_as_somebody(found: tuple[float, ...], there: bool) -> None:
    assert bool(look(Neighbours(Scripted(found)), SCENE, [track_at(*PLACE, px=120)])) == there


def lying(track: Track) -> Track:
    """The same face with its chin to the right."""
    middle = (track.box[:2] + track.box[2:]) / 2
    mesh = track.landmarks.copy()
    mesh[:, :2] = middle + (track.landmarks[:, :2] - middle) @ np.array([[0, -1], [1, 0]], np.float32)
    return replace(track, landmarks=mesh, box=box_of(mesh))


@pytest.mark.parametrize(
    ("found", "there"),
    [
        ((0.7, 0.3, 0.6, LEAST_BELOW - 0.02), False),  # a hand at the chin
        ((0.7, 0.3, 0.6, LEAST_BELOW + 0.02), True),
        ((0.2, 0.7, 0.6, LEAST_SCORE + 0.02), True),  # beside the cheek
    ],
)
def test_of_who_lies_on_their_side_the_chest_is_where_the_chin_points(found: tuple[float, ...], there: bool) -> None:
    """A film of somebody who signs, turned by a quarter, was covered in 50 of 60 frames."""
    track = lying(track_at(*PLACE, px=120))
    assert bool(look(Neighbours(Scripted(found)), SCENE, [track])) == there


def test_beside_somebody_one_more_is_found_sooner() -> None:
    """Two who look out on both sides of a head."""
    faint = (-0.6, -0.3, 0.9, ONE_MORE + 0.02)
    track = track_at(*PLACE, px=120)
    assert look(Neighbours(Scripted(faint)), SCENE, [track]) == ()
    assert len(look(Neighbours(Scripted(faint, (0.6, -0.3, 0.9, 0.8))), SCENE, [track])) == 2


@pytest.mark.parametrize(
    ("at", "size", "score", "there"),
    [
        ((-1.8, 0.0), 1.2, EVERYWHERE + 0.02, True),  # a large head that lies beside a clear one
        ((-1.8, 0.0), 1.2, EVERYWHERE - 0.02, False),
        ((-1.8, 0.0), AS_LARGE - 0.1, 0.95, False),  # leaves and cars: the second detector's
        ((-0.6, 0.55), 1.1, EVERYWHERE + 0.02, False),  # long hair on a shoulder, as in the demo
        ((-0.5, 0.0), 1.1, 0.95, False),  # the face's own head
        ((0.0, 1.8), 1.1, LEAST_BELOW + 0.02, True),
    ],
)
def test_who_counts_in_the_whole_picture(at: tuple[float, float], size: float, score: float, there: bool) -> None:
    """``at``: from the face's middle; ``size``: both in faces."""
    track, small = track_at(*PLACE, px=120), reduced(SCENE)
    x1, y1, x2, y2 = box_of(track.landmarks)
    middle, face = np.array([(x1 + x2) / 2, (y1 + y2) / 2]), max(x2 - x1, y2 - y1)
    scale = np.tile(np.divide(SCENE.shape[1::-1], small.shape[1::-1]), 2).astype(np.float32)

    class One(HeadModel):
        def __init__(self) -> None: ...

        def find(self, picture: Image, threshold: float) -> np.ndarray:
            centre, half = middle + np.array(at) * face, size * face / 2
            row = [*(np.array([*(centre - half), *(centre + half)]) / scale), score]
            return np.array([row] if score > threshold else [], np.float32).reshape(-1, 5)

    assert bool(Neighbours(One()).look_everywhere(small, [track], scale)) == there


@pytest.mark.parametrize(("away", "there"), [(0.7, False), (-0.7, True)])
def test_another_swapped_face_is_not_somebody_else(away: float, there: bool) -> None:
    """It is painted out as well, and may still look like a head."""
    tracks = [track_at(*PLACE, px=120), track_at(PLACE[0] + 84, PLACE[1], px=120, id=2)]
    assert bool(look(Neighbours(Scripted((away, 0.0, 1.0, 0.9))), SCENE, tracks)) == there


def test_one_face_a_frame_is_looked_around_in_turns() -> None:
    tracks = [track_at(300 * n, 300, px=90, id=n) for n in (1, 2, 3)]
    model = Scripted((0.6, -0.3, 0.9, 0.9))
    watch = Neighbours(model)
    assert [len(look(watch, SCENE, tracks)) for _ in range(4)] == [1, 2, 3, 3]
    assert len(look(watch, SCENE, tracks[1:])) == 2, "who is gone is forgotten"
    assert len(model.pictures) == 3


def test_surroundings_that_stay_are_looked_at_now_and_then() -> None:
    watch, track = Neighbours(model := Scripted((0.6, -0.3, 0.9, 0.3))), track_at(*PLACE, px=120)
    for _ in range(2 * (MOST_SKIPPED + 1)):
        look(watch, SCENE, [track])
    assert len(model.pictures) == 2


@pytest.mark.parametrize(("away", "runs"), [(0.0, 1), (0.9, 2), (4.0, 1)])
def test_what_changes_around_a_face_is_looked_at_in_the_same_frame(away: float, runs: int) -> None:
    """``away``: how far to the left of the face's middle, in faces; the face itself may change."""
    watch, track = Neighbours(model := Scripted((0.6, -0.3, 0.9, 0.3))), track_at(*PLACE, px=120)
    look(watch, PHOTO, [track])
    changed, x = PHOTO.copy(), round(PLACE[0] - 120 * away)
    changed[370:420, x - 25 : x + 25] = 255 - changed[370:420, x - 25 : x + 25]
    look(watch, changed, [track])
    assert len(model.pictures) == runs


@pytest.mark.parametrize(("score", "runs"), [(UNSURE - 0.05, 1), (UNSURE + 0.05, 2), (0.9, 2)])
def test_smaller_changes_count_where_somebody_may_be(score: float, runs: int) -> None:
    watch, track = Neighbours(model := Scripted((0.6, -0.3, 0.9, score))), track_at(*PLACE, px=120)
    look(watch, PHOTO, [track])
    changed = PHOTO.copy()
    changed[370:420, 570:620] += np.uint8(0.25 * PHOTO.std())
    assert len(look(watch, changed, [track])) == (score > LEAST_SCORE)
    assert len(model.pictures) == runs


def test_nothing_is_looked_at_without_faces_or_outside_the_frame() -> None:
    watch = Neighbours(model := Scripted((0.6, -0.3, 0.9, 0.9)))
    assert look(watch, SCENE, []) == ()
    assert look(watch, SCENE, [track_at(-900, -900, px=60)]) == ()
    assert model.pictures == []


@pytest.mark.parametrize("px", [60, 260])
def test_the_reduced_picture_shows_the_same(px: int) -> None:
    models, track = (Scripted((0.6, -0.3, 0.9, 0.9)), Scripted((0.6, -0.3, 0.9, 0.9))), track_at(*PLACE, px=px)
    heads = [
        look(Neighbours(model), PHOTO, [track], small)[0]
        for model, small in zip(models, (PHOTO, reduced(PHOTO)), strict=True)
    ]
    np.testing.assert_array_equal(heads[0].box, heads[1].box)
    first, second = (model.pictures[0].astype(float) for model in models)
    assert np.abs(first - second).mean() < 0.1 * first.std()


@pytest.mark.parametrize("side", [20.0, 95.0, 300.0, 1500.0, 5000.0])
def test_squares_of_any_size(side: float) -> None:
    square = around(SCENE, np.array([600, 300], np.float32), np.array([side, side]))
    assert square is not None
    assert square.shape == (SIDE, SIDE, 3)
    assert 85 < square.mean() < 115
    assert around(SCENE, np.array([np.nan, 0], np.float32), np.array([side, side])) is None
