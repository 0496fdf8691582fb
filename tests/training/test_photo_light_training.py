"""The photo's light recipe: dividing by the truth evens out a sample, losses fall, and the export matches."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed: it is needed to train, never to use")
pytest.importorskip("onnx", reason="onnx is not installed: it is needed to export the photo's light network")

import torch
from people import person
from short_trainings import descend
from torch import Tensor

from rtswap.networks.photo_light import OFFSET, SIZE
from rtswap.swappers.mesh.uv_chart import inwards
from rtswap.training.onnx_files import difference, to_onnx
from rtswap.training.recipe import weigh
from rtswap.vision.geometry import canonical
from training.photo_light.evaluate import Trial, figures
from training.photo_light.export import EXPORT
from training.photo_light.lamps import Head
from training.photo_light.network import WEIGHTS, Deployed, PhotoLightNetwork, losses, to_logs
from training.photo_light.patterns import KINDS, random_pattern
from training.photo_light.samples import Chart, Lit, open_lamps, unevenness

GREY = np.full((SIZE, SIZE, 3), 150, np.uint8)
SEEN = np.asarray(255 * (inwards() > 0), np.uint8)


@pytest.fixture(scope="module")
def batch() -> tuple[np.ndarray, ...]:
    lamps = open_lamps([canonical().mesh * 50], np.random.default_rng(1))[:40]
    return next(Lit([Chart(GREY, SEEN)], lamps, 16).batches(3))


def test_a_lamp_from_the_left_leaves_the_right_of_the_face_and_the_side_of_the_nose_dark() -> None:
    head = Head(canonical().mesh * 50)
    left, front = (head.under(np.array(towards, np.float32)) for towards in ((-0.8, 0, -0.6), (0, 0, -1)))
    cheeks = np.s_[60:80, 25:40], np.s_[60:80, SIZE - 40 : SIZE - 25]
    lit, dark = (float(left.shade[cheek].mean()) for cheek in cheeks)
    assert lit > 2 * dark
    assert front.shade[cheeks[0]].mean() == pytest.approx(front.shade[cheeks[1]].mean(), rel=0.05)
    without_nose = np.maximum(head.normals @ np.array([-0.8, 0, -0.6]), 0)
    assert (left.shade < without_nose - 0.1)[inwards() > 0].mean() > 0.005, "the nose casts a shadow"


def test_patterns_hide_a_part_of_the_lamp() -> None:
    rng = np.random.default_rng(1)
    patterns = [random_pattern(rng) for _ in range(40)]
    assert all(one.shape == (SIZE, SIZE) and one.min() > -1e-3 and one.max() < 1.001 for one in patterns)
    assert np.mean([0.02 < one.mean() < 0.98 for one in patterns]) > 0.8
    assert len(KINDS) == 5


def test_divided_by_its_truth_a_sample_is_even(batch: tuple[np.ndarray, ...]) -> None:
    textures, truth, _ = batch
    inside = inwards() > 0.1
    even = (textures + OFFSET) * np.exp(-truth.astype(np.float32))
    before, after = (one[:, inside].std(axis=1).mean() for one in (textures.astype(np.float32), even))
    assert after < 0.4 * before


def test_evenly_lit_faces_come_first() -> None:
    dark = np.zeros((SIZE, SIZE), np.float32)
    dark[:, : SIZE // 2] = -0.5
    rows = [np.zeros((SIZE, SIZE), np.float32)] * 5
    assert unevenness([*rows, dark]).argmax() == 5


def test_right_answers_cost_nothing_and_how_light_all_is_does_not_count(batch: tuple[np.ndarray, ...]) -> None:
    truth = torch.from_numpy(batch[1].astype(np.float32)).permute(0, 3, 1, 2)
    seen = torch.from_numpy(batch[2]).unsqueeze(1) / 255.0
    assert float(weigh(losses(truth + 0.7, truth, seen), WEIGHTS)) < 1e-4
    assert float(weigh(losses(truth * 0, truth, seen), WEIGHTS)) > 0.1
    found = figures(batch[1].astype(np.float32) + 0.7, Trial(batch[0], batch[1].astype(np.float32), batch[2]))
    assert found["left"] == pytest.approx(0, abs=1e-3)
    assert found["edges_left"] == pytest.approx(0, abs=1e-3)


def test_the_network_learns_from_a_few_steps(batch: tuple[np.ndarray, ...]) -> None:
    torch.manual_seed(0)
    network = PhotoLightNetwork()
    assert sum(parameter.numel() for parameter in network.parameters()) <= 1_700_000
    textures, truth = torch.from_numpy(batch[0]), torch.from_numpy(batch[1].astype(np.float32)).permute(0, 3, 1, 2)
    seen = torch.from_numpy(batch[2]).unsqueeze(1) / 255.0

    def loss() -> Tensor:
        return weigh(losses(network(to_logs(textures)), truth, seen), WEIGHTS)

    totals = descend(network, loss, steps=8, rate=2e-3)
    assert totals[-1] < 0.8 * totals[0]


def test_the_exported_network_says_what_torch_says() -> None:
    torch.manual_seed(1)
    deployed = Deployed(PhotoLightNetwork().eval()).eval()
    model = to_onnx(EXPORT, deployed)
    assert len(model.SerializeToString()) <= 3_500_000
    for count in (1, 4):
        assert difference(EXPORT, model, deployed, count) < EXPORT.most


def test_a_person_s_head_has_the_shape_of_the_photo() -> None:
    ada, ben = (Head(person(name).landmarks) for name in ("ada", "ben"))
    assert np.abs(ada.places - ben.places).max() > 0.05
