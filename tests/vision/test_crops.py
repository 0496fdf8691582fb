"""Crops for networks: placement by their parameters, and the same pixels from every method."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from people import place_mesh

from rtswap.core.types import Image, Matrix, Points
from rtswap.vision.crops import Shrink, cut, cut_into, cut_sharp, fit_mean_face, place_upright, sampling
from rtswap.vision.geometry import canonical, keypoints_of, scale_of, transform

SIZE = 128
SHRINKS = [Shrink(0.5, 2), Shrink(0.5, 2, stretch=True), Shrink(0.55, 4)]


def soft(width: int, height: int) -> Image:
    """A picture that is the same however it is averaged: wide blobs."""
    noise = np.random.default_rng(0).uniform(0, 255, (height, width, 3)).astype(np.float32)
    blobs = cv2.GaussianBlur(noise, (0, 0), width / 30)
    return np.asarray(128 + (blobs - blobs.mean()) * (40 / blobs.std()), np.uint8)


def upright(face_px: float, middle: float) -> Matrix:
    """The crop of a face ``face_px`` wide at (420, 300)."""
    matrix = place_upright(place_mesh(face_px, (420, 300)), SIZE, margin=1.2, middle=middle)
    assert matrix is not None
    return matrix


def middle_of(points: Points) -> np.ndarray:
    return np.asarray((points.min(0) + points.max(0)) / 2)


@pytest.mark.parametrize("middle", [SIZE / 2, (SIZE - 1) / 2])
@pytest.mark.parametrize("margin", [1.2, 1.3])
@pytest.mark.parametrize("turn_deg", [0, 40, -120])
def test_face_is_upright_and_centred_as_requested(middle: float, margin: float, turn_deg: float) -> None:
    turn = cv2.getRotationMatrix2D((320, 240), turn_deg, 1.0).astype(np.float32)
    mesh = transform(turn, place_mesh(150, (300, 200)))
    matrix = place_upright(mesh, SIZE, margin=margin, middle=middle)
    assert matrix is not None
    inside = transform(matrix, mesh)[:, :2]
    np.testing.assert_allclose(middle_of(inside), [middle, middle], atol=0.01)
    assert np.ptp(inside, axis=0).max() == pytest.approx(SIZE / margin, rel=1e-4)
    left, right, _, *mouth = keypoints_of(inside)
    assert left[1] == pytest.approx(right[1], abs=1.5)
    assert max(left[1], right[1]) < min(corner[1] for corner in mouth)


def test_mean_face_is_centred_with_the_given_eye_distance() -> None:
    mesh = (canonical().mesh * 77 + np.array([200, 150, 0])).astype(np.float32)
    matrix = fit_mean_face(mesh, 256, 72.0)
    assert matrix is not None
    assert scale_of(matrix) == pytest.approx(72 / 77, rel=1e-4)
    np.testing.assert_allclose(middle_of(transform(matrix, mesh)[:, :2]), [127.5, 127.5], atol=0.01)


@pytest.mark.parametrize("bad", [np.full((468, 3), np.nan), np.full((468, 3), 5.0), np.full((468, 3), 1e7)])
def test_points_that_form_no_face_have_no_place(bad: np.ndarray) -> None:
    assert place_upright(bad.astype(np.float32), SIZE, margin=1.2, middle=64) is None
    assert fit_mean_face(bad.astype(np.float32), SIZE, 36.0) is None


@pytest.mark.parametrize("shrink", SHRINKS)
@pytest.mark.parametrize("face_px", [60, 250, 700])
def test_all_ways_of_cutting_show_the_same_places(shrink: Shrink, face_px: float) -> None:
    image, matrix = soft(801, 643), upright(face_px, middle=64)
    into = np.zeros((SIZE, SIZE, 3), np.uint8)
    cut_into(image, matrix, into)
    for other in (cut(image, matrix, SIZE, shrink), cut_sharp(image, matrix, SIZE)):
        assert np.abs(into.astype(int) - other).mean() < 1.5


@pytest.mark.parametrize("shrink", SHRINKS)
@pytest.mark.parametrize("face_px", [60, 300, 1200])
def test_a_gpu_samples_where_the_host_does(shrink: Shrink, face_px: float) -> None:
    """The numbers, used on a picture that is halved so often, give the host's crop."""
    image, matrix = soft(800, 640), upright(face_px, middle=63.5)
    (a, b, c, d, e, f, width, height), halvings = sampling(matrix, (800, 640), shrink)
    for _ in range(halvings):
        image = np.asarray(cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)
    assert image.shape[1::-1] == (width, height)
    x, y = np.meshgrid(*2 * [np.arange(SIZE, dtype=np.float32)])
    seen = cv2.remap(
        image,
        (a * x + b * y + c).astype(np.float32),
        (d * x + e * y + f).astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    host = cut(soft(800, 640), matrix, SIZE, shrink)
    assert np.abs(seen.astype(int) - host).max() <= 2


def test_outside_the_picture_is_continued_or_black() -> None:
    image = np.full((50, 50, 3), 90, np.uint8)
    matrix = np.array([[1, 0, 100], [0, 1, 0]], np.float32)
    assert (cut(image, matrix, SIZE, SHRINKS[0]) == 90).all()
    assert not cut(image, matrix, SIZE, SHRINKS[0], zero=True)[:, :90].any()


@pytest.mark.parametrize("shrink", SHRINKS)
def test_the_smallest_pictures_can_be_cut_at_any_scale(shrink: Shrink) -> None:
    for width, height in ((1, 1), (1, 300), (3, 2)):
        image = np.full((height, width, 3), 70, np.uint8)
        assert (cut(image, np.array([[0.01, 0, 3], [0, 0.01, 3]], np.float32), SIZE, shrink) == 70).all()
