"""Exported files can be trained further: torch gives the file's outputs, also after ``settle``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed: it is needed to train, never to use")
pytest.importorskip("onnx", reason="onnx is not installed: it is needed to read the networks that ship")

import onnx
import torch
from torch import nn

import training.glasses.network as glasses
import training.heads.network as heads
import training.landmarks.network as landmarks
import training.masks.network as masks
import training.refiner.network as refiner
import training.sharpness.network as sharpness
from rtswap.training import recogniser as recognition
from rtswap.training.layers import to_input
from rtswap.training.onnx_files import load_weights, run, settle, to_onnx
from training.refiner.export import EXPORT

ASSETS = Path(__file__).parents[2] / "rtswap" / "assets"


def bytes_like(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


CASES: dict[str, tuple[Callable[[], nn.Module], dict[str, np.ndarray], float]] = {
    "glasses": (lambda: glasses.Deployed(glasses.GlassesNetwork()), {"strips": bytes_like(3, 96, 192, 3)}, 1e-4),
    "heads": (lambda: heads.Deployed(heads.HeadNetwork()), {"picture": bytes_like(2, 128, 96, 3)}, 2e-3),
    "landmarks": (
        lambda: landmarks.Deployed(landmarks.LandmarkNetwork()), {"crops": bytes_like(3, 128, 128, 3)}, 2e-3,
    ),
    "occlusion": (
        lambda: masks.Deployed(masks.OcclusionNetwork()),
        {"crops": bytes_like(3, 128, 128, 3), "guides": bytes_like(3, 128, 128)}, 1e-4,
    ),
    "recognition": (
        lambda: recognition.Deployed(recognition.RecognitionNetwork()), {"crops": bytes_like(3, 96, 96, 3)}, 1e-5,
    ),
    "sharpness": (
        lambda: sharpness.Deployed(sharpness.SharpnessNetwork()), {"crops": bytes_like(2, 256, 256, 3)}, 1e-2,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_torch_answers_as_the_shipped_file_does(name: str) -> None:
    make, given, worst = CASES[name]
    torch.manual_seed(0)
    deployed = load_weights(ASSETS / f"{name}.onnx", make())
    assert not deployed.training
    with torch.no_grad():
        found = deployed(*(torch.from_numpy(part) for part in given.values()))
    wanted = run(onnx.load(str(ASSETS / f"{name}.onnx")), **given)
    for a, b in zip(found if isinstance(found, tuple) else (found,), wanted, strict=True):
        assert np.abs(a.numpy() - b).max() < worst


def test_exported_generator_weights_load_back_unchanged(tmp_path: Path) -> None:
    torch.manual_seed(0)
    made = refiner.Refiner()
    for layer in made.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.running_mean, std=0.3)
            nn.init.uniform_(layer.running_var, 0.5, 2)
            if layer.affine:
                nn.init.normal_(layer.weight)
                nn.init.normal_(layer.bias)
    made.eval()
    picture = torch.from_numpy(bytes_like(1, 128, 128, 3))
    onnx.save(to_onnx(EXPORT, refiner.Deployed(made).eval()), str(tmp_path / "refiner.onnx"))
    back = load_weights(tmp_path / "refiner.onnx", refiner.Deployed(refiner.Refiner()))
    given = picture, picture.flip(1), picture[..., 0].contiguous()
    with torch.no_grad():
        found, wanted = back(*given), refiner.Deployed(made)(*given)
    assert float((found - wanted).abs().max()) < 0.01 * float(wanted.abs().max())


def test_settled_normalisations_know_their_batches_and_change_no_answer() -> None:
    network = load_weights(ASSETS / "landmarks.onnx", landmarks.Deployed(landmarks.LandmarkNetwork())).network
    batches = [to_input(torch.from_numpy(bytes_like(8, 128, 128, 3))) for _ in range(2)]
    with torch.no_grad():
        before = network(batches[0])
        settle(network, [(batch,) for batch in batches])
        after = network(batches[0])
        trained = network.train()(batches[0])
    assert all(float((a - b).abs().max()) < 5e-3 for a, b in zip(before, after, strict=True))
    assert float((trained[0] - after[0]).abs().max()) < 0.3, "normalised by its batch it would be another network"


def test_a_file_of_another_network_is_refused() -> None:
    with pytest.raises(ValueError, match="another network"):
        load_weights(ASSETS / "recognition.onnx", landmarks.Deployed(landmarks.LandmarkNetwork()))
    with pytest.raises(ValueError, match="expected"):
        load_weights(ASSETS / "landmarks.onnx", landmarks.Deployed(landmarks.LandmarkNetwork(code=64)))
