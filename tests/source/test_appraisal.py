"""How a photo is judged: the pose of the head, sharpness, size and whether the face is in the picture."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from photos import Face, Scene, turn_head

from rtswap.core.types import Points
from rtswap.source.quality import appraise, sharpness
from rtswap.vision.geometry import canonical
from rtswap.vision.pose import pose_of
from rtswap.vision.topology import CHIN, FOREHEAD, KEYPOINTS


@pytest.mark.parametrize(
    ("yaw", "pitch", "roll"), [(0, 0, 0), (30, 0, 0), (-50, 0, 0), (0, 25, 0), (0, -25, 0), (0, 0, 80)]
)
def test_pose_is_what_the_head_was_turned_by(yaw: float, pitch: float, roll: float) -> None:
    found = pose_of(turn_head(yaw, pitch, roll) * 90 + np.array([200, 300, 5], np.float32))
    assert found == pytest.approx((yaw, pitch, roll), abs=0.5)


def test_signs_of_the_pose() -> None:
    """Turned to the image's right, the nose is right of the eyes' middle; looking down, it comes nearer the chin."""
    right, down = turn_head(yaw=30), turn_head(pitch=20)
    assert right[1, 0] > right[[33, 263], 0].mean()
    assert (down[CHIN, 1] - down[1, 1]) < (canonical().mesh[CHIN, 1] - canonical().mesh[1, 1])


@pytest.mark.parametrize("broken", [np.full((468, 3), np.nan, np.float32), np.zeros((468, 3), np.float32)])
def test_an_unknown_pose_does_not_count_as_frontal(broken: Points) -> None:
    assert abs(pose_of(broken).yaw) > 90


def test_sharpness_falls_with_blur_and_does_not_care_for_contrast() -> None:
    grey = cv2.cvtColor(Scene(blur=0.8).image(), cv2.COLOR_BGR2GRAY)
    inside = np.ones_like(grey, bool)
    values = [sharpness(np.asarray(cv2.GaussianBlur(grey, (0, 0), s), np.uint8), inside) for s in (0.5, 1, 2, 4)]
    assert values == sorted(values, reverse=True)
    faint = (grey // 2 + 40).astype(np.uint8)
    assert sharpness(faint, inside) == pytest.approx(sharpness(grey, inside), rel=0.1)
    assert sharpness(np.full_like(grey, 9), inside) == 0
    assert sharpness(grey, ~inside) == 0


def test_appraisal_of_a_face_outside_the_picture_is_a_fault() -> None:
    away = Face((5000, 5000)).mesh
    assert appraise(Scene().image(), away, 1.0).faults


def test_appraisal_measures_size_in_the_photo_not_in_the_portrait() -> None:
    mesh = Face(eyes_px=110).mesh
    eyes = mesh[[*KEYPOINTS[0], *KEYPOINTS[1]], :2].mean(axis=0)
    face_px = float(np.linalg.norm(mesh[CHIN, :2] - eyes))
    assert mesh[FOREHEAD, 1] < eyes[1]
    assert not appraise(Scene().image(), mesh, 1.0).faults
    small = appraise(Scene().image(), mesh, face_px / 30)
    assert "30 px" in small.faults[0]
    for px, told in ((49.7, "49 px from eyes to chin, the minimum is 50"), (79.7, "79 px from eyes to chin, use 80")):
        just = appraise(Scene().image(), mesh, face_px / px)
        assert told in (*just.faults, *just.doubts)[0], "a figure that is not itself too small"
