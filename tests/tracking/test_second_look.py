"""The second look of the second detector: equalised, closer, by both networks."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from face_stream import track_at

from rtswap.core.types import Image
from rtswap.networks.heads import HeadModel
from rtswap.tracking.lookout import SHADE_EVERY, Sentinel
from rtswap.tracking.neighbours import SIDE
from rtswap.tracking.second_look import CLOSE_UP, SecondLook, equalised

HEAD = 96, 64, 160, 128
"""``x1 y1 x2 y2`` in the reduced picture of 320 x 192."""


class Contrasted(HeadModel):
    """Finds a head where the middle of ``HEAD`` has a contrast of 25 levels."""

    def __init__(self, score: float = 0.95) -> None:
        self._score = score
        self.pictures = 0

    def find(self, picture: Image, threshold: float) -> np.ndarray:
        self.pictures += 1
        x1, y1, x2, y2 = HEAD
        clear = picture.shape[:2] == (192, 320) and picture[y1 + 16 : y2 - 16, x1 + 16 : x2 - 16].std() > 25
        found = np.array([[*HEAD, self._score]] if clear else [], np.float32).reshape(-1, 5)
        return found[found[:, 4] > threshold]


class AnyContrast(HeadModel):
    """Finds a head at ``HEAD`` in every picture."""

    def __init__(self) -> None:
        pass

    def find(self, picture: Image, threshold: float) -> np.ndarray:
        return np.array([[*HEAD, 0.95]], np.float32)


def against_light(contrast: float, size: tuple[int, int] = (320, 192)) -> Image:
    """A bright wall, and before it somebody dark."""
    image = np.full((192, 320, 3), 235, np.uint8)
    image[:, 160:] = 205
    x1, y1, x2, y2 = HEAD
    face = np.random.default_rng(4).uniform(0, 255, (8, 8, 3)).astype(np.float32)
    image[y1:y2, x1:x2] = 20 + contrast * cv2.resize(face, (x2 - x1, y2 - y1), interpolation=cv2.INTER_CUBIC).clip(
        0, 255
    )
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), np.uint8)


@pytest.mark.parametrize("contrast", [0.04, 0.1, 0.25])
def test_whoever_stands_against_the_light_is_found_where_both_networks_agree(contrast: float) -> None:
    image = against_light(contrast)
    assert len(Contrasted().find(image, 0.3)) == 0, "as it is, nobody can be seen"
    for first, second, found in [(0.95, 0.95, 1), (0.95, 0.4, 0), (0.4, 0.95, 0)]:
        assert len(Sentinel(Contrasted(first), Contrasted(second), Contrasted(first)).look(image).heads) == found


def test_who_comes_in_against_the_light_is_doubted() -> None:
    """In glare a face that came in was bare for three frames: only what is seen without equalising was doubted."""
    unsure = Contrasted(0.5)
    watch, image = Sentinel(unsure, unsure, unsure), against_light(0.1)
    empty = image.copy()
    empty[:, :160], empty[:, 160:] = 235, 205
    watch.look(empty)
    assert watch.look(image).heads == ()
    assert len(watch.look_beside(image, []).beside) == 1


def test_a_place_with_the_contrast_of_the_picture_is_not_equalised() -> None:
    """Walls and leaves that are would look like heads."""
    image = against_light(1.0)
    assert len(SecondLook(Contrasted(), Contrasted(), Contrasted()).in_shade(image)) == 0


@pytest.mark.parametrize("axis", [0, 1])
def test_the_slope_of_the_light_is_no_contrast_of_a_face(axis: int) -> None:
    """A lamp beside the camera: the face keeps a tenth of its contrast, under a slope of a third of the picture's."""
    image = against_light(0.1).astype(np.float32)
    (x1, y1, x2, y2), slope = HEAD, np.linspace(0, 160, 64, dtype=np.float32)
    image[y1:y2, x1:x2] += (slope[:, None] if axis == 0 else slope[None])[..., None]
    glare = image.clip(0, 255).astype(np.uint8)
    assert len(SecondLook(AnyContrast(), AnyContrast(), AnyContrast()).in_shade(glare)) == 1


def test_equalising_raises_dim_contrast_and_keeps_colours() -> None:
    image = against_light(0.05)
    even, (x1, y1, x2, y2) = equalised(image), HEAD
    before, after = (picture[y1:y2, x1:x2].astype(float) for picture in (image, even))
    assert after.std() > 5 * before.std()
    assert even.shape == image.shape
    grey = np.repeat(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)[..., None], 3, axis=2)
    assert np.ptp(equalised(grey), axis=2).max() <= 1


