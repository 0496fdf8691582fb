"""Glasses stay on: the mask opens where the network sees frames, steadily, at any size, and it looks seldom at people
who wear none."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from occluded_target import FixedAnswer, H, W, mesh, swapped_face, target

from rtswap.compositing.finishes.glasses import RARELY_S, GlassesMask
from rtswap.core.errors import ModelError
from rtswap.core.types import Points, Quality, SwappedFace, Target, Tensor
from rtswap.networks.glasses import EYES_Y, HEIGHT, SHRINK, WIDTH, GlassesModel, place
from rtswap.vision.crops import cut
from rtswap.vision.geometry import inverse, transform

RIM = (60, 44), 26
"""Middle and radius of a lens in the strip."""


def rim(strength: float = 1.0, width: int = 2) -> Tensor:
    """What the network says of one round lens."""
    drawn = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.circle(drawn, RIM[0], RIM[1], 255, width, cv2.LINE_AA)
    return np.asarray(drawn * np.float32(strength / 255))[None]


def none() -> Tensor:
    return np.zeros((1, HEIGHT, WIDTH), np.float32)


def finish(said: Callable[[], Tensor], every_s: float = 0.0) -> GlassesMask:
    return GlassesMask(GlassesModel(FixedAnswer(lambda: {"frames": said()})), every_s)


def in_crop(points: list[tuple[float, float]], landmarks: Points) -> np.ndarray:
    """(x, y) places of the strip in the crop, whole pixels."""
    matrix = place(landmarks)
    assert matrix is not None
    return np.round(transform(inverse(matrix), np.array(points, np.float32))).astype(int)


def test_frames_stay_and_what_a_lens_shows_is_swapped() -> None:
    face = target()
    mask = finish(rim).apply(swapped_face(), face, Quality()).mask
    (left, right), (lens, below) = (
        in_crop([(34, 44), (86, 44)], face.landmarks), in_crop([(60, 44), (60, 90)], face.landmarks)
    )  # fmt: skip
    assert mask[left[1], left[0]] < 60
    assert mask[right[1], right[0]] < 60
    assert mask[lens[1], lens[0]] == mask[below[1], below[0]] == 255


def test_specks_and_faint_answers_are_no_glasses() -> None:
    speck, scrap = none(), none()
    speck[0, 40:43, 60:63] = scrap[0, 30:34, 60:80] = 1
    for said in (speck, scrap, rim(0.15)):
        assert finish(lambda said=said: said).apply(swapped_face(), target(), Quality()).mask.min() == 255


@pytest.mark.parametrize("said", [np.ones, lambda shape: np.full(shape, 0.7)], ids=["ones", "0.7"])
def test_an_answer_that_hides_half_of_the_strip_shows_nothing_of_the_target(said: Callable[..., np.ndarray]) -> None:
    """A broken network would leave the eyes bare."""
    answer = said((1, HEIGHT, WIDTH)).astype(np.float32)
    assert finish(lambda: answer).apply(swapped_face(), target(), Quality()).mask.min() == 255


@pytest.mark.parametrize("degrees", [0, 90, 155, -60])
def test_the_strip_is_upright_around_the_eyes(degrees: float) -> None:
    turn = cv2.getRotationMatrix2D((W / 2, H / 2), degrees, 1.0)
    points = mesh()
    points[:, :2] = points[:, :2] @ turn[:, :2].T + turn[:, 2]
    image = np.zeros((H, W, 3), np.uint8)
    for corner in points[[33, 263], :2]:
        cv2.circle(image, np.round(corner).astype(int).tolist(), 3, (255, 255, 255), -1)
    matrix = place(points)
    assert matrix is not None
    strip = cut(image, matrix, WIDTH, SHRINK)[:HEIGHT, :, 0]
    count, _, _, middles = cv2.connectedComponentsWithStats((strip > 100).astype(np.uint8))
    assert count == 3
    assert middles[1:, 1] == pytest.approx([EYES_Y, EYES_Y], abs=3)
    assert sorted(middles[1:, 0]) == pytest.approx([WIDTH * 0.29, WIDTH * 0.71], abs=14)


def test_it_looks_seldom_at_people_without_glasses_and_as_often_as_allowed_at_others() -> None:
    looks: dict[str, int] = {}
    for name, said in (("without", none), ("with", rim)):
        asked: list[int] = []

        def count(said: Callable[[], Tensor] = said, asked: list[int] = asked) -> Tensor:
            asked.append(1)
            return said()

        step = finish(count)
        for frame in range(61):
            step.apply(swapped_face(), target(time_s=frame / 30), Quality())
        looks[name] = len(asked)
    assert looks["with"] == 61
    assert looks["without"] == pytest.approx(2 / RARELY_S, abs=1.1)


def test_glasses_that_are_put_on_are_seen_and_those_taken_off_are_forgotten() -> None:
    worn = [False]
    step = finish(lambda: rim() if worn[0] else none())

    def least(time_s: float) -> int:
        return int(step.apply(swapped_face(), target(time_s=time_s), Quality()).mask.min())

    assert least(0.0) == 255
    worn[0] = True
    assert least(RARELY_S) < 60
    worn[0] = False
    assert [least(RARELY_S + 0.03 * k) for k in range(1, 12)][-1] == 255
    step.forget(1)
    worn[0] = True
    assert least(1.0) < 60, "a new track is looked at at once"


def test_small_faces_lose_the_same_share_wherever_they_are() -> None:
    """A rim of a third of a pixel, moved by parts of a pixel: it neither vanishes nor flickers."""
    left = []
    for step in range(8):
        points = mesh(48, 60) + np.array([step / 8, step / 11, 0], np.float32)
        crop = np.zeros((60, 48, 3), np.uint8)
        face = Target(1, crop, points, np.ones(468, np.float32), 0.0)
        mask = np.full((60, 48), 255, np.uint8)
        found = finish(rim).apply(SwappedFace(crop, mask), face, Quality()).mask
        left.append(float((255 - found.astype(float)).sum()))
    assert min(left) > 0
    assert max(left) < 1.15 * min(left)


@pytest.mark.parametrize(
    "wrong", [np.zeros((1, 3, 3), np.float32), np.full((1, HEIGHT, WIDTH), np.nan, np.float32)], ids=["shape", "NaN"]
)
def test_a_wrong_answer_is_an_error(wrong: Tensor) -> None:
    with pytest.raises(ModelError, match="glasses network"):
        finish(lambda: wrong).apply(swapped_face(), target(), Quality())
