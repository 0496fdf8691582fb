"""Finding faces, as a user would judge it: on a public-domain photo, and on what holds none."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data

from rtswap.core.errors import EngineError
from rtswap.core.types import Image, Points, Tensor
from rtswap.engines.openvino import OpenVinoEngine
from rtswap.networks.registry import Registry
from rtswap.tracking.detector import MtcnnDetector

ASTRONAUT = np.ascontiguousarray(data.astronaut()[..., ::-1])
KEYPOINTS = np.array([[202, 101], [246, 103], [223, 125], [203, 140], [245, 140]], np.float32)
"""Eye centres, nose tip and mouth corners of that photo, marked by hand to about 3 px."""
FACE_PX = 105
"""Height of that face's box."""


@pytest.fixture(scope="module")
def networks() -> list[OpenVinoEngine]:
    registry = Registry()
    return [OpenVinoEngine(registry.path(name)) for name in ("pnet", "rnet", "onet")]


@pytest.fixture(scope="module")
def detector(networks: list[OpenVinoEngine]) -> MtcnnDetector:
    return MtcnnDetector(*networks)


def scene(face_px: float, turn_deg: float = 0, at: tuple[float, float] = (640, 360)) -> tuple[Image, Points]:
    """The astronaut's photo in a grey 1280 x 720 frame, its face so large, turned and placed; and its keypoints."""
    scale = face_px / FACE_PX
    centre = KEYPOINTS.mean(axis=0)
    matrix = cv2.getRotationMatrix2D((float(centre[0]), float(centre[1])), turn_deg, scale)
    matrix[:, 2] += np.array(at) - centre
    photo = cv2.GaussianBlur(ASTRONAUT, (0, 0), 0.4 / scale) if scale < 0.7 else ASTRONAUT
    image = np.full((720, 1280, 3), 90, np.uint8)
    cv2.warpAffine(photo, matrix, (1280, 720), dst=image, borderMode=cv2.BORDER_TRANSPARENT)
    return image, (KEYPOINTS @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)


def off(found: Points, expected: Points) -> float:
    """Mean distance in distances between the eyes."""
    eyes = np.linalg.norm(expected[0] - expected[1])
    return float(np.linalg.norm(found - expected, axis=1).mean() / eyes)


@pytest.mark.parametrize("face_px", [62, 80, 130, 250, 420])
@pytest.mark.parametrize("turn_deg", [-25, 0, 25])
def test_the_one_face_is_found_at_any_size_and_tilt(detector: MtcnnDetector, face_px: int, turn_deg: int) -> None:
    image, keypoints = scene(face_px, turn_deg)
    found = detector.detect(image)
    assert len(found) == 1
    assert found[0].score > 0.9
    assert off(found[0].keypoints, keypoints) < 0.12
    x1, y1, x2, y2 = found[0].box
    assert (keypoints > (x1, y1)).all()
    assert (keypoints < (x2, y2)).all()
    assert 0.7 * face_px < y2 - y1 < 1.5 * face_px


def test_keypoints_come_as_the_image_shows_them(detector: MtcnnDetector) -> None:
    """Left eye, right eye, nose, left and right mouth corner: also in a mirrored picture."""
    for image in (ASTRONAUT, np.ascontiguousarray(ASTRONAUT[:, ::-1])):
        left_eye, right_eye, nose, left_mouth, right_mouth = detector.detect(image)[0].keypoints
        assert left_eye[0] < nose[0] < right_eye[0]
        assert left_mouth[0] < right_mouth[0]
        assert left_eye[1] < nose[1] < left_mouth[1]


def test_every_face_of_several_is_found(detector: MtcnnDetector) -> None:
    image = np.full((720, 1280, 3), 90, np.uint8)
    places = ((60, 40), (470, 300), (880, 100))
    for x, y in places:
        image[y : y + 400, x : x + 380] = ASTRONAUT[:400, 60:440]
    found = sorted(detector.detect(image), key=lambda face: face.box[0])
    assert len(found) == 3
    for face, place in zip(found, places, strict=True):
        assert off(face.keypoints, KEYPOINTS + np.array(place) - (60, 0)) < 0.1


