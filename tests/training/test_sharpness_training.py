"""The sharpness recipe: samples lack what they should, losses fall, and the export matches the network."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed: it is needed to train, never to use")
pytest.importorskip("onnx", reason="onnx is not installed: it is needed to export the network")

import cv2
import torch
from short_trainings import descend

from rtswap.training.onnx_files import difference, to_onnx
from rtswap.training.recipe import weigh
from training.sharpness.evaluate import FACTORS, figures, open_trial, restore
from training.sharpness.export import EXPORT
from training.sharpness.network import WEIGHTS, Deployed, SharpnessNetwork, losses
from training.sharpness.samples import PATCH, Face, Faces, Look, degrade, sample


def kinds() -> list[list[Face]]:
    """Pictures of two sizes, full of edges."""
    rng = np.random.default_rng(0)
    made = []
    for side, least in ((256, 0.85), (512, 0.6)):
        blocks = np.kron(rng.integers(40, 220, (side // 16, side // 16)), np.ones((16, 16))).astype(np.uint8)
        box = np.array([0.25, 0.2, 0.75, 0.8], np.float32) * side
        made.append([Face(blocks, box, least)])
    return made


@pytest.mark.parametrize("factor", [1.3, 2.0, 4.0])
def test_versions_lie_where_the_truth_lies_and_lack_more_the_smaller_they_were(factor: float) -> None:
    y, x = np.mgrid[:160, :160]
    disc = (60 + 120 * (np.hypot(x - 80, y - 70) < 40)).astype(np.uint8)
    for seed in range(6):
        found = degrade(disc, Look(factor, 0.5, 0.0, 0.0, 0, cv2.INTER_CUBIC), np.random.default_rng(seed))
        weights = found.astype(float) - 60
        assert abs((weights * x).sum() / weights.sum() - 80) < 0.3
        assert abs((weights * y).sum() / weights.sum() - 70) < 0.3
        assert np.abs(np.diff(found.astype(int), axis=1)).max() < 120 / factor + 15


def test_a_batch_has_two_versions_of_every_truth() -> None:
    given, truth = next(Faces(kinds(), 6).batches(1))
    assert given.shape == (12, PATCH, PATCH)
    assert truth.shape == (6, PATCH, PATCH)
    again, _ = next(Faces(kinds(), 6).batches(1))
    np.testing.assert_array_equal(given, again)
    versions, own = sample(kinds(), np.random.default_rng(3), Look(1.0, 0.0, 0.0, 0.0, 0, cv2.INTER_LINEAR))
    np.testing.assert_array_equal(versions[0], own)


def test_the_truth_costs_nothing_and_versions_that_differ_do() -> None:
    truth = torch.rand(2, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    right = losses(truth.repeat(2, 1, 1, 1), truth)
    assert all(float(value) < 1e-6 for value in right.values())
    wrong = losses(torch.cat([truth, truth + 0.1]), truth)
    assert float(wrong["steady"]) == pytest.approx(0.1, rel=1e-4)
    assert float(wrong["edges"]) < 1e-6


def test_it_begins_with_no_change_keeps_its_budget_and_learns() -> None:
    torch.manual_seed(0)
    network = SharpnessNetwork()
    assert sum(parameter.numel() for parameter in network.parameters()) < 66_000
    truth = torch.from_numpy(next(Faces(kinds(), 4).batches(1))[1]).unsqueeze(1).float() / 255
    given = (0.6 * truth + 0.2).repeat(2, 1, 1, 1)
    assert float(network(given).detach().abs().max()) == 0
    totals = descend(network, lambda: weigh(losses(given + network(given), truth), WEIGHTS), steps=30, rate=3e-3)
    assert totals[-1] < 0.7 * totals[0]


def test_figures_of_a_network_that_changes_nothing() -> None:
    trial = open_trial(kinds(), 3)
    found = figures(restore(lambda crops: np.zeros(crops.shape[:3], np.float32), trial), trial)
    assert all(found[f"gain_{factor:g}"] == 0 and found[f"flicker_{factor:g}"] == 1 for factor in FACTORS)
    assert found["detail_4"] < found["detail_2"] < found["detail_1"]


def test_the_exported_network_says_what_torch_says() -> None:
    torch.manual_seed(1)
    deployed = Deployed(SharpnessNetwork().eval()).eval()
    torch.nn.init.normal_(deployed.network.last.weight, std=0.05)
    model = to_onnx(EXPORT, deployed)
    assert len(model.SerializeToString()) <= 200_000
    for count in (1, 3):
        assert difference(EXPORT, model, deployed, count) < EXPORT.most
