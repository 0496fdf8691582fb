"""Generated clips: detector and landmark network see what they claim to show, every time."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from people import NAMES, face_models, person

from rtswap.vision.geometry import box_of, canonical, interocular
from rtswap.vision.raster import fill
from rtswap.vision.talking_head import AnimatedHead, Motion, clip, persona
from rtswap.vision.topology import LEFT_EYE, LIPS_INNER, OVAL

STILL = Motion(0, 0, 0, 0, 0, (0, 0))


def head(name: str = "ben", face_px: float = 150) -> AnimatedHead:
    who = person(name)
    return AnimatedHead(who.portrait, who.landmarks, face_px)


@pytest.mark.parametrize("name", NAMES)
def test_personas(name: str) -> None:
    picture = persona(name)
    assert picture.shape == (512, 512, 3)
    assert picture.dtype == np.uint8
    assert len(face_models().detector.detect(picture)) == 1


def test_motion_is_calm_and_periodic() -> None:
    for t in np.linspace(0, 60, 400):
        motion = Motion.at(float(t))
        assert motion == Motion.at(float(t))
        assert max(abs(motion.yaw), abs(motion.pitch), abs(motion.roll)) < 0.4
        assert 0 <= motion.opening < 0.3
        assert -0.2 < motion.lids <= 0
    turns = np.array([Motion.at(i / 30).yaw for i in range(300)])
    assert np.abs(np.diff(turns)).max() < 0.02
    assert Motion.at(1.0) != Motion.at(1.0, phase=1)


def test_a_still_head_is_its_portrait() -> None:
    who = head(face_px=300)
    assert np.ptp(who.mesh(STILL)[:, 0]) == pytest.approx(300, rel=0.01)
    picture, alpha = who.render(STILL)
    assert picture.shape == (who.side, who.side, 3)
    assert alpha.shape == (who.side, who.side, 1)
    x1, y1, x2, y2 = box_of(who.mesh(STILL)).astype(int)
    inside = np.s_[y1:y2, x1:x2]
    assert np.abs(picture[inside].astype(int) - who.portrait[inside]).mean() < 1.5
    assert np.median(alpha[inside]) > 0.95
    face = np.zeros(alpha.shape[:2], np.uint8)
    fill(face, [who.mesh(STILL)[OVAL, :2]], 1, smooth=False)
    assert alpha[face > 0].min() > 0.8
    assert alpha[[0, -1]].max() < 0.5 / 255


def test_mouth_and_lids_follow_the_motion() -> None:
    who = head(face_px=300)
    unit = interocular(who.mesh(STILL))
    speaking, blinking = Motion(0, 0, 0, 0.2, 0, (0, 0)), Motion(0, 0, 0, 0, -0.1, (0, 0))
    opened = np.ptp(who.mesh(speaking)[LIPS_INNER, 1]) - np.ptp(who.mesh(STILL)[LIPS_INNER, 1])
    assert opened == pytest.approx(0.2 * unit, rel=0.35)
    assert np.ptp(who.mesh(blinking)[LEFT_EYE, 1]) < np.ptp(who.mesh(STILL)[LEFT_EYE, 1])
    middle = who.mesh(speaking)[LIPS_INNER, :2].mean(0).round().astype(int)
    dark, skin = who.render(speaking)[0][middle[1], middle[0]], who.render(STILL)[0][middle[1], middle[0]]
    assert dark.mean() < 90
    assert dark.mean() < skin.mean()


@pytest.mark.parametrize("name", NAMES)
def test_lids_that_close_do_not_cross(name: str) -> None:
    who = head(name)
    shut = who.mesh(Motion(0, 0, 0, 0, -1.0, (0, 0)))
    for above, below in ((159, 145), (386, 374)):
        assert shut[below, 1] > shut[above, 1]
        assert shut[below, 1] - shut[above, 1] < 0.5 * (who.mesh(STILL)[below, 1] - who.mesh(STILL)[above, 1])


def test_an_eye_looks_out_under_its_lid() -> None:
    """What is left to be seen of it stays where it was: it is hidden, not squeezed."""
    who = head(face_px=300)
    rest = who.mesh(STILL)[LEFT_EYE, :2]
    opening = float(np.ptp(rest[:, 1]))
    half = Motion(0, 0, 0, 0, -0.3 * opening / interocular(who.mesh(STILL)), (0, 0))
    ring = who.mesh(half)[LEFT_EYE, :2]
    middle = ring.mean(0).round().astype(int)
    near = np.s_[middle[1] - 1 : middle[1] + 2, middle[0] - 4 : middle[0] + 5]
    before, after = (who.render(motion)[0][near].astype(int) for motion in (STILL, half))
    assert np.abs(after - before).mean() < 6


@pytest.mark.parametrize(("name", "t"), [("ben", 0.4), ("ben", 1.7), ("dan", 4.1), ("carl", 2.6)])
def test_networks_see_what_the_clip_says(name: str, t: float) -> None:
    """The detector finds the face; the landmark network agrees with the truth within 6 % of the inter-ocular
    distance at the median (it is held to 2 % of its teacher elsewhere; head and truth are only drawn here)."""
    who, size = head(name, 200), (640, 480)
    picture = list(clip([who], size, fps=1 / t, frames=2, noise=1.0))[1]
    motion = Motion.at(t)
    middle = np.array([size[0] / 2, size[1] * 0.52]) + np.array(motion.shift) * who.face_px
    truth = who.mesh(motion).copy()
    truth[:, :2] += np.round(middle - who.side / 2)
    found = face_models().detector.detect(picture)
    assert found
    x1, y1, x2, y2 = found[0].box
    assert x1 < truth[1, 0] < x2
    assert y1 < truth[1, 1] < y2
    mesh = face_models().landmarks.find(picture, [found[0].keypoints])[0]
    mesh = face_models().landmarks.find(picture, [mesh.points])[0]
    assert mesh.presence > 0.5
    error = np.linalg.norm(mesh.points[:, :2] - truth[:, :2], axis=1) / interocular(truth)
    assert np.median(error) < 0.06
    assert np.percentile(error, 95) < 0.2


def test_a_clip_is_the_same_every_time_and_moves() -> None:
    heads = [head("ben", 90), head("dan", 70)]
    first, second = (list(clip(heads, (320, 240), fps=30, frames=6)) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert {image.shape for image in first} == {(240, 320, 3)}
    assert not any(np.array_equal(a, b) for a, b in pairwise(first))


def test_heads_larger_than_the_picture_are_cut_off() -> None:
    for image in clip([head("ben", 400)], (161, 97), fps=30, frames=2):
        assert image.shape == (97, 161, 3)


def test_faces_stand_side_by_side() -> None:
    names = ("ben", "carl", "dan")
    picture = next(iter(clip([head(name, 110) for name in names], (1280, 480), fps=30, frames=1)))
    found = sorted(float(face.box[[0, 2]].mean()) for face in face_models().detector.detect(picture))
    assert len(found) == 3
    assert canonical().mesh.shape == (468, 3)
    assert all(right - left > 150 for left, right in pairwise(found))


def opening(mesh: np.ndarray, above: int, below: int) -> float:
    """In inter-ocular distances."""
    return float(np.linalg.norm(mesh[above] - mesh[below])) / interocular(mesh)


@pytest.mark.parametrize("name", NAMES)
def test_the_network_sees_lips_part_though_the_chin_does_not_move(name: str) -> None:
    """These heads speak with their lips alone; a network that guesses the mouth from the chin reads a third of it."""
    who = head(name, 300)
    there, here = [], []
    for amount in (0.0, 0.04, 0.08, 0.12, 0.16, 0.2):
        motion = Motion(0.1, 0, 0, amount, 0, (0, 0))
        picture, truth = who.render(motion)[0], who.mesh(motion)
        found = (
            face_models()
            .landmarks.find(picture, [face_models().landmarks.find(picture, [truth])[0].points])[0]
            .points
        )
        there.append(opening(truth, 13, 14))
        here.append(opening(found, 13, 14))
    slope, _ = np.polyfit(there, here, 1)
    assert np.corrcoef(there, here)[0, 1] > 0.93
    assert slope > 0.45
