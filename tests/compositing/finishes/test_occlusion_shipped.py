"""The occlusion network that ships, on faces of people who do not exist with things painted before them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from people import ReadyMesh, face_models, person, swap_face

from rtswap.compositing.finishes.occlusion import OcclusionMask
from rtswap.core.types import Image, Points, Quality
from rtswap.vision.topology import GLASSES, LEFT_EYE, OVAL, RIGHT_EYE


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


def bald(name: str, light: float) -> Image:
    """The person with skin, darker towards its edge, from the brows to the crown."""
    picture, points = person(name).portrait.astype(np.float32), person(name).landmarks[:, :2]
    tall, middle = float(np.ptp(points[:, 1])), points[OVAL].mean(0)
    higher = 0.28 * tall * np.clip((middle[1] - points[OVAL, 1]) / (0.5 * tall), 0, 1)
    crown = middle + 1.06 * (points[OVAL] - np.stack([0 * higher, higher], 1) - middle)
    head = np.zeros(picture.shape[:2], np.uint8)
    cv2.fillPoly(head, [crown.astype(np.int32)], 255)
    head[int(points[[105, 334], 1].min() - 0.04 * tall) :] = 0
    share = cv2.GaussianBlur(head, (0, 0), 0.012 * tall)[..., None].astype(np.float32) / 255
    x, y = points[151].astype(int)
    skin = picture[y - 4 : y + 5, x - 4 : x + 5].mean((0, 1))
    across, down = (np.arange(length, dtype=np.float32) for length in picture.shape[1::-1])
    lit = np.exp(-(((across - middle[0]) / (0.42 * tall)) ** 2 + ((down[:, None] - y) / (0.5 * tall)) ** 2))
    picture += share * (skin * (0.55 + 0.5 * lit[..., None]) - picture)
    return np.clip(picture * light + np.random.default_rng(0).normal(0, 2, picture.shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("name", ["hiro", "ben", "george"])
@pytest.mark.parametrize("light", [1.0, 0.5, 0.3])
def test_a_bald_head_is_no_hair(name: str, light: float) -> None:
    """It was for a fifth, as were the foreheads of five of 16 people with dark skin for a half."""
    mask, points = mask_over(bald(name, light), person(name).landmarks)
    x, y = points[[151, 9, 108, 337, 69, 299, 107, 336], :2].astype(int).T
    assert mask[y, x].mean() > 0.97 * 255
