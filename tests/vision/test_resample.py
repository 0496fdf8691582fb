"""Resampling keeps types, sizes and positions, and handles borders as documented."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from rtswap.vision.resample import blurred, looked_up, resized, warped

KINDS = [np.uint8, np.float32]


def noise(kind: type, shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, shape).astype(kind)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("channels", [(), (3,)])
def test_type_and_size(kind: type, channels: tuple[int, ...]) -> None:
    picture = noise(kind, (9, 13, *channels))
    grid = np.zeros((5, 7, 2), np.float32)
    for result, size in (
        (resized(picture, (7, 5)), (5, 7)),
        (looked_up(picture, grid), (5, 7)),
        (warped(picture, np.eye(2, 3), (7, 5)), (5, 7)),
        (blurred(picture, 1.0), (9, 13)),
    ):
        assert result.dtype == kind
        assert result.shape == (*size, *channels)


@pytest.mark.parametrize("kind", KINDS)
def test_identity_changes_nothing_and_the_picture_is_left_alone(kind: type) -> None:
    picture = noise(kind, (9, 13, 3))
    before = picture.copy()
    x, y = np.meshgrid(np.arange(13, dtype=np.float32), np.arange(9, dtype=np.float32))
    assert np.array_equal(looked_up(picture, np.dstack([x, y])), picture)
    assert np.array_equal(warped(picture, np.eye(2, 3, dtype=np.float32), (13, 9)), picture)
    assert np.array_equal(resized(picture, (13, 9)), picture)
    blurred(picture, 2.0)
    assert np.array_equal(picture, before)


def test_lookup_is_bilinear_between_pixel_centres() -> None:
    picture = noise(np.float32, (9, 13))
    rng = np.random.default_rng(2)
    where = rng.uniform((0, 0), (12, 8), (40, 1, 2)).astype(np.float32)
    where = np.round(where * 32) / 32  # OpenCV's lookup knows 1/32 of a pixel
    x, y = where[:, 0, 0], where[:, 0, 1]
    x0, y0 = np.minimum(x.astype(int), 11), np.minimum(y.astype(int), 7)
    a, b = x - x0, y - y0
    expected = (1 - b) * ((1 - a) * picture[y0, x0] + a * picture[y0, x0 + 1]) + b * (
        (1 - a) * picture[y0 + 1, x0] + a * picture[y0 + 1, x0 + 1]
    )
    assert looked_up(picture, where)[:, 0] == pytest.approx(expected, abs=0.02)


def test_border_is_replicated() -> None:
    picture = noise(np.uint8, (4, 5, 3))
    outside = np.array([[[-3, -3], [99, -1], [99, 99], [2, 99]]], np.float32)
    expected = [picture[0, 0], picture[0, 4], picture[3, 4], picture[3, 2]]
    assert np.array_equal(looked_up(picture, outside)[0], expected)
    shift = np.array([[1, 0, 3], [0, 1, 0]], np.float32)
    assert np.array_equal(warped(picture, shift, (5, 4))[:, :4], np.repeat(picture[:, :1], 4, 1))


def test_border_can_be_zero() -> None:
    white = np.full((20, 20), 255, np.uint8)
    shift = np.array([[1, 0, 3], [0, 1, 0]], np.float32)
    assert not warped(white, shift, (20, 20), zero=True)[:, :3].any()
    assert warped(white, shift, (20, 20), zero=True)[:, 3:].all()
    assert (blurred(white, 2.0) == 255).all()
    edge = blurred(white, 2.0, zero=True)
    assert edge[10, 0] == pytest.approx(255 * 0.6, abs=8)  # half the bell, and the half of its middle pixel
    assert edge[10, 10] == 255


def test_blur_has_the_sigma_it_says() -> None:
    point = np.zeros((81, 81), np.float32)
    point[40, 40] = 1
    bell = blurred(point, 5.0)
    x = np.arange(81) - 40
    assert bell.sum() == pytest.approx(1, abs=1e-3)
    assert float((bell.sum(0) * x**2).sum()) == pytest.approx(25, rel=0.05)
    assert bell[40, 40] == pytest.approx(1 / (2 * np.pi * 25), rel=0.02)


def test_averaging_down_keeps_the_mean() -> None:
    picture = noise(np.float32, (64, 96))
    blocks = picture.reshape(8, 8, 12, 8).mean((1, 3))
    assert np.abs(resized(picture, (12, 8), cv2.INTER_AREA) - blocks).max() < 1e-3
