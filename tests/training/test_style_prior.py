"""The style prior: sizes as in the papers, modulation as by weights of each sample's own, losses by hand."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed: it is needed to train, never to use")

import cv2
import torch
from small_crowd import small_crowd
from torch import Tensor, nn
from torch.nn import functional

from rtswap.training.recipes.fslsd.network import Decoder, Direction, Fslsd, TargetEncoder
from rtswap.training.recipes.megafs.network import Transfer
from rtswap.training.recipes.style_prior import losses
from rtswap.training.recipes.style_prior.critic import Critic, vary
from rtswap.training.recipes.style_prior.encoder import Encoder
from rtswap.training.recipes.style_prior.hierfe import RESNET50, HieRfe
from rtswap.training.recipes.style_prior.network import GAIN, Dims, Generator, Modulated, StylePrior
from rtswap.training.recipes.style_prior.points import heatmaps, normalise, outline
from rtswap.training.recipes.style_prior.samples import Portraits, move, relight
from rtswap.training.warp import Variation, draw_maps, placed
from rtswap.vision.resample import looked_up
from rtswap.vision.topology import OVAL


def count(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


def test_sizes_are_the_papers() -> None:
    """In millions: StyleGAN2-1024's generator 30.37 with its mapping, which is not built here, and critic 29.0; pSp's
    encoder 267.1; FSLSD's encoders of landmarks 108.6 and of targets 8.65, decoder 14.9; MegaFS's transfer 66.2 and
    encoder 242."""
    with torch.device("meta"):
        dims = Dims.full()
        mapping = 8 * (512 * 512 + 512)
        assert count(Generator(dims)) + mapping == 30_370_043
        assert round(count(Critic(dims, full=True)) / 1e6, 1) == 29.0
        assert count(Encoder(dims.encoder, dims.style)) == 267_136_704
        assert round(count(Direction(dims, 7, full=True)) / 1e6, 1) == 108.6
        assert round(count(TargetEncoder(dims)) / 1e6, 2) == 8.65
        assert round(count(Decoder(dims)) / 1e6, 1) == 14.9
        assert round(count(Transfer(14, 512)) / 1e6, 1) == 66.2
        assert round(count(HieRfe(RESNET50, 1024, 512)) / 1e6) == 242


def test_shapes_at_full_size() -> None:
    with torch.device("meta"), torch.no_grad():
        network = Fslsd(Dims.full(), 7, full=True).eval()
        faces, points = torch.zeros(1, 3, 1024, 1024), torch.zeros(1, 468, 3)
        rows = network.prior.encode(faces)
        assert rows.shape == (1, 18, 512)
        maps, picture = network.prior.generator(rows)
        assert [tuple(one.shape[1:3]) for one in maps] == [
            (512, 4), (512, 8), (512, 16), (512, 32), (512, 64), (256, 128), (128, 256), (64, 512), (32, 1024),
        ]  # fmt: skip
        assert picture.shape == faces.shape
        shape = network.shape_of(points)
        assert shape.shape == (1, 106, 3)
        assert heatmaps(shape, 256).shape == (1, 106, 256, 256)
        assert network.direction(shape, shape).shape == (1, 7, 512)
        target = network.target(faces)
        assert [tuple(one.shape[1:3]) for one in target] == [tuple(one.shape[1:3]) for one in maps[1:]]
        assert network.decoder(maps[1:], target, faces[:, :1]).shape == faces.shape


def test_megafs_encoder_also_makes_the_map_that_the_generator_begins_with() -> None:
    with torch.device("meta"), torch.no_grad():
        encoder = HieRfe(RESNET50, 1024, 512).eval()
        sides = []
        for stage in encoder.stages:
            stage.register_forward_hook(lambda *given: sides.append(given[2].shape[1:3]))
        assert encoder(torch.zeros(1, 3, 1024, 1024)).shape == (1, 18 + 16, 512)
        assert [tuple(one) for one in sides] == [(256, 64), (512, 32), (1024, 16), (2048, 8), (2048, 4)]
        assert [len(heads) for heads in encoder.heads] == [4, 6, 8]
    prior = StylePrior(Dims.small(64, hierfe=True)).eval()
    with torch.no_grad():
        rows = prior.encode(torch.rand(2, 3, 64, 64))
        assert rows.shape == (2, 10 + 16, 128)
        place = rows.clone()
        place[:, 10 + 5] += 1  # of row 1 and column 1
        first = [prior.generator(one)[1] for one in (rows, place)]
    assert not torch.equal(*first)


@pytest.mark.parametrize(("resolution", "rows"), [(64, 10), (128, 12), (256, 14)])
def test_shapes_at_small_sizes(resolution: int, rows: int) -> None:
    prior = StylePrior(Dims.small(resolution))
    with torch.no_grad():
        found = prior.encode(torch.zeros(2, 3, resolution, resolution))
        assert found.shape == (2, rows, 128)
        maps, picture = prior.generator(found)
        assert picture.shape == (2, 3, resolution, resolution)
        assert [one.shape[-1] for one in maps] == list(prior.dims.sides)
        assert prior.reader(picture).shape == (2, 68, 2)
        assert Critic(prior.dims)(vary(picture)).shape == (2, 1)


def test_scaled_activations_are_scaled_weights() -> None:
    """StyleGAN2's own way: each sample has weights of its own, scaled and divided by their length."""
    torch.manual_seed(0)
    layer, x, rows = Modulated(6, 5, 8), torch.randn(3, 6, 7, 7), torch.randn(3, 8)
    own = []
    for one, row in zip(x, rows, strict=True):
        weight = layer.weight * layer.affine(row)[None, :, None, None]
        weight = weight / (weight.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
        own.append(functional.conv2d(one[None], weight * GAIN, padding=1))
    torch.testing.assert_close(layer(x, rows), torch.cat(own), atol=1e-5, rtol=1e-4)


def test_points_masks_and_heat_maps_are_where_the_landmarks_are() -> None:
    points = torch.from_numpy(small_crowd(2).points)
    drawn = np.zeros((64, 64), np.uint8)
    cv2.fillPoly(drawn, [np.round(points[1, OVAL, :2].numpy()).astype(np.int32)], 1)
    mask = outline(points, 64)
    assert mask.shape == (2, 1, 64, 64)
    wrong = (mask[1, 0].numpy() > 0.5) != (drawn > 0)
    assert wrong.mean() < 0.02
    assert float(mask.min()) == 0
    assert float(mask.max()) == 1
    flat = normalise(torch.tensor([[[0.0, 63.0, 5.0], [31.5, 31.5, 7.0]]]), 64)[0]
    torch.testing.assert_close(flat[:, :2], torch.tensor([[-63 / 64, 63 / 64], [0.0, 0.0]]))
    assert float(flat[:, 2].sum()) == 0
    bells = heatmaps(torch.tensor([[[-63 / 64, 61 / 64]]]), 64)
    assert divmod(int(bells[0, 0].argmax()), 64) == (62, 0)
    assert float(bells.max()) == pytest.approx(1)


def test_histograms_are_matched_within_the_mask_alone() -> None:
    made = torch.tensor([[0.1, 0.9], [0.5, -1.0]]).expand(1, 3, 2, 2)
    wanted = torch.tensor([[0.3, 0.2], [0.7, 0.0]]).expand(1, 3, 2, 2)
    mask = torch.tensor([[1.0, 1.0], [1.0, 0.0]]).view(1, 1, 2, 2)
    found = losses.match_histograms(made, wanted, mask)
    torch.testing.assert_close(found[0, 0], torch.tensor([[0.2, 0.7], [0.3, -1.0]]))
    off = (0.1**2 + 0.2**2 + 0.2**2) / 3
    assert float(losses.style(made, wanted, mask)) == pytest.approx(off)
    assert float(losses.style(wanted, wanted, mask)) == 0


def test_losses_of_pictures_and_points_by_hand() -> None:
    off = torch.tensor([[0.2, 0.0], [0.0, -0.4]]).expand(1, 3, 2, 2)
    nothing, whole = torch.zeros_like(off), torch.ones(1, 1, 2, 2)
    assert float(losses.difference(off, nothing, whole)) == pytest.approx((0.04 + 0.16) / 4)
    left = torch.tensor([[1.0, 0.0], [1.0, 0.0]]).view(1, 1, 2, 2)
    assert float(losses.difference(off, nothing, left)) == pytest.approx(0.04 / 4)
    points = torch.tensor([[[0.3, 0.4], [0.0, 0.0]]])
    assert float(losses.apart(points, torch.zeros_like(points))) == pytest.approx(0.25, abs=1e-3)


def test_losses_of_clips_by_hand() -> None:
    target = torch.tensor([0.0, 1.0, 3.0]).view(1, 3, 1, 1)
    assert float(losses.trajectory(target + 5, target)) == 0, "another person who moves the same way"
    assert float(losses.trajectory(torch.zeros_like(target), target)) == pytest.approx((1 + 4) / 2)
    first = torch.zeros(1, 3, 4, 4)
    first[..., 1, 1] = 1.0
    clip = torch.stack([first, first.roll(1, -1)], 1)
    flow = torch.zeros(1, 1, 2, 4, 4)
    flow[:, :, 0] = -1.0
    seen = torch.ones(1, 1, 1, 4, 4)
    assert float(losses.unsteady(clip, flow, seen)) == pytest.approx(0, abs=1e-6)
    assert float(losses.unsteady(clip, torch.zeros_like(flow), seen)) == pytest.approx(2 / 16)
    seen[..., 1, :] = 0
    assert float(losses.unsteady(clip, torch.zeros_like(flow), seen)) == 0


def test_losses_of_the_critic_by_hand() -> None:
    log = float(functional.softplus(torch.tensor(1.0)))
    assert float(losses.generator_loss(torch.tensor([-1.0]))) == pytest.approx(log)
    assert float(losses.critic_loss(torch.tensor([-1.0]), torch.tensor([1.0]))) == pytest.approx(2 * log)
    picture = torch.ones(1, 1, 2, 2, requires_grad=True)
    assert float(losses.penalty((3 * picture).sum().view(1), picture)) == pytest.approx(4 * 9 / 2)


def test_samples_show_their_landmarks() -> None:
    """A dot at a landmark is where the sample's landmark is, mirrored or not."""
    crowd, rng = small_crowd(1), np.random.default_rng(0)
    picture = np.zeros((64, 64), np.uint8)
    x, y = np.round(crowd.points[0, 263, :2]).astype(int)
    picture[y - 1 : y + 2, x - 1 : x + 2] = 255
    for mirrored, at in ((0.0, 263), (1.0, 33)):
        _, straight = draw_maps(rng, Variation(mirrored=mirrored, warp=0.0), 64, 64)
        shown = looked_up(picture, straight)
        dot = np.argwhere(shown > 100).mean(0)[::-1]
        assert np.abs(placed(crowd.points[0], straight)[at, :2] - dot).max() < 1.2


def test_faces_that_move_carry_their_landmarks_and_their_flow() -> None:
    torch.manual_seed(0)
    crowd = small_crowd(3)
    faces = torch.from_numpy(crowd.pictures).permute(0, 3, 1, 2).float() / 127.5 - 1
    points = torch.from_numpy(crowd.points)
    after, at, flow = move(faces, points)
    clip = torch.stack([faces, after], 1)
    assert float(losses.unsteady(clip, flow[:, None], torch.ones(3, 1, 1, 64, 64))) < 1e-5
    assert float((after - faces).abs().mean()) > 0.01
    for k in range(3):
        x, y = at[k, 1, :2].round().int().tolist()
        before = torch.tensor([x, y]) + flow[k, :, y, x]
        assert float((before - points[k, 1, :2]).abs().max()) < 1.0


def test_the_same_number_is_the_same_batch_and_tone_keeps_the_shape() -> None:
    first, again, other = (Portraits(small_crowd(8), 4, 0).batch(number) for number in (3, 3, 4))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])
    ramp: Tensor = torch.linspace(-1, 1, 8).expand(2, 3, 1, 8)
    found = relight(ramp)
    assert bool((found.diff(dim=-1) >= 0).all())
    assert not torch.allclose(found, ramp, atol=0.02)
