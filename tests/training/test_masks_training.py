"""The occlusion recipe: labels match what was painted, losses fall, and the export matches the network."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed: it is needed to train, never to use")
pytest.importorskip("onnx", reason="onnx is not installed: it is needed to export the occlusion network")

import torch
from onnx import numpy_helper
from short_trainings import descend
from torch import Tensor

import training.masks
from rtswap.networks.occlusion import SIZE
from rtswap.training.onnx_files import difference, to_onnx
from rtswap.training.recipe import weigh
from rtswap.vision.geometry import canonical
from rtswap.vision.topology import OVAL
from training.landmarks.views import Views
from training.masks.evaluate import figures
from training.masks.export import EXPORT
from training.masks.layers import Layer, creases, freckles, lay, patches
from training.masks.mean import mean_of
from training.masks.network import WEIGHTS, Deployed, OcclusionNetwork, losses, to_input
from training.masks.samples import Batch, Sampler
from training.masks.things import Cutouts, fingertips
from training.masks.worn import CLEAR, DARK, HEADWEAR, NONE, worn_by

WORN = Path(training.masks.__file__).with_name("worn.txt")


@pytest.fixture(scope="module")
def batch() -> Batch:
    meshes = np.stack([canonical().mesh * 55 + np.array([128, 118, 0])] * 3).astype(np.float32)
    images = np.random.default_rng(0).integers(80, 140, (3, 256, 256, 3), np.uint8)
    views = Views(images, meshes, np.ones((3, 468), bool), 1)
    hands = Cutouts(np.full((1, 96, 96, 4), 255, np.uint8))
    return next(Sampler(views, hands, 1, np.array([NONE], np.uint8)).batches(24, again=1, keep=24))


def test_samples_have_open_and_covered_faces_and_count_within_the_face(batch: Batch) -> None:
    assert batch.crops.shape == (24, SIZE, SIZE, 3)
    assert batch.visible.shape == batch.weights.shape == (24, 64, 64)
    hidden = ((batch.visible < 128) & (batch.weights > 128)).sum((1, 2))
    assert 2 <= np.count_nonzero(hidden > 30) <= 22
    assert ((batch.weights > 128).mean((1, 2)) > 0.15).all()
    assert (batch.weights[:, :2, :2] < 128).all()


def test_a_layer_hides_what_it_covers_and_its_shadow_hides_nothing() -> None:
    alpha = np.zeros((SIZE, SIZE), np.uint8)
    alpha[40:60, 40:60] = 255
    for seed in range(8):
        crop, hidden = np.full((SIZE, SIZE, 3), 200, np.uint8), np.zeros((SIZE, SIZE), np.uint8)
        lay(crop, hidden, Layer(np.zeros_like(crop), alpha), np.random.default_rng(seed))
        assert crop[50, 50].max() < 60
        assert hidden[50, 50] > 190
        assert hidden[90:].max() == 0


def test_right_answers_cost_little_and_score_full(batch: Batch) -> None:
    truth = torch.from_numpy(batch.visible) / 255.0
    weights = torch.from_numpy(batch.weights) / 255.0
    right, wrong = (losses(sign * (truth.round() * 40 - 20), truth.round(), weights) for sign in (1, -1))
    assert float(weigh(right, WEIGHTS)) < 0.05
    assert float(weigh(wrong, WEIGHTS)) > 1
    scores = figures(batch.visible / 255.0, batch)
    assert scores["iou_hidden"] == scores["iou_visible"] == 1
    assert scores["missed"] == scores["lost"] == 0


def test_the_network_keeps_its_budget_and_learns_from_a_few_steps(batch: Batch) -> None:
    torch.manual_seed(0)
    network = OcclusionNetwork()
    assert sum(parameter.numel() for parameter in network.parameters()) <= 420_000
    crops, guides, visible, weights = (torch.from_numpy(part) for part in (
        batch.crops, batch.guides, batch.visible, batch.weights))  # fmt: skip

    def loss() -> Tensor:
        return weigh(losses(network(to_input(crops, guides)), visible / 255.0, weights / 255.0), WEIGHTS)

    totals = descend(network, loss, steps=8, rate=2e-3)
    assert totals[-1] < 0.8 * totals[0]


def test_the_exported_network_says_what_torch_says() -> None:
    torch.manual_seed(1)
    deployed = Deployed(OcclusionNetwork().eval()).eval()
    model = to_onnx(EXPORT, deployed)
    assert len(model.SerializeToString()) <= 1_000_000
    assert difference(EXPORT, model, deployed, 1) < EXPORT.most
    assert difference(EXPORT, model, deployed, 4) < EXPORT.most


def test_dark_lenses_that_people_wear_hide_their_eyes_and_clear_ones_nothing() -> None:
    assert worn_by(["sfhq_0414.jpg", "no_such_picture.jpg"]).tolist() == [DARK, NONE]
    known = worn_by(line.split()[0] for line in WORN.read_text().splitlines() if line[0] != "#")
    assert {CLEAR, HEADWEAR, HEADWEAR | DARK} <= set(known.tolist())
    meshes = (canonical().mesh * 55 + np.array([128, 118, 0])).astype(np.float32)[None]
    images = np.full((1, 256, 256, 3), 120, np.uint8)
    views = Views(images, meshes, np.ones((1, 468), bool), 1)
    hands = Cutouts(np.full((1, 96, 96, 4), 255, np.uint8))
    hidden = {}
    for kind in (NONE, CLEAR, DARK):
        samples = next(Sampler(views, hands, 3, np.array([kind], np.uint8)).batches(16, again=1, keep=16))
        middle = samples.visible[:, 20:26, 18:46], samples.weights[:, 20:26, 18:46]
        hidden[kind] = float((middle[0] < 128).mean()), float(middle[1].mean())
    assert hidden[DARK][0] > hidden[NONE][0] + 0.1, "dark lenses hide the eyes"
    assert hidden[CLEAR] == hidden[NONE], "frames are found by the glasses network"


def test_painted_frames_hide_nothing_and_lenses_that_nobody_sees_through_do() -> None:
    meshes = (canonical().mesh * 55 + np.array([128, 118, 0])).astype(np.float32)[None]
    views = Views(np.full((1, 256, 256, 3), 120, np.uint8), meshes, np.ones((1, 468), bool), 1)
    hands, worn = Cutouts(np.zeros((0, 96, 96, 4), np.uint8)), np.zeros(1, np.uint8)
    sampler = Sampler(views, hands, 5, worn, {"spectacles": 1}, 0)
    samples = next(sampler.batches(40, again=1, keep=40))
    hidden = (samples.visible[:, 16:40] < 128).mean((1, 2))
    assert 8 < (hidden == 0).sum() < 32
    assert hidden.max() > 0.1


def test_fingertips_reach_over_the_edge_from_outside() -> None:
    mesh = (canonical().mesh * 24 + np.array([64, 60, 0])).astype(np.float32)
    face, grey = np.zeros((SIZE, SIZE), np.uint8), np.full((SIZE, SIZE, 3), 128, np.uint8)
    cv2.fillPoly(face, [np.round(mesh[OVAL, :2]).astype(np.int32)], 1)
    shares = []
    for seed in range(40):
        alpha = fingertips(SIZE, mesh, np.array([90.0, 120, 160]), grey, np.random.default_rng(seed)).alpha > 127
        shares.append((alpha & (face > 0)).sum() / face.sum())
        assert alpha[[0, -1]].any() or alpha[:, [0, -1]].any(), "a hand has an arm that comes from somewhere"
    assert 0 < np.median(shares) < 0.12
    assert max(shares) < 0.4


def test_the_mean_of_a_network_with_itself_is_that_network_and_half_way_is_half_way() -> None:
    torch.manual_seed(0)
    old, new = (to_onnx(EXPORT, Deployed(OcclusionNetwork()).eval()) for _ in range(2))
    first, second, mean = (
        {one.name: numpy_helper.to_array(one).astype(np.float32) for one in model.graph.initializer}
        for model in (old, new, mean_of(old, new))
    )
    assert mean_of(old, old).graph.initializer == old.graph.initializer
    name = max(first, key=lambda one: first[one].size)
    np.testing.assert_allclose(mean[name], (first[name] + second[name]) / 2, atol=1e-3)
    new.graph.initializer[0].name = "another"
    with pytest.raises(ValueError, match="different layers"):
        mean_of(old, new)


def test_blemishes_change_the_picture_and_hide_nothing() -> None:
    """Patches, freckles and creases lie on the face alone."""
    points = canonical().mesh * 22 + 64
    for paint in (patches, freckles, creases):
        changed = []
        for seed in range(6):
            crop = np.full((SIZE, SIZE, 3), 120, np.uint8)
            paint(crop, points, np.random.default_rng(seed))
            changed.append(int(np.abs(crop.astype(int) - 120).max()))
        assert max(changed) > 5, paint.__name__
