"""The occlusion network that ships, on faces of people who do not exist with things painted before them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from people import ReadyMesh, face_models, person, swap_face

from rtswap.compositing.finishes.occlusion import OcclusionMask
from rtswap.core.types import Image, Points, Quality
from rtswap.vision.topology import GLASSES, LEFT_EYE, RIGHT_EYE


def mask_over(picture: Image, landmarks: Points) -> tuple[np.ndarray, Points]:
    """Where the swap shows on ``picture``, and the landmarks in that crop."""
    occlusion_model = face_models().occlusion_model
    assert occlusion_model is not None
    swapped, face = swap_face(ReadyMesh().bind(person("ada")), picture, landmarks)
    return OcclusionMask(occlusion_model).apply(swapped, face, Quality()).mask, face.landmarks


def share_shown(mask: np.ndarray, landmarks: Points, ring: list[int]) -> float:
    x, y = landmarks[ring, :2].mean(0).astype(int)
    return float(mask[y - 5 : y + 6, x - 5 : x + 6].mean()) / 255


def with_sunglasses(name: str) -> Image:
    picture, points = person(name).portrait.copy(), person(name).landmarks[:, :2]
    for ring, ear in ((LEFT_EYE, 234), (RIGHT_EYE, 454)):
        eye = points[ring]
        reach = float(np.linalg.norm(eye[0] - eye[8]))
        middle = eye.mean(0) + np.array([0, 0.12 * reach])
        axes = (round(0.95 * reach), round(0.72 * reach))
        cv2.ellipse(picture, middle.astype(int).tolist(), axes, 0, 0, 360, (28, 24, 22), -1, cv2.LINE_AA)
        side = np.sign(points[ear, 0] - middle[0])
        outer = (middle + np.array([0.9 * side, -0.2]) * reach).astype(int)
        temple = (points[ear] - [0, 0.25 * reach]).astype(int)
        cv2.line(picture, outer.tolist(), temple.tolist(), (20, 18, 18), 7, cv2.LINE_AA)
    bridge = [points[ring].mean(0).astype(int).tolist() for ring in (LEFT_EYE, RIGHT_EYE)]
    cv2.line(picture, *bridge, (20, 18, 18), 7, cv2.LINE_AA)
    return picture


@pytest.mark.parametrize("name", ["ben", "carl", "dan"])
def test_sunglasses_stay_on(name: str) -> None:
    bare, landmarks = mask_over(person(name).portrait, person(name).landmarks)
    worn, _ = mask_over(with_sunglasses(name), person(name).landmarks)
    for ring in (LEFT_EYE, RIGHT_EYE):
        assert share_shown(bare, landmarks, ring) > 0.9, "eyes without glasses are swapped"
        assert share_shown(worn, landmarks, ring) < 0.3, "dark lenses are before the face"
    mouth = [13, 14, 17]
    assert share_shown(worn, landmarks, mouth) > 0.9, "what they do not hide is swapped"


@pytest.mark.parametrize("name", ["ben", "carl", "dan"])
def test_pale_skin_around_the_eyes_is_no_frame(name: str) -> None:
    """Vitiligo around both eyes, with ragged edges."""
    picture, points = person(name).portrait, person(name).landmarks[:, :2]
    mask, rng = np.zeros(picture.shape[:2], np.uint8), np.random.default_rng(1)
    for ring in (LEFT_EYE, RIGHT_EYE):
        eye = points[ring]
        wide = eye.mean(0) + np.array([1.7, 3.2]) * (eye - eye.mean(0)) + rng.normal(0, 2, eye.shape)
        wide[:, 1] += 0.1 * np.ptp(eye[:, 0])
        cv2.fillPoly(mask, [cv2.convexHull(wide.astype(np.int32))], 255, cv2.LINE_AA)
    share = cv2.GaussianBlur(mask, (0, 0), 2.5)[..., None].astype(np.float32) / 255
    pale = np.asarray(np.clip(picture * (1 + share * (np.array([1.55, 1.39, 1.31]) - 1)), 0, 255), np.uint8)
    hidden = []
    for shown in (picture, pale):
        swapped, landmarks = mask_over(shown, person(name).landmarks)
        band = np.zeros(swapped.shape, np.uint8)
        cv2.fillPoly(band, [landmarks[GLASSES, :2].astype(np.int32)], 1)
        hidden.append(float((swapped[band > 0] < 128).mean()))
    assert hidden[1] < hidden[0] + 0.02