def test_best_score_first(detector: MtcnnDetector) -> None:
    image = np.full((720, 1280, 3), 90, np.uint8)
    image[100:500, 100:480] = ASTRONAUT[:400, 60:440]
    image[100:500, 700:1080] = cv2.GaussianBlur(ASTRONAUT[:400, 60:440], (0, 0), 6)
    scores = [face.score for face in detector.detect(image)]
    assert len(scores) == 2
    assert scores == sorted(scores, reverse=True)


def test_a_face_that_hangs_over_the_border_is_found(detector: MtcnnDetector) -> None:
    image, keypoints = scene(300, at=(90, 360))
    found = detector.detect(image)
    assert len(found) == 1
    assert off(found[0].keypoints, keypoints) < 0.15


def test_smaller_faces_than_asked_for_are_left_alone(networks: list[OpenVinoEngine]) -> None:
    image, _ = scene(60)
    (face,) = MtcnnDetector(*networks, min_face_px=40).detect(image)
    assert not MtcnnDetector(*networks, min_face_px=int(2.1 * np.ptp(face.box[1::2]))).detect(image), "as --help says"


def test_a_picture_as_large_as_the_smallest_face_is_no_fault_of_the_network(networks: list[OpenVinoEngine]) -> None:
    """P-Net has one window there, so one score."""
    assert MtcnnDetector(*networks, min_face_px=35).detect(ASTRONAUT[:36, :36]) == []


def test_a_face_may_be_small_in_a_large_picture_when_max_side_allows(networks: list[OpenVinoEngine]) -> None:
    image, _ = scene(60)
    large = cv2.copyMakeBorder(image, 700, 700, 1300, 1300, cv2.BORDER_CONSTANT, value=(90, 90, 90))
    assert not MtcnnDetector(*networks, max_side=256).detect(large)
    assert len(MtcnnDetector(*networks, max_side=1200).detect(large)) == 1


TEXTURES = ("brick", "grass", "gravel", "coffee", "coins", "moon", "page", "text", "clock", "chelsea", "checkerboard")


@pytest.mark.parametrize("name", TEXTURES)
def test_nothing_is_seen_where_there_is_no_face(detector: MtcnnDetector, name: str) -> None:
    texture = getattr(data, name)()
    texture = (
        cv2.cvtColor(texture, cv2.COLOR_GRAY2BGR) if texture.ndim == 2 else np.ascontiguousarray(texture[..., 2::-1])
    )
    assert detector.detect(texture) == []
    assert detector.detect(cv2.resize(texture, (1280, 720))) == []


@pytest.mark.parametrize("sigma", [0, 2, 6])
def test_nothing_is_seen_in_noise(detector: MtcnnDetector, sigma: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (720, 1280, 3), dtype=np.uint8)
    if sigma:
        noise = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), sigma), None, 0, 255, cv2.NORM_MINMAX)  # type: ignore[call-overload]
    assert detector.detect(noise) == []


def test_the_same_picture_gives_the_same_faces(detector: MtcnnDetector) -> None:
    image, _ = scene(200, 10)
    first = detector.detect(image)
    detector.detect(ASTRONAUT)  # another size in between
    second = detector.detect(image)
    assert len(first) == len(second) == 1
    np.testing.assert_array_equal(first[0].keypoints, second[0].keypoints)
    np.testing.assert_array_equal(first[0].box, second[0].box)


def test_results_are_not_overwritten_by_the_next_picture(detector: MtcnnDetector) -> None:
    image, _ = scene(200)
    first = detector.detect(image)[0]
    box, keypoints = first.box.copy(), first.keypoints.copy()
    moved, _ = scene(120, at=(300, 200))
    detector.detect(moved)
    detector.refine(moved, [box])
    np.testing.assert_array_equal(first.box, box)
    np.testing.assert_array_equal(first.keypoints, keypoints)


