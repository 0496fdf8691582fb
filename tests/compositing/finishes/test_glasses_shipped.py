"""The glasses network that ships, on faces of people who do not exist: painted glasses stay on, and faces without any
stay swapped."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np
import pytest
from painted_glasses import with_glasses
from people import NAMES, ReadyMesh, face_models, person, swap_face

from rtswap.compositing.finishes.glasses import GlassesMask
from rtswap.core.types import Image, Points, Quality
from rtswap.networks.glasses import GlassesModel
from rtswap.vision.geometry import transform
from rtswap.vision.resample import warped
from rtswap.vision.topology import LEFT_EYE, RIGHT_EYE

TONES = {"black": (20, 20, 22), "silver": (170, 200, 205), "gold": (60, 140, 180)}


def finish() -> GlassesMask:
    return GlassesMask(GlassesModel(face_models().open(("glasses",))["glasses"]))


def masks(picture: Image, landmarks: Points) -> tuple[np.ndarray, np.ndarray, Points]:
    """Where the swap shows on ``picture`` without and with the finish, and the landmarks in that crop."""
    swapped, face = swap_face(ReadyMesh().bind(person("ada")), picture, landmarks)
    return swapped.mask, finish().apply(swapped, face, Quality()).mask, face.landmarks


def moved(rims: np.ndarray, landmarks: Points, there: Points, like: np.ndarray) -> np.ndarray:
    """What is drawn on the picture, in the crop."""
    matrix = np.array([[1, 0, there[0, 0] - landmarks[0, 0]], [0, 1, there[0, 1] - landmarks[0, 1]]], np.float32)
    return warped(rims, matrix, like.shape[::-1], zero=True)


@pytest.mark.parametrize("tone", TONES.values(), ids=TONES)
@pytest.mark.parametrize("name", NAMES)
def test_wire_frames_stay_on_and_eyes_behind_them_are_swapped(name: str, tone: tuple[int, int, int]) -> None:
    who = person(name)
    picture, rims = with_glasses(who, tone)
    before, mask, landmarks = masks(picture, who.landmarks)
    wire = (moved(rims, who.landmarks, landmarks, mask) > 200) & (before > 200)
    assert wire.sum() > 300
    assert (mask[wire] < 128).mean() > 0.85
    for ring in (LEFT_EYE, RIGHT_EYE):
        x, y = landmarks[ring, :2].mean(0).astype(int)
        assert mask[y - 4 : y + 5, x - 4 : x + 5].mean() > 240
    assert (mask[before > 200] < 128).mean() < 0.12, "only the frames"


@pytest.mark.parametrize("name", NAMES)
def test_people_without_glasses_are_swapped_whole(name: str) -> None:
    before, mask, _ = masks(person(name).portrait, person(name).landmarks)
    assert np.array_equal(before, mask)


@pytest.mark.parametrize("px", [60, 100, 220])
def test_glasses_do_not_flicker_while_a_face_moves(px: int) -> None:
    """A face ``px`` wide that drifts and turns: frames of the mask, put back in its place, stay alike."""
    who = person("dan")
    picture, _ = with_glasses(who, TONES["black"])
    scale = px / float(np.ptp(who.landmarks[:, 0]))
    step, swapper, kept = finish(), ReadyMesh().bind(person("ada")), []
    for frame in range(12):
        matrix = cv2.getRotationMatrix2D((0, 0), 0.6 * frame, scale)
        matrix[:, 2] += 60 + 0.37 * frame, 60 + 0.23 * frame
        moving = warped(picture, matrix, (4 * px, 4 * px), how=cv2.INTER_AREA)
        landmarks = np.column_stack([transform(matrix, who.landmarks[:, :2]), who.landmarks[:, 2] * scale])
        swapped, face = swap_face(swapper, moving, np.asarray(landmarks, np.float32))
        target = replace(face, time_s=frame / 30)
        opened = cv2.subtract(swapped.mask, step.apply(swapped, target, Quality()).mask)
        back = cv2.invertAffineTransform(np.asarray(matrix, np.float64))
        offset = face.landmarks[0, :2] - landmarks[0, :2]
        back[:, 2] -= back[:, :2] @ offset
        kept.append(warped(opened, back, (512, 512), zero=True).astype(float))
    means = [one.sum() for one in kept[2:]]
    assert min(means) > 0
    assert max(means) < 1.25 * min(means)
    steps = [np.abs(b - a).sum() / a.sum() for a, b in pairwise(kept[2:])]
    assert np.median(steps) < 0.35
