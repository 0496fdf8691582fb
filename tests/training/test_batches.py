"""Samples reach the device unchanged, and the batched camera matches the slower one."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed: it is needed to train, never to use")

import cv2
import torch

from rtswap.training.workers import Sample
from training.batches import Pool
from training.camera import Camera, degrade, noise_bank


def numbered(seed: int) -> Iterator[Sample]:
    """Each sample says its worker and its number, twice."""
    number = 0
    while True:
        yield np.full((4, 4), number, np.int64), np.array([seed, number], np.int64)
        number += 1
        time.sleep(0.0005)


def broken(seed: int) -> Iterator[Sample]:
    yield (np.zeros(3, np.int64),)


def test_draws_complete_recent_samples_from_every_worker() -> None:
    with Pool(numbered, "cpu", capacity=64, workers=2, seed=3, draws=1e9) as pool:
        pool.draw(8, at_least=300)
        pictures, labels = pool.draw(256)
    assert (pictures.flatten(1) == labels[:, 1:]).all(), "parts of one sample stay together"
    assert set(labels[:, 0].tolist()) == {3001, 3002}
    for worker in (3001, 3002):
        numbers = labels[labels[:, 0] == worker, 1]
        assert int(numbers.max() - numbers.min()) < 32, "new samples take the place of the oldest"


def test_no_sample_is_used_up_before_others_come() -> None:
    with Pool(numbered, "cpu", capacity=64, workers=1, seed=0, draws=2) as pool:
        latest = [int(pool.draw(40)[1][:, 1].max()) for _ in range(8)]
    assert latest[-1] > 100, "320 were drawn, at most twice each"


def test_a_pool_without_workers_says_so_instead_of_waiting() -> None:
    with (
        Pool(broken, "cpu", capacity=8, workers=1, seed=0, draws=1) as pool,
        pytest.raises(RuntimeError, match="no worker"),
    ):
        pool.draw(4, at_least=2)


def picture(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(30, 226, (12, 12, 3), np.uint8)
    return np.asarray(cv2.resize(coarse, (128, 128), interpolation=cv2.INTER_CUBIC), np.uint8)


@pytest.fixture(scope="module")
def camera() -> Camera:
    bank = torch.from_numpy(noise_bank(np.random.default_rng(0), 144)).permute(0, 3, 1, 2)
    return Camera(bank.contiguous(), torch.Generator().manual_seed(0))


def test_the_camera_does_to_a_batch_what_degrade_does_to_its_pictures(camera: Camera) -> None:
    crops = np.stack([picture(seed) for seed in range(96)])
    rng = np.random.default_rng(1)
    bank = noise_bank(rng, 144)
    wanted = np.stack([degrade(crop, bank, rng) for crop in crops]).astype(np.float32)
    found = camera(torch.from_numpy(crops)).numpy()
    assert found.dtype == np.uint8
    assert found.shape == crops.shape
    untouched = (found == crops).all((1, 2, 3)).mean()
    assert 0.04 < untouched < 0.3
    found = found.astype(np.float32)
    for measure in (np.mean, np.std, lambda x: np.abs(np.diff(x, axis=2)).mean()):
        assert float(measure(found)) == pytest.approx(float(measure(wanted)), rel=0.25)


def test_jpeg_on_the_device_is_nearly_the_codec(camera: Camera, monkeypatch: pytest.MonkeyPatch) -> None:
    crop = picture(5)
    for quality in (20, 50, 75):
        monkeypatch.setattr(camera, "_uniform", lambda *_, q=quality: torch.full((1, 1, 1, 1, 1, 1), float(q)))
        tensor = torch.from_numpy(crop).permute(2, 0, 1)[None].float()
        found = camera.compress(tensor)[0].clamp(0, 255).permute(1, 2, 0).numpy()
        data = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        wanted = cv2.imdecode(data, cv2.IMREAD_COLOR).astype(np.float32)
        assert np.abs(found - wanted).mean() < 0.5 * np.abs(crop - wanted).mean() + 0.5
