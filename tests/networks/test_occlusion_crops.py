"""The input of the occlusion network: an upright, centred face of any size, and its guide."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from occluded_target import FixedAnswer, H, W, answer, mesh, swapped_face, target

from rtswap.compositing.finishes.occlusion import OcclusionMask
from rtswap.core.types import Quality
from rtswap.networks.occlusion import SHRINK, SIZE, OcclusionModel, guide, place
from rtswap.vision.crops import cut
from rtswap.vision.topology import OVAL


def test_network_input_is_upright_and_centred_with_a_guide() -> None:
    turn = cv2.getRotationMatrix2D((W / 2, H / 2), 25, 1.0)
    points = mesh()
    points[:, :2] = points[:, :2] @ turn[:, :2].T + turn[:, 2]
    engine = FixedAnswer(answer())
    OcclusionMask(OcclusionModel(engine)).apply(swapped_face(), target(points), Quality())
    assert engine.seen["crops"].shape == (1, SIZE, SIZE, 3)
    assert engine.seen["crops"].dtype == engine.seen["guides"].dtype == np.uint8
    drawn = engine.seen["guides"][0]
    where = np.argwhere(drawn > 0)
    assert where.mean(0) == pytest.approx([SIZE / 2, SIZE / 2], abs=4)
    eyes = np.argwhere(drawn == 170)
    left, right = eyes[eyes[:, 1] < SIZE / 2].mean(0), eyes[eyes[:, 1] > SIZE / 2].mean(0)
    assert abs(left[0] - right[0]) < 2
    assert np.argwhere(drawn == 210)[:, 0].mean() > eyes[:, 0].mean() + 20


@pytest.mark.parametrize("factor", [0.3, 1.0, 2.0, 4.0])
def test_the_crop_shows_the_pixels_under_the_landmarks_at_any_size(factor: float) -> None:
    width, height = round(W * factor), round(H * factor)
    image = np.zeros((height, width, 3), np.uint8)
    points = mesh(width, height)
    x, y = (round(float(v)) for v in points[1, :2])
    cv2.circle(image, (x, y), max(1, round(6 * factor)), (255, 255, 255), -1)
    matrix = place(points)
    assert matrix is not None
    seen = cut(image, matrix, SIZE, SHRINK)[..., 0].astype(float)
    rows, columns = np.mgrid[:SIZE, :SIZE]
    centre = np.array([(columns * seen).sum(), (rows * seen).sum()]) / seen.sum()
    assert centre == pytest.approx(matrix[:, :2] @ np.array([x, y]) + matrix[:, 2], abs=0.8)


def test_the_guide_marks_the_oval() -> None:
    points = mesh()
    matrix = place(points)
    assert matrix is not None
    inside = points[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    drawn = guide(inside)
    middle = inside[OVAL].mean(0)
    for point in inside[OVAL]:
        x, y = np.round(middle + 0.95 * (point - middle)).astype(int)
        assert drawn[y, x] > 0
        x, y = np.clip(np.round(middle + 1.08 * (point - middle)).astype(int), 0, SIZE - 1)
        assert drawn[y, x] == 0