@pytest.mark.parametrize(
    ("face", "found"), [((80, 40, 220, 180), 0), ((100, 60, 160, 130), 1), ((200, 40, 300, 180), 1)]
)
def test_the_nose_and_mouth_of_a_dark_face_are_no_head_in_shade(face: tuple[int, ...], found: int) -> None:
    """Equalised they look like one: people with dark skin were blurred while they were swapped."""
    watch, image = Sentinel(Contrasted(), Contrasted(), Contrasted()), against_light(0.1)
    for number in range(SHADE_EVERY):
        image[-30:, -30:] = 60 * (number % 2)
        seen = watch.look(image, [np.array(face, np.float32)])
    assert len(seen.heads) == found


def test_beside_a_swapped_face_shade_is_looked_into_in_turn_and_nobody_there_is_forgotten_between() -> None:
    first, settled = Contrasted(), [np.array([1100, 50, 1200, 150], np.float32)]
    watch = Sentinel(first, Contrasted(), first)
    image = against_light(0.1, (1280, 768))
    looks = 2 * SHADE_EVERY
    heads = []
    for number in range(looks):
        image[-100:, -100:] = 60 * (number % 2)
        heads.append(len(watch.look(image, settled).heads))
    seen = heads.index(1)
    assert seen < SHADE_EVERY
    assert all(heads[seen:])
    assert first.pictures <= 2 * looks + 2, "in the reduced picture, and in a quarter of the finer one"


class OffCentre(HeadModel):
    """Finds the white spot of a close-up, the surer the nearer to its middle it is and the nearer its size is to
    ``CLOSE_UP`` heads a square."""

    def __init__(self) -> None:
        self.looks = 0

    def find(self, picture: Image, threshold: float) -> np.ndarray:
        self.looks += 1
        rows, columns = np.nonzero(picture[..., 1] > 200)
        if not len(rows):
            return np.zeros((0, 5), np.float32)
        x1, y1, x2, y2 = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
        off = abs(x1 + x2 - SIDE) / SIDE + abs((x2 - x1) * CLOSE_UP / SIDE - 1)
        found = np.array([[x1, y1, x2, y2, 1 - 0.5 * off]], np.float32)
        return found[found[:, 4] > threshold]


@pytest.mark.parametrize(("box", "least", "looks"), [((90, 70, 150, 130), 0.9, 3), ((50, 30, 150, 130), 0.9, 6)])
def test_a_place_that_is_told_coarsely_is_looked_at_again_where_the_head_says_that_it_is(
    box: tuple[int, ...], least: float, looks: int
) -> None:
    image = np.zeros((400, 600, 3), np.uint8)
    image[70:130, 90:150] = 255
    one, other = OffCentre(), OffCentre()
    assert (
        SecondLook(one, other, one).closely(image, np.array(box, np.float32), least, shade=False, again=0.03) >= least
    )
    assert one.looks + other.looks == looks


def test_a_hopeless_place_is_looked_at_once() -> None:
    one, other = Contrasted(), Contrasted()
    image = np.random.default_rng(1).integers(0, 255, (400, 600, 3), np.uint8)
    assert (
        SecondLook(one, other, one).closely(
            image, np.array([90, 70, 150, 130], np.float32), 0.9, shade=False, again=0.03
        )
        == 0
    )
    assert one.pictures + other.pictures == 1


def test_further_looks_must_be_surer_than_the_first() -> None:
    """Of several one is high more easily."""
    image = np.zeros((400, 600, 3), np.uint8)
    image[70:130, 90:150] = 255
    place = np.array([50, 30, 150, 130], np.float32)
    for again, least, expected in ((0.1, 0.9, 0.9), (0.1, 0.95, 0.72), (np.inf, 0.9, 0.72)):
        one, other = OffCentre(), OffCentre()
        best = SecondLook(one, other, one).closely(image, place, least, shade=False, again=again)
        assert best == pytest.approx(expected, abs=0.03)
        assert (one.looks + other.looks > 3) == (expected > 0.8), "none that could not be enough"


class Held(HeadModel):
    """Finds a head of half a face in the middle of a close-up."""

    def __init__(self, score: float) -> None:
        self._score = score

    def find(self, picture: Image, threshold: float) -> np.ndarray:
        return np.array([[35, 35, 93, 93, self._score]], np.float32)


@pytest.mark.parametrize(("hidden", "score", "found"), [(0.3, 0.95, True), (0.1, 0.95, False), (0.3, 0.5, False)])
def test_a_head_is_looked_for_in_what_hides_a_followed_face(hidden: float, score: float, found: bool) -> None:
    track = track_at(300, 200, px=140)
    track.visibility[: round(hidden * 468)] = 0
    image = np.random.default_rng(1).integers(0, 255, (400, 600, 3), np.uint8)
    head = SecondLook(Held(score), Held(score), Held(score)).held_before(image, track, 0.87)
    assert (head is not None) == found
    if head is not None:
        middle = track.landmarks[: round(hidden * 468), :2].mean(axis=0)
        np.testing.assert_allclose((head.box[:2] + head.box[2:]) / 2, middle, atol=2)
        assert 0.3 < (head.box[2] - head.box[0]) / (track.box[2:] - track.box[:2]).max() < 0.7
