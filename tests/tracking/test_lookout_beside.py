"""The second detector around followed faces: whom they hide, and what only they make look like a head."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from face_stream import track_at
from fake_heads import FromAfar, Marked, scene

from rtswap.core.types import Image
from rtswap.networks.heads import HeadModel
from rtswap.tracking.lookout import CONFIRMED, CONFIRMED_BEFORE, FAINT, MOST_SKIPPED, Sentinel
from rtswap.tracking.neighbours import SIDE

pytestmark = pytest.mark.usefixtures("coarse")


class Beside(HeadModel):
    """Finds somebody at (x, y) = (60, 50) in the reduced picture, as large as that, but not beside a clear face."""

    def __init__(self) -> None:
        self.pictures: list[Image] = []

    def find(self, picture: Image, threshold: float) -> np.ndarray:
        if picture.shape[0] == SIDE:
            return np.zeros((0, 5), np.float32)
        self.pictures.append(picture.copy())
        clear = (picture == CLEAR).all(axis=2).any()
        return np.array([] if clear else [[30, 20, 90, 80, 0.8]], np.float32).reshape(-1, 5)


CLEAR = np.array([0, 0, 255], np.uint8)


@pytest.mark.parametrize(("at", "found"), [((900, 400), 1), ((240, 190), 0)])
def test_whoever_a_clear_face_hides_is_found_in_the_whole_picture(at: tuple[int, int], found: int) -> None:
    """Unless that is the face itself. ``at``: the middle of a followed face."""
    image, track = scene(1, (1280, 720)), track_at(*at, px=140)
    x1, y1, x2, y2 = track.box.astype(int)
    image[y1 + 30 : y2 - 30, x1 + 30 : x2 - 30] = CLEAR
    watch = Sentinel(HeadModel(Marked()), beside := Beside(), beside)
    for _ in range(2 * (MOST_SKIPPED + 1)):
        watch.look(image, [track.box])
        heads = watch.look_beside(image, [track]).beside
        assert len(heads) == found
        if found:
            np.testing.assert_allclose(heads[0].box, [120, 75, 360, 300], atol=1)
    assert len(beside.pictures) == 2, "as often as the whole picture is looked at"
    assert watch.look_beside(image, []).beside == ()


class Ears(FromAfar):
    """Confirms a head closely wherever a part of a ``CLEAR`` face can be seen beside it."""

    def find(self, picture: Image, threshold: float) -> np.ndarray:
        found = super().find(picture, threshold)
        is_close_up = picture.shape[:2] == (SIDE, SIDE)
        return found[:0] if is_close_up and not (picture == CLEAR).all(axis=2).any() else found


@pytest.mark.usefixtures("lit")
@pytest.mark.parametrize(
    ("model", "at", "score"),
    [(Ears, (262, 272), FAINT), (FromAfar, (262, 272), 0.95), (Ears, (900, 400), FAINT + 0.05)],
    ids=["an ear", "somebody else", "nobody"],
)
def test_what_looks_like_a_head_only_because_of_the_face_beside_it_is_none(
    model: type[FromAfar], at: tuple[int, int], score: float
) -> None:
    """A close look confirms it in the first frame, in which nobody is followed; then the followed face is painted
    out. ``at``: the middle of that face; the head lies around (192, 272)."""
    image, track = scene(1, (1280, 720)), track_at(*at, px=90)
    cv2.fillConvexPoly(image, cv2.convexHull(track.landmarks[:, :2].astype(np.int32)), CLEAR.tolist())
    watch = Sentinel(close := model(0.95), close, close)
    (head,) = watch.look(image).heads
    assert (head.score > CONFIRMED) == (at[0] < 900)
    for _ in range(MOST_SKIPPED):
        (head,) = watch.look_beside(image, [track]).heads
        assert head.score == pytest.approx(score)
        looks = close.close_ups
        watch.look(image, [track.box])
    assert close.close_ups == looks, "once per look"


@pytest.mark.usefixtures("lit")
@pytest.mark.parametrize(
    ("settled", "score"), [([100, 60, 310, 310], CONFIRMED), ([700, 60, 910, 310], FAINT + 0.05)]
)
def test_before_a_swapped_face_less_confirms_a_head(settled: list[float], score: float) -> None:
    """The swap ends where something is before the face, and would show it."""
    model = FromAfar((CONFIRMED_BEFORE + CONFIRMED) / 2)
    (head,) = Sentinel(model, model, model).look(scene(1, (1280, 720)), [np.array(settled, np.float32)]).heads
    assert head.score == pytest.approx(score)