def test_the_picture_is_left_as_it_was(detector: MtcnnDetector) -> None:
    image, _ = scene(200)
    before = image.copy()
    detector.refine(image, [detector.detect(image)[0].box])
    np.testing.assert_array_equal(image, before)


def test_a_view_and_a_grey_picture_are_fine(detector: MtcnnDetector) -> None:
    image, keypoints = scene(200)
    view = image[100:650, 300:1000]
    assert not view.flags.c_contiguous
    assert off(detector.detect(view)[0].keypoints, keypoints - np.array([300, 100])) < 0.1
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    assert off(detector.detect(grey)[0].keypoints, keypoints) < 0.12
    assert off(detector.refine(grey, [detector.detect(grey)[0].box])[0].keypoints, keypoints) < 0.12  # type: ignore[union-attr]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 90), st.integers(0, 90))
def test_tiny_and_odd_pictures_do_no_harm(detector: MtcnnDetector, height: int, width: int) -> None:
    image = np.zeros((height, width, 3), np.uint8)
    image[::2] = 255
    assert isinstance(detector.detect(image), list)
    assert len(detector.refine(image, [np.array([0, 0, 50, 50], np.float32)])) == 1


@pytest.mark.parametrize("size", [(719, 1279), (1280, 719), (2000, 30), (17, 3000), (480, 640)])
def test_any_shape_of_picture_is_searched(detector: MtcnnDetector, size: tuple[int, int]) -> None:
    assert isinstance(detector.detect(cv2.resize(ASTRONAUT, (size[1], size[0]))), list)


@pytest.mark.parametrize(
    "image",
    [np.zeros((50, 50, 3), np.float32), np.zeros((50, 50, 4), np.uint8), np.zeros((1, 50, 50, 3), np.uint8)],
)
def test_invalid_images_are_refused(detector: MtcnnDetector, image: Image) -> None:
    with pytest.raises(ValueError, match="must be uint8"):
        detector.detect(image)


