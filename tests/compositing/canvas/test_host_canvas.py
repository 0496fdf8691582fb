"""The host canvas: pixels outside the masks keep every bit, and covered faces are unrecognisable."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from canvas_pictures import H, W, matrix_of, noise
from hypothesis import given, settings
from hypothesis import strategies as st

from rtswap.compositing.canvas.covers import CELLS, FADE
from rtswap.compositing.canvas.host import HostCanvas
from rtswap.core.types import Matrix

matrices = st.builds(
    matrix_of, st.floats(0.3, 3), st.floats(-4, 4), st.floats(-60, 60), st.floats(-60, 60)
) | st.builds(lambda x, y: matrix_of(1, 0, x, y), st.integers(-70, 40), st.integers(-50, 40))


@settings(max_examples=60, deadline=None)
@given(matrices, st.integers(0, 1000))
def test_outside_the_mask_every_bit_is_kept(matrix: Matrix, seed: int) -> None:
    image, crop = noise(seed), noise(seed + 1, 40, 30)
    mask = np.zeros((30, 40), np.uint8)
    cv2.ellipse(mask, (20, 15), (14, 9), 0, 0, 360, 255, -1)
    mask = cv2.GaussianBlur(mask, (0, 0), 1.5)
    mask[[0, -1]] = mask[:, [0, -1]] = 0
    before = image.copy()
    canvas = HostCanvas(image)
    canvas.paste(crop, np.asarray(mask, np.uint8), matrix)
    y, x = np.mgrid[:H, :W].astype(np.float64)
    u = matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2]
    v = matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2]
    near = cv2.dilate((mask > 0).astype(np.uint8), np.ones((5, 5), np.uint8))
    inside = (u > -1) & (v > -1) & (u < 40) & (v < 30)
    reached = np.zeros((H, W), bool)
    reached[inside] = near[np.clip(v[inside], 0, 29).astype(int), np.clip(u[inside], 0, 39).astype(int)] > 0
    np.testing.assert_array_equal(canvas.image()[~reached], before[~reached])


@settings(max_examples=40, deadline=None)
@given(st.integers(-70, 40), st.integers(-50, 40), st.integers(0, 1000))
def test_paste_is_the_weighted_mean_within_one(x: int, y: int, seed: int) -> None:
    image, crop = noise(seed), noise(seed + 1, 40, 30)
    mask = noise(seed + 2, 40, 30)[..., 0]
    wanted = image.astype(np.float64)
    for row in range(30):
        for column in range(40):
            v, u = row - y, column - x
            if 0 <= v < H and 0 <= u < W:
                share = mask[row, column] / 255
                wanted[v, u] = share * crop[row, column] + (1 - share) * wanted[v, u]
    canvas = HostCanvas(image)
    canvas.paste(crop, mask, matrix_of(1, 0, x, y))
    assert np.abs(canvas.image() - wanted).max() <= 1.01


@pytest.mark.parametrize(
    "matrix", [matrix_of(0.5, 0, -10, -8), matrix_of(1.7, 0.4, -40, -30), matrix_of(1, 0, -3, 2)]
)
def test_a_crop_is_pasted_back_to_its_place(matrix: Matrix) -> None:
    y, x = np.mgrid[:H, :W]
    image = np.stack([x * 2, y * 3, x + y], 2).astype(np.uint8)
    before = image.astype(int)
    canvas = HostCanvas(image)
    crop = canvas.crop(matrix, (60, 40)).copy()
    mask = np.zeros((40, 60), np.uint8)
    mask[6:-6, 6:-6] = 255
    canvas.paste(crop, mask, matrix)
    inner = np.abs(canvas.image().astype(int) - before)[4:-4, 4:-4]
    assert inner.max() <= 3


def test_a_crop_that_only_moves_is_a_view_and_agrees_with_one_resampled() -> None:
    image = noise(1)
    canvas = HostCanvas(image)
    view = canvas.crop(matrix_of(1, 0, -10, -8), (30, 20))
    assert np.shares_memory(view, image)
    nearly = canvas.crop(matrix_of(1, 1e-5, -10, -8), (30, 20))
    assert not np.shares_memory(nearly, image)
    assert np.abs(view.astype(int) - nearly).max() <= 5


@pytest.mark.parametrize(("x", "y"), [(20, 15), (-80, 0), (0, -50), (500, 500), (-500, -500)])
def test_a_crop_beyond_the_border_continues_it(x: int, y: int) -> None:
    image = noise(2)
    crop = HostCanvas(image).crop(matrix_of(1, 0, x, y), (30, 20))
    assert crop.shape == (20, 30, 3)
    v, u = np.clip(np.arange(20) - y, 0, H - 1), np.clip(np.arange(30) - x, 0, W - 1)
    np.testing.assert_array_equal(crop, image[v][:, u])


boxes = st.tuples(*[st.floats(-150, 250, width=32) for _ in range(4)])


@settings(max_examples=80, deadline=None)
@given(boxes, st.sampled_from(["blur", "pixelate"]), st.integers(0, 1000))
def test_a_cover_leaves_few_cells_across_and_touches_nothing_far_away(
    corners: tuple[float, float, float, float], style: str, seed: int
) -> None:
    image = noise(seed)
    before = image.copy()
    x1, x2, y1, y2 = *sorted(corners[:2]), *sorted(corners[2:])
    HostCanvas(image).cover(np.array([x1, y1, x2, y2], np.float32), style)
    left, right = max(0, math.floor(x1)), min(W, math.ceil(x2))
    top, bottom = max(0, math.floor(y1)), min(H, math.ceil(y2))
    outside = np.ones((H, W), bool)
    if left < right and top < bottom:
        fade = 0 if style == "pixelate" else round(FADE * max(right - left, bottom - top))
        outside[max(top - fade, 0) : bottom + fade, max(left - fade, 0) : right + fade] = False
        region = image[top:bottom, left:right].astype(np.float64)
        rank = np.linalg.matrix_rank(region[..., 0], tol=0.02 * max(region.shape[:2]) * 255)
        assert rank <= CELLS + (3 if fade else 0)  # with those that the smooth ones reach over
        if style == "pixelate":
            assert len(np.unique(region.reshape(-1, 3), axis=0)) <= CELLS**2
    np.testing.assert_array_equal(image[outside], before[outside])


def test_a_blurred_cover_has_no_edge() -> None:
    """Its box ended with a hard one, of up to the waves' height here."""
    wave = 127 + 120 * np.sin(np.arange(240) / 2)
    image = np.repeat(np.round(np.add.outer(wave, wave) / 2)[..., None], 3, axis=2).astype(np.uint8)
    steepest = np.abs(np.diff(image[..., 0].astype(int), axis=0)).max()
    HostCanvas(image).cover(np.array([60, 67, 160, 180], np.float32), "blur")
    for axis in (0, 1):
        assert np.abs(np.diff(image[..., 0].astype(int), axis=axis)).max() <= steepest + 8
    assert image[70:170, 70:150].std() < 25


@pytest.mark.parametrize("box", [[np.nan] * 4, [-np.inf, -np.inf, np.inf, np.inf], [0, 0, np.nan, 5]])
def test_a_box_without_numbers_covers_everything(box: list[float]) -> None:
    image = noise(3)
    HostCanvas(image).cover(np.array(box, np.float32), "pixelate")
    assert len(np.unique(image.reshape(-1, 3), axis=0)) <= CELLS**2
