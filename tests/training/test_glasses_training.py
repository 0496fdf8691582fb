"""The glasses recipe: labels lie where frames were painted, losses fall, and the export matches the network."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed: it is needed to train, never to use")
pytest.importorskip("onnx", reason="onnx is not installed: it is needed to export the glasses network")

import torch
from short_trainings import descend
from torch import Tensor

from rtswap.networks.glasses import HEIGHT, WIDTH
from rtswap.training.layers import to_input
from rtswap.training.onnx_files import difference, to_onnx
from rtswap.training.recipe import weigh
from rtswap.vision.geometry import canonical
from training.glasses.evaluate import figures
from training.glasses.export import EXPORT
from training.glasses.network import WEIGHTS, Deployed, GlassesNetwork, losses
from training.glasses.samples import Batch, Sampler, Strips
from training.landmarks.views import Views
from training.masks.spectacles import KINDS, spectacles
from training.masks.worn import CLEAR, NONE

GREY = 140


def source(traced: dict[int, np.ndarray] | None = None, count: int = 24) -> Strips:
    """Two grey people; the second wears glasses."""
    meshes = np.stack([canonical().mesh * 55 + np.array([128, 118, 0])] * 2).astype(np.float32)
    views = Views(np.full((2, 256, 256, 3), GREY, np.uint8), meshes, np.ones((2, 468), bool), 2)
    return Strips(views, np.array([NONE, CLEAR], np.uint8), traced or {}, count)


@pytest.fixture(scope="module")
def batch() -> Batch:
    return next(Sampler(source(), 1).batches(again=1))


def test_samples_are_strips_of_faces_with_and_without_glasses(batch: Batch) -> None:
    assert batch.strips.shape == (24, HEIGHT, WIDTH, 3)
    assert batch.frames.shape == batch.weights.shape == (24, HEIGHT, WIDTH)
    painted = (batch.frames > 127).sum((1, 2))
    assert ((painted > 30) == (batch.worn == 1)).mean() > 0.9
    assert 6 <= batch.worn.sum() <= 20
    assert (batch.weights > 200).any((1, 2)).all()


@pytest.mark.parametrize("size", [128, 192])
def test_frames_are_as_thick_in_any_crop(size: int) -> None:
    """Share of the crop that the frames of 60 glasses hide."""
    mesh = (canonical().mesh * (0.22 * size) + np.array([size / 2, size / 2, 0])).astype(np.float32)
    rng = np.random.default_rng(4)
    hidden = [float((spectacles(size, mesh, rng).hides > 127).mean()) for _ in range(60)]
    assert len(KINDS) == 6
    assert np.mean(hidden) == pytest.approx(0.029, abs=0.008)


def test_traced_frames_are_taught_and_what_nobody_knows_does_not_count() -> None:
    traced = np.zeros((HEIGHT, WIDTH), np.uint8)
    traced[30:40, 20:80], traced[60:70, 20:80] = 255, 128
    sampler = Sampler(source({1: traced}), 3)
    found = [one for one in (sampler.one() for _ in range(60)) if one[3] and (one[1][30:40, 20:80] == 255).all()]
    assert found
    for _, frames, weights, _ in found:
        assert not frames[60:].any()
        assert not weights[60:70, 20:80].any()


def test_right_answers_cost_little_and_score_full(batch: Batch) -> None:
    truth, weights, wears = (torch.from_numpy(one.astype(np.float32)) for one in (
        batch.frames > 127, batch.weights / 255, batch.worn))  # fmt: skip
    right, wrong = (losses(s * (truth * 40 - 20), s * (wears * 40 - 20), truth, weights, wears) for s in (1, -1))
    assert float(weigh(right, WEIGHTS)) < 0.05
    assert float(weigh(wrong, WEIGHTS)) > 1
    scores = figures(batch.frames / 255.0, batch)
    assert scores["iou"] == 1
    assert scores["missed"] == scores["false"] == 0


def test_the_network_keeps_its_budget_and_learns_from_a_few_steps(batch: Batch) -> None:
    torch.manual_seed(0)
    network = GlassesNetwork()
    assert sum(parameter.numel() for parameter in network.parameters()) <= 560_000
    strips, truth, weights = (torch.from_numpy(part) for part in batch[:3])

    def loss() -> Tensor:
        frames, worn = network(to_input(strips))
        wears = torch.from_numpy(batch.worn).float()
        return weigh(losses(frames, worn, truth / 255.0, weights / 255.0, wears), WEIGHTS)

    totals = descend(network, loss, steps=8, rate=2e-3)
    assert totals[-1] < 0.8 * totals[0]


def test_the_exported_network_says_what_torch_says_and_nothing_where_none_are_worn() -> None:
    torch.manual_seed(1)
    network = GlassesNetwork().eval()
    deployed = Deployed(network).eval()
    model = to_onnx(EXPORT, deployed)
    assert len(model.SerializeToString()) <= 1_200_000
    assert difference(EXPORT, model, deployed, 1) < EXPORT.most
    assert difference(EXPORT, model, deployed, 4) < EXPORT.most
    strips = torch.randint(0, 256, (2, HEIGHT, WIDTH, 3), dtype=torch.uint8)
    with torch.no_grad():
        network.worn.weight.zero_()
        for bias, most in ((-5.0, 0.0), (5.0, 1.0)):
            network.worn.bias.fill_(bias)
            found = deployed(strips)
            assert float(found.max()) <= most
            assert (float(found.max()) > 0) == (most > 0)
