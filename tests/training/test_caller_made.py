"""How the demo's caller is cut out of a picture, and a room is freed of its person."""

from __future__ import annotations

import json

import cv2
import numpy as np

from training.personas.caller import RECIPE, SIDE, SIZE, cut_out, frame_in_room, out_of_focus, without_person


def test_dark_hair_and_a_white_shirt_before_a_shaded_wall() -> None:
    y, x = np.mgrid[:512, :512].astype(np.float32) / 512
    wall = (150 + 30 * x - 25 * y * y)[..., None] + np.array([4, 0, -4], np.float32)
    truth = np.zeros((512, 512), np.float32)
    cv2.circle(truth, (256, 220), 100, 1.0, -1)
    truth = cv2.GaussianBlur(truth, (0, 0), 3.0)
    hair = np.array([30, 28, 34], np.float32)
    picture = truth[..., None] * hair + (1 - truth[..., None]) * wall
    body = np.array([[100, 300], [412, 300], [412, 511], [100, 511]])
    cv2.fillPoly(picture, [body], (228, 226, 225))
    cv2.rectangle(picture, (200, 350), (300, 380), wall[365, 250].tolist(), -1)  # a fold in the wall's own colour
    opacity, colours = cut_out(np.clip(picture, 0, 255).astype(np.uint8), body)
    assert np.abs(opacity[:290] - truth[:290]).max() < 0.25
    assert np.abs(opacity[:290] - truth[:290]).mean() < 0.01
    assert opacity[305:505, 105:407].min() == 1
    rim = (truth > 0.02) & (truth < 0.98) & (y < 0.56)
    assert np.abs(colours[rim] - hair).mean() < 12, "no wall left in the rim"
    assert np.abs(colours[220, 390] - hair).max() < 60, "its colours go on beyond"


def test_frame_gives_bytes_of_the_size() -> None:
    frame = {"scale": 1.0, "shift": [128, 0], "gain": [1, 1, 0.5]}
    person, matte = frame_in_room(np.full((SIDE, SIDE, 3), 100, np.float32), np.ones((SIDE, SIDE), np.float32), frame)
    assert person.shape == (SIZE[1], SIZE[0], 3)
    assert matte.min() == 255
    assert person[300, 600].tolist() == [100, 100, 50]


def test_a_room_without_its_person() -> None:
    picture = np.full((SIDE, SIDE, 3), 170, np.uint8)
    picture[200:600, 300:700] = 20
    room = without_person(picture, {"top": 0, "hole": [[290, 190], [710, 190], [710, 1000], [290, 1000]]})
    assert room.shape == (SIZE[1], SIZE[0], 3)
    assert np.abs(room.astype(int) - 170).max() <= 2
    point = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    point[300, 300] = 255
    soft = out_of_focus(point)
    assert soft[300, 306].min() > 10
    assert soft[300, 330].max() == 0


def test_recipe_has_five_people_and_a_room() -> None:
    plan = json.loads(RECIPE.read_text("utf-8"))
    names = {plan["face"][part] for part in ("head", "skin", "eyes", "nose", "mouth")} | {plan["room"]["of"]}
    assert len(names) == 6
