"""Random warps, and the losses against an independent reference."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed: it is needed to train, never to use")

import torch
from skimage.metrics import structural_similarity

from rtswap.training.losses import colour_statistics, decibels, dssim, edges, smooth, soft_mask, ssim, unlike
from rtswap.training.optimisers import KEPT, AdaBelief
from rtswap.training.people import Draw, Person, recolour
from rtswap.training.warp import Variation, draw_maps, grid, warp_field

STILL = Variation(turn=0, zoom=0, shift=0, mirrored=0, warp=0)


def test_no_variation_and_no_warp_show_the_stored_picture_scaled() -> None:
    warped, straight = draw_maps(np.random.default_rng(0), STILL, 64, 64)
    np.testing.assert_allclose(straight, grid(64), atol=1e-4)
    np.testing.assert_array_equal(warped, straight)
    _, half = draw_maps(np.random.default_rng(0), STILL, 128, 64)
    np.testing.assert_allclose(half, 2 * grid(64) + 0.5, atol=1e-4)  # the centre of each block of 2 x 2


def test_a_mirrored_sample_is_the_mirror_image() -> None:
    _, straight = draw_maps(np.random.default_rng(0), Variation(0, 0, 0, mirrored=1, warp=0), 64, 64)
    np.testing.assert_allclose(straight, grid(64)[:, ::-1], atol=1e-4)


def test_variations_stay_within_their_limits() -> None:
    rng, middles, scales, turns = np.random.default_rng(1), [], [], []
    for _ in range(300):
        _, where = draw_maps(rng, Variation(mirrored=0), 100, 100)
        middles.append(where[49:51, 49:51].mean((0, 1)) - 49.5)
        right = (where[50, 99] - where[50, 0]) / 99
        scales.append(np.hypot(*right))
        turns.append(np.degrees(np.arctan2(right[1], right[0])))
    assert 9 < np.abs(turns).max() <= 10.01
    assert 1.13 < max(scales) <= 1.1501
    assert 1 / 1.1501 <= min(scales) < 1 / 1.13
    assert 4 < np.abs(middles).max() < 5 * 1.15 * np.sqrt(2)


def test_the_warp_moves_nothing_at_the_border_and_has_the_spread_of_its_nodes() -> None:
    rng = np.random.default_rng(2)
    fields = [warp_field(rng, 96, 0.24) for _ in range(400)]
    for field in fields[:20]:
        for edge in (field[0], field[-1], field[:, 0], field[:, -1]):
            np.testing.assert_allclose(edge, 0, atol=1e-3)
    middles = [np.abs(field[47:49, 47:49]).mean() for field in fields]
    assert 2 < np.mean(middles) < 12  # half of the normal spread of .24 cells of 48, 24 or 12 px
    assert np.abs(warp_field(rng, 96, 0.0)).max() == 0


def test_ssim_is_that_of_scikit_image() -> None:
    rng = np.random.default_rng(3)
    a = rng.random((40, 40, 3)).astype(np.float32)
    b = (0.7 * a + 0.3 * rng.random((40, 40, 3))).astype(np.float32)
    reference = structural_similarity(
        a, b, channel_axis=2, data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, full=True
    )[1]
    inside = reference[5:-5, 5:-5].mean()  # its window is 11 px, and reaches over the border
    ours = ssim(*(torch.from_numpy(x).permute(2, 0, 1)[None] for x in (a, b)), 11)
    assert float(ours) == pytest.approx(float(inside), abs=2e-4)
    assert float(dssim(torch.ones(1, 3, 20, 20), torch.ones(1, 3, 20, 20), 9)) == pytest.approx(0, abs=1e-6)


def test_the_soft_mask_keeps_the_inside_and_fades_outside() -> None:
    mask = torch.zeros(1, 1, 32, 32)
    mask[:, :, 8:24, 8:24] = 1
    soft = soft_mask(mask, 2.0)[0, 0]
    assert float(soft[10:22, 10:22].min()) > 0.999
    assert 0.1 < float(soft[6, 16]) < 0.9
    assert float(soft[0].max()) == 0
    assert float(smooth(torch.ones(1, 1, 9, 9), 5, 1.0, padded=True).std()) < 1e-6


def test_colour_statistics_by_hand() -> None:
    picture = torch.tensor([[0.0, 1.0], [2.0, 9.0]])[None, None]
    where = torch.tensor([[1.0, 1.0], [1.0, 0.0]])[None, None]
    mean, deviation = colour_statistics(picture, where)[0]
    assert float(mean) == pytest.approx(1.0)
    assert float(deviation) == pytest.approx((2 / 3) ** 0.5, abs=1e-4)


def test_edges_decibels_and_likeness_by_hand() -> None:
    """2 x 2 errors of .4, .2, .1, 0: at the first place differences of .2 to the right and .3 below. Errors of .2
    among values that span 2 are 20 dB, wherever no weight is."""
    made = torch.tensor([[0.4, 0.2], [0.1, 0.0]]).expand(1, 3, 2, 2)
    nothing, whole = torch.zeros_like(made), torch.ones(1, 1, 2, 2)
    assert float(edges(made, nothing, whole)) == pytest.approx(0.25)
    upper = torch.tensor([[1.0, 1.0], [0.0, 0.0]]).view(1, 1, 2, 2)
    assert decibels(torch.full((1, 3, 2, 2), 0.2) + (1 - upper), nothing, upper, 2) == pytest.approx(20, abs=1e-4)
    one, other = torch.tensor([[1.0, 0.0], [0.6, 0.8]]), torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    assert float(unlike(one, other)) == pytest.approx(0.2)


def test_adabelief_takes_the_step_that_its_formula_says() -> None:
    weight = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
    optimiser = AdaBelief([weight], 0.1)
    mean = spread = torch.zeros(2)
    value = weight.detach().clone()
    for gradient in (torch.tensor([0.5, -1.0]), torch.tensor([0.25, 3.0])):
        weight.grad = gradient
        optimiser.step()
        mean = 0.9 * mean + 0.1 * gradient
        spread = 0.999 * spread + 0.001 * (gradient - mean) ** 2
        value = value - 0.1 * mean / (spread.sqrt() + 1e-6)
        torch.testing.assert_close(weight.detach(), value)


def test_learning_rate_dropout_moves_three_tenths_of_the_weights() -> None:
    torch.manual_seed(0)
    weight = torch.nn.Parameter(torch.zeros(10_000))
    optimiser = AdaBelief([weight], 0.1)
    optimiser.param_groups[0]["dropout"] = True
    weight.grad = torch.ones(10_000)
    optimiser.step()
    assert float((weight != 0).float().mean()) == pytest.approx(KEPT, abs=0.02)


def flat(bgr: tuple[int, int, int], count: int = 4) -> Person:
    pictures = np.tile(np.array(bgr, np.uint8), (count, 32, 32, 1))
    pictures[:, ::2] = np.clip(pictures[:, ::2].astype(int) + 12, 0, 255)
    mask = np.full((count, 32, 32), 255, np.uint8)
    return Person(pictures, mask, np.zeros_like(mask), np.linspace(-30, 30, count, dtype=np.float32))


def test_random_colours_are_those_of_the_other_person() -> None:
    dark, light = flat((60, 80, 120)), flat((150, 170, 200))
    moved = recolour([dark.pictures[0]], dark.pictures[0], dark.masks[0], light, 1)[0]
    np.testing.assert_allclose(moved.mean((0, 1)), light.pictures[1].mean((0, 1)), atol=3)


def test_uniform_yaw_shows_rare_angles_as_often_as_common_ones() -> None:
    many = flat((90, 90, 90), 100)
    person = Person(many.pictures, many.masks, many.features, np.r_[np.zeros(99), 60].astype(np.float32))
    person.pictures[-1] = 200
    rng = np.random.default_rng(0)
    shown = [Draw(person, 32, STILL, uniform_yaw=True).sample(rng)[1].mean() > 150 for _ in range(200)]
    assert 0.35 < np.mean(shown) < 0.65
