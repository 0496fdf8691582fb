"""The caller of the demo: a person in a room, who moves as a webcam would show it."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import pytest
from people import face_models

from rtswap.core.types import Image
from rtswap.source.portrait import find_landmarks
from rtswap.vision.caller import Caller, Layers, call, caller_layers, conversation, mouth_inside
from rtswap.vision.geometry import interocular
from rtswap.vision.talking_head import Motion
from rtswap.vision.topology import CHIN, LEFT_EYE, RIGHT_EYE

STILL = Motion(0, 0, 0, 0, 0, (0, 0))
TURNED = [Motion(0.2, 0.03, 0.05, 0.08, 0, (0.07, 0.01)), Motion(-0.2, -0.03, -0.05, 0.15, 0, (-0.07, -0.01))]


@cache
def layers() -> Layers:
    return caller_layers()


@cache
def caller() -> Caller:
    still = layers().still()
    start = face_models().detector.detect(still)[0].keypoints
    return Caller(layers(), find_landmarks(face_models().landmarks, still, start))


def seen(picture: Image) -> np.ndarray:
    """Landmarks that the network finds."""
    start = face_models().detector.detect(picture)[0].keypoints
    return find_landmarks(face_models().landmarks, picture, start)


def test_framing() -> None:
    person, opacity, room = layers()
    assert person.shape == room.shape == (720, 1280, 3)
    assert opacity.shape == (720, 1280)
    assert len(face_models().detector.detect(layers().still())) == 1
    assert 240 < caller().face_px < 300
    middle = caller().mesh(STILL)[:, :2].mean(0)
    assert middle == pytest.approx([640, 330], abs=50)
    assert opacity[int(middle[1]), int(middle[0])] == 255
    assert opacity[:40].max() < 8, "room above the head"
    assert opacity[-1].mean() > 128, "shoulders are cut by the lower border"


def test_at_rest_it_is_the_still() -> None:
    off = np.abs(caller().render(STILL).astype(int) - layers().still())
    assert off.mean() < 0.3
    assert np.percentile(off, 99.9) < 8


@pytest.mark.parametrize("motion", TURNED)
def test_the_room_stands_still_while_the_head_turns(motion: Motion) -> None:
    picture = caller().render(motion)
    assert np.abs(picture[:, :100].astype(int) - layers().room[:, :100]).max() <= 1
    assert np.abs(picture[:, -100:].astype(int) - layers().room[:, -100:]).max() <= 1
    assert np.abs(picture[60:500].astype(int) - layers().still()[60:500]).mean() > 2


@pytest.mark.parametrize("motion", TURNED)
def test_no_pixel_misses_its_triangle(motion: Motion) -> None:
    """Where the mesh folds beside a turned face, single pixels used to be black."""
    picture = cv2.cvtColor(caller().render(motion), cv2.COLOR_BGR2GRAY).astype(int)
    x1, y1 = caller().mesh(motion)[:, :2].min(0).astype(int) - 10
    x2, y2 = caller().mesh(motion)[:, :2].max(0).astype(int) + 10
    face = picture[y1:y2, x1:x2]
    alone = np.abs(face - cv2.medianBlur(face.astype(np.uint8), 3))
    assert (alone > 70).sum() < 4


@pytest.mark.parametrize("motion", [*TURNED, STILL])
def test_the_network_sees_what_was_drawn(motion: Motion) -> None:
    truth = caller().mesh(motion)
    error = np.linalg.norm(seen(caller().render(motion))[:, :2] - truth[:, :2], axis=1) / interocular(truth)
    assert np.median(error) < 0.04
    assert np.percentile(error, 95) < 0.12


def test_speech_drops_the_chin_and_shows_teeth_in_the_dark() -> None:
    speaking = Motion(0, 0, 0, 0.16, 0, (0, 0))
    shut, wide = caller().mesh(STILL), caller().mesh(speaking)
    unit = interocular(shut)
    opened = (wide[14, 1] - wide[13, 1]) - (shut[14, 1] - shut[13, 1])
    assert opened == pytest.approx(0.16 * unit, rel=0.4)
    assert wide[CHIN, 1] - shut[CHIN, 1] > 0.06 * unit
    picture = caller().render(speaking)
    top, bottom = wide[13, :2], wide[14, :2]
    column = picture[int(top[1]) : int(bottom[1]), int(top[0])].astype(float).mean(1)
    upper, lower = column[: len(column) // 2].max(), column[len(column) // 2 :].min()
    assert upper > 80, "teeth"
    assert 8 < lower < 70, "dark, and no black hole"


def test_inside_of_a_mouth() -> None:
    across, down = np.meshgrid(np.linspace(-0.5, 0.5, 81), np.linspace(0, 0.4, 41))
    inside = mouth_inside(across.astype(np.float32), down.astype(np.float32), 0.4).mean(2)
    assert inside[2, 40] > 120, "teeth above, in the middle"
    assert inside[2, 0] < 60, "none in the corners"
    assert inside[15, 40] < 50, "dark below"
    assert inside[38, 40] > inside[15, 40] + 10, "tongue at the bottom"


def test_a_blink_shuts_both_eyes() -> None:
    shut = caller().mesh(Motion(0, 0, 0, 0, -0.2, (0, 0)))
    for eye in (LEFT_EYE, RIGHT_EYE):
        assert np.ptp(shut[eye, 1]) < 0.75 * np.ptp(caller().mesh(STILL)[eye, 1])
    for above, below in ((159, 145), (386, 374)):
        assert 0 < shut[below, 1] - shut[above, 1] < 3


def test_conversation_is_calm() -> None:
    motions = [conversation(i / 30) for i in range(1800)]
    assert max(max(abs(m.yaw), abs(m.pitch), abs(m.roll)) for m in motions) < 0.22
    assert min(m.opening for m in motions) >= 0
    assert 0.12 < max(m.opening for m in motions) < 0.2
    assert np.abs(np.diff([m.yaw for m in motions])).max() < 0.01
    assert np.abs(np.diff([m.opening for m in motions])).max() < 0.07
    assert 0.1 < np.mean([m.opening < 0.01 for m in motions]) < 0.6, "there are pauses"


def test_a_call_is_the_same_every_time_and_moves() -> None:
    first, second = (list(call(caller(), fps=30, frames=2)) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert not np.array_equal(*first)