@pytest.mark.parametrize("wrong", [{"min_face_px": 5}, {"scale_factor": 1.0}, {"scale_factor": 0.1}])
def test_options_that_cannot_be_meant_are_refused(networks: list[OpenVinoEngine], wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must"):
        MtcnnDetector(*networks, **wrong)  # type: ignore[arg-type]


def test_refine_finds_a_face_that_moved_a_little(detector: MtcnnDetector) -> None:
    image, _ = scene(200)
    box = detector.detect(image)[0].box
    moved, keypoints = scene(200, 5, at=(655, 350))
    found = detector.refine(moved, [box])[0]
    assert found is not None
    assert off(found.keypoints, keypoints) < 0.12
    assert found.score > 0.9


def test_refine_follows_a_face_for_a_hundred_frames(detector: MtcnnDetector) -> None:
    image, _ = scene(150, at=(300, 360))
    box = detector.detect(image)[0].box
    for step in range(100):
        angle = 2 * np.pi * step / 100
        at = (300 + 6.0 * step, 360 + 100 * np.sin(angle))
        image, keypoints = scene(150 + 40 * np.sin(angle), 15 * np.sin(2 * angle), at)
        found = detector.refine(image, [box])[0]
        assert found is not None, step
        assert off(found.keypoints, keypoints) < 0.2
        box = found.box


def test_refine_together_is_refine_one_by_one(detector: MtcnnDetector) -> None:
    image = np.full((720, 1280, 3), 90, np.uint8)
    image[100:500, 100:480] = ASTRONAUT[:400, 60:440]
    image[100:500, 700:1080] = ASTRONAUT[:400, 60:440]
    boxes = [face.box for face in detector.detect(image)]
    boxes.insert(1, np.array([500, 550, 640, 700], np.float32))
    together = detector.refine(image, boxes)
    assert [face is None for face in together] == [False, True, False]
    for box, face in zip(boxes, together, strict=True):
        alone = detector.refine(image, [box])[0]
        assert (alone is None) == (face is None)
        if alone is not None and face is not None:
            np.testing.assert_allclose(alone.keypoints, face.keypoints, atol=0.05)


@pytest.mark.parametrize(
    "box",
    [
        (np.nan, 0, 10, 10),
        (0, 0, np.inf, 10),
        (50, 50, 20, 20),
        (5, 5, 5, 5),
        (-900, -900, -700, -700),
        (9e9, 9e9, 9.1e9, 9.1e9),
        (2000, 2000, 2200, 2200),
        (900, 600, 1000, 700),
    ],
)
def test_refine_says_none_where_there_is_nothing(detector: MtcnnDetector, box: tuple[float, ...]) -> None:
    image, _ = scene(200)
    assert detector.refine(image, [np.array(box, np.float32)]) == [None]


def test_refine_of_nothing_is_nothing(detector: MtcnnDetector) -> None:
    assert detector.refine(ASTRONAUT, []) == []


class OneWindow:
    """A P-Net that believes in one window: output place ``at`` of its map."""

    name = "fake"

    def __init__(self, at: tuple[int, int]) -> None:
        self._at = at

    def run(self, inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        rows, columns = ((length - 12) // 2 + 1 for length in inputs["image"].shape[1:3])
        found = np.zeros((1, 5, rows, columns), np.float32)
        found[0, 0] = -3.0
        found[0, :, self._at[0], self._at[1]] = (2.2, 0.25, 0, 0.25, 0)
        return {"map": found}


class Agrees:
    """An R- or O-Net that takes every square for a face and leaves it where it is."""

    name = "fake"

    def run(self, inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        count = len(inputs["image"])
        points = np.full((count, 5, 2), 0.5, np.float32)
        return {
            "score": np.ones((count, 1), np.float32),
            "box": np.zeros((count, 4), np.float32),
            "points": points,
        }


def test_a_window_of_the_first_level_is_the_right_part_of_the_picture() -> None:
    """480 x 480 at faces of 40 px: level 0 is 144 px, so 3.33 px of the picture per pixel of the level. The window at
    place (5, 7) begins 14 px from the left, 10 from the top, and is moved a quarter of itself to the right."""
    detector = MtcnnDetector(OneWindow((5, 7)), Agrees(), Agrees(), min_face_px=40, max_side=1000)
    found = detector.detect(np.zeros((480, 480, 3), np.uint8))
    assert len(found) == 1
    step = 480 / 144
    np.testing.assert_allclose(found[0].box, np.array([17, 10, 29, 22]) * step, rtol=1e-5)
    np.testing.assert_allclose(found[0].keypoints, np.tile(np.array([23, 16]) * step - 0.5, (5, 1)), rtol=1e-5)


def test_a_window_across_two_levels_is_no_window() -> None:
    """The last place of level 0 is (144 - 12) / 2 = 66; the next ones see the level beside it as well."""
    for column, seen in ((66, True), (67, False), (71, False)):
        detector = MtcnnDetector(OneWindow((5, column)), Agrees(), Agrees(), min_face_px=40, max_side=1000)
        assert bool(detector.detect(np.zeros((480, 480, 3), np.uint8))) == seen


class Everywhere(OneWindow):
    """A P-Net that sees a face in every other window."""

    def run(self, inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        found = super().run(inputs)["map"]
        spots = found[0, 0, ::2, ::2]
        spots[:] = np.linspace(1.0, 2.0, spots.size).reshape(spots.shape)
        return {"map": found}


def test_what_a_picture_can_cost_is_bounded() -> None:
    counted: list[int] = []

    class Counts(Agrees):
        def run(self, inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
            counted.append(len(inputs["image"]))
            return super().run(inputs)

    MtcnnDetector(Everywhere((0, 0)), Counts(), Counts()).detect(np.zeros((1080, 1920, 3), np.uint8))
    assert 0 < max(counted) <= 500
    assert sum(counted) <= 24_000
    whole = MtcnnDetector(Everywhere((0, 0)), Counts(), Counts(), max_side=1024, min_face_px=12)
    with pytest.raises(EngineError, match="too many faces in the picture; expected at most 12,000 places"):
        whole.detect(np.zeros((1080, 1920, 3), np.uint8))
