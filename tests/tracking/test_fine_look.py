"""Small heads that the reduced picture is too coarse for, and how often those that are none are looked at closely."""

from __future__ import annotations

import numpy as np
import pytest
from people import face_models
from staged_scenes import PEOPLE, Pose, draw, room

from rtswap.core.types import Box, Image
from rtswap.networks.heads import HeadModel
from rtswap.tracking.close_look_queue import MOST, MOST_AT_FIRST, PATIENCE, CloseLookQueue
from rtswap.tracking.fine_look import FineLook
from rtswap.tracking.lookout import Sentinel
from rtswap.tracking.reduced_picture import reduced

SIZE = (1280, 720)


def afar(number: int, at: tuple[float, float] = (0.1, 0.3), px: float = 16) -> tuple[Image, tuple[float, float]]:
    """A room, somebody 16 px wide in it, and where."""
    picture = room(number, SIZE).copy()
    draw(picture, Pose(PEOPLE[number], at, px))
    return picture, (at[0] * SIZE[0], at[1] * SIZE[1])


def holds(box: Box, point: tuple[float, float]) -> bool:
    return bool((box[:2] <= point).all() and (box[2:] >= point).all())


def scale_of(picture: Image) -> np.ndarray:
    small = reduced(picture).shape[1::-1]
    return np.tile(np.divide(picture.shape[1::-1], small), 2).astype(np.float32)


def watcher() -> Sentinel:
    models = face_models()
    return Sentinel(models.heads, models.neighbours, models.close_ups)


def test_most_faces_of_sixteen_pixels_are_seen_in_the_first_frame() -> None:
    """Half of them were not."""
    seen = 0
    for number in range(12):
        picture, where = afar(number)
        seen += any(holds(head.box, where) for head in watcher().look(picture).heads)
    assert seen >= 11


@pytest.mark.parametrize("at", [(0.1, 0.3), (0.9, 0.3), (0.1, 0.8), (0.9, 0.8), (0.5, 0.5)])
def test_all_of_the_picture_is_looked_at_within_four_looks(at: tuple[float, float]) -> None:
    fine, (picture, where) = FineLook(face_models().heads), afar(3, at, 22)
    scale = scale_of(picture)
    fine.look(room(3, SIZE), scale)
    found = [row[:4] * scale for _ in range(4) for row in fine.look(picture, scale)]
    assert any(holds(box, where) for box in found)


def test_what_was_confirmed_is_known_until_its_quarter_is_looked_at_again() -> None:
    fine, empty = FineLook(face_models().heads), room(3, SIZE)
    scale = scale_of(empty)
    fine.look(empty, scale)
    fine.seen = np.array([[290, 150, 296, 156, 0.9]], np.float32)
    assert [len(fine.look(empty, scale)) for _ in range(4)] == [1, 1, 1, 0]


def test_a_picture_that_was_not_reduced_is_not_looked_at_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HeadModel, "find", None)
    picture = np.zeros((160, 288, 3), np.uint8)
    assert len(FineLook(face_models().heads).look(picture, scale_of(picture))) == 0


@pytest.mark.parametrize("size", [(1, 5000), (5000, 1), (2, 3000), (33, 700), (1, 1)])
def test_the_thinnest_pictures_are_looked_at(size: tuple[int, int]) -> None:
    """Half of one column is none."""
    fine, picture = FineLook(face_models().heads), np.random.default_rng(1).integers(0, 256, (*size, 3), np.uint8)
    for _ in range(6):
        assert fine.look(picture, scale_of(picture)).shape[1] == 5


def square(x: float, y: float, side: float = 40) -> Box:
    return np.array([x, y, x + side, y + side], np.float32)


def test_new_heads_come_first_and_many_in_the_first_frame() -> None:
    queue, boxes = CloseLookQueue(), [square(100 * n, 0) for n in range(12)]
    scores = [0.2 + n / 100 for n in range(12)]
    first = queue.choose(boxes, scores)
    assert first == list(range(11, 11 - MOST_AT_FIRST, -1))
    for row in first:
        queue.add(boxes[row], scores[row], 0.1)
    assert queue.choose(boxes, scores) == [2, 1, 0][:MOST]


def test_a_hand_that_moves_waits_until_it_looks_more_like_a_head() -> None:
    queue = CloseLookQueue()
    assert queue.choose([square(0, 0)], [0.4]) == [0]
    queue.add(square(0, 0), 0.4, 0.1)
    for step in range(1, PATIENCE - 1):
        assert queue.choose([square(20 * step, 0)], [0.4]) == []
    assert queue.choose([square(20 * PATIENCE, 0)], [0.55]) == [0]


def test_what_was_no_head_is_looked_at_again_after_a_while() -> None:
    queue = CloseLookQueue()
    queue.choose([square(0, 0)], [0.4])
    queue.add(square(0, 0), 0.4, 0.1)
    assert [queue.choose([square(0, 0)], [0.4]) for _ in range(PATIENCE)] == [[]] * (PATIENCE - 1) + [[0]]


def test_what_may_be_a_head_is_looked_at_in_turns() -> None:
    queue, boxes = CloseLookQueue(), [square(0, 0), square(200, 0)]
    for row in queue.choose(boxes, [0.5, 0.4]):
        queue.add(boxes[row], 0.5, 0.7)
    looked = []
    for _ in range(4):
        (row,) = queue.choose(boxes, [0.5, 0.4])
        queue.add(boxes[row], 0.5, 0.7)
        looked.append(row)
    assert sorted(looked) == [0, 0, 1, 1]


def test_what_is_gone_is_forgotten() -> None:
    queue = CloseLookQueue()
    queue.add(square(0, 0), 0.4, 0.1)
    for _ in range(PATIENCE + 1):
        queue.choose([], [])
    assert queue.is_new
