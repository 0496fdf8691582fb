"""Glasses kept on a GPU are those that the host keeps, for any network output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from device_targets import SIZES, compare, faces, on_device, on_download  # noqa: E402

from rtswap.compositing.finishes.glasses import GlassesMask  # noqa: E402
from rtswap.compositing.finishes.glasses_gpu import GpuGlassesMask, soften  # noqa: E402
from rtswap.core.errors import ModelError  # noqa: E402
from rtswap.core.types import Quality  # noqa: E402
from rtswap.networks.glasses import HEIGHT, WIDTH, GlassesModel  # noqa: E402
from rtswap.vision.resample import resized  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")
SEEN = np.ones(468, np.float32)


class Saying:
    """An engine that answers one plane after the other, for all faces of a batch."""

    name = "saying"

    def __init__(self, answers: list[np.ndarray]) -> None:
        self._answers = iter(answers)
        self.strips: list[np.ndarray] = []

    def run(self, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        self.strips.append(np.array(inputs["strips"]))
        return {"frames": np.repeat(next(self._answers)[None], len(inputs["strips"]), 0)}


def answers(count: int) -> list[np.ndarray]:
    """Rims that come and go, and specks."""
    rng, found = np.random.default_rng(2), []
    for number in range(count):
        drawn = np.zeros((HEIGHT, WIDTH), np.uint8)
        for x in (60, 132):
            cv2.circle(drawn, (x, 44), 20 + 2 * number, int(rng.integers(120, 256)), 1 + number % 3, cv2.LINE_AA)
        drawn[rng.random(drawn.shape) < 0.01] = 255
        found.append(drawn.astype(np.float32) / 255)
    return found


def test_kept_glasses_are_the_same_as_without_a_gpu() -> None:
    said = answers(5)
    host_engine, device_engine = Saying([one for one in said for _ in SIZES]), Saying(said)
    host, device = GlassesMask(GlassesModel(host_engine)), GpuGlassesMask(device_engine)
    for number in range(len(said)):
        largest, mean = compare(host, device, number / 30, SEEN)
        assert largest <= 24, "a thin soft line, off by less than the part of a pixel to which OpenCV rounds"
        assert mean < 0.3
    theirs = np.concatenate(host_engine.strips).astype(int)
    ours = np.concatenate([strips[: len(SIZES)] for strips in device_engine.strips])
    assert np.abs(theirs - ours).max() <= 2


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_answers_for_small_faces_are_averaged_alike(count: int) -> None:
    kept = (answers(1)[0] * 255).round().astype(np.uint8)
    wanted = kept
    if count:
        wanted = resized(resized(kept, (WIDTH >> count, HEIGHT >> count), cv2.INTER_AREA), (WIDTH, HEIGHT))
    found = soften(torch.from_numpy(kept).float(), count).numpy()
    assert np.abs(found - wanted).max() <= 1


def test_an_answer_of_another_shape_is_refused_and_one_without_numbers_keeps_nothing() -> None:
    given, known = on_device(*faces(0.0, SEEN))
    with pytest.raises(ModelError, match="frames"):
        GpuGlassesMask(Saying([np.zeros((3, 3), np.float32)])).apply_all(given, known, Quality(), on_download)
    for value in (np.nan, 1.0):  # the latter would hide all of it
        broken = GpuGlassesMask(Saying([np.full((HEIGHT, WIDTH), value, np.float32)]))
        np.testing.assert_array_equal(broken.apply_all(given, known, Quality(), on_download).masks, given.masks)


def test_a_track_that_ended_leaves_nothing() -> None:
    device = GpuGlassesMask(Saying(answers(1)))
    device.apply_all(*on_device(*faces(0.0, SEEN)), Quality(), on_download)
    for track in range(len(SIZES)):
        device.forget(track)
    assert not device._averaged
    assert not device._masks
