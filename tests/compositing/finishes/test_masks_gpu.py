"""Masks reduced on a GPU equal those of the host for any network output."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from device_targets import SIZES, compare, faces, on_device, on_download  # noqa: E402

from rtswap.compositing.finishes.occlusion import OcclusionMask  # noqa: E402
from rtswap.compositing.finishes.occlusion_gpu import GpuOcclusionMask, ask  # noqa: E402
from rtswap.compositing.finishes.parts import PartsMask  # noqa: E402
from rtswap.compositing.finishes.parts_gpu import GpuPartsMask  # noqa: E402
from rtswap.compositing.finishes.regions_gpu import Islands  # noqa: E402
from rtswap.core.errors import ModelError  # noqa: E402
from rtswap.core.types import BatchedTarget, Quality, SwappedBatch, TargetBatch  # noqa: E402
from rtswap.networks.occlusion import ANSWER, OcclusionModel  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")


def spiral(n: int = ANSWER) -> np.ndarray:
    found = np.zeros((n, n), bool)
    low, high = 0, n - 1
    while low <= high:
        found[low, max(low - 2, 0) : high + 1] = found[low : high + 1, high] = found[high, low : high + 1] = True
        found[low + 2 : high + 1, low] = True
        low, high = low + 2, high - 2
    return found


def planes() -> list[np.ndarray]:
    """Noise of any density, blobs of any size, and the longest ways there are."""
    rng = np.random.default_rng(0)
    comb = np.zeros((ANSWER, ANSWER), bool)
    comb[:, ::2] = True
    comb[np.where(np.arange(1, ANSWER, 2) // 2 % 2, 0, ANSWER - 1), np.arange(1, ANSWER, 2)] = True
    found = [spiral(), ~spiral(), comb, ~comb, comb.T, np.zeros_like(comb), np.ones_like(comb)]
    found += [rng.random((ANSWER, ANSWER)) < share for share in np.linspace(0.05, 0.95, 40)]
    noise = [cv2.GaussianBlur(rng.random((ANSWER, ANSWER)), (0, 0), sigma) for sigma in (1, 2, 4)]
    return found + [plane > level for plane in noise for level in (0.45, 0.5, 0.55)]


def test_islands_are_those_of_opencv() -> None:
    shown = np.stack(planes())
    islands = Islands(torch.from_numpy(shown))
    inner = np.zeros((ANSWER, ANSWER), bool)
    inner[20:44, 20:44] = True
    sizes = islands.sizes().numpy()
    touching = islands.touching(torch.from_numpy(~inner).expand(len(shown), -1, -1)).numpy()
    for plane, size, touched in zip(shown, sizes, touching, strict=True):
        _, labels, figures, _ = cv2.connectedComponentsWithStats(plane.astype(np.uint8), connectivity=8)
        np.testing.assert_array_equal(size, np.where(plane, figures[labels, cv2.CC_STAT_AREA], 0))
        outside = np.isin(labels, np.unique(labels[~inner & plane])) & plane
        np.testing.assert_array_equal(touched, outside)


class Saying:
    """An engine that answers one plane after the other, whoever asks; ``run_on_device`` where ``there``."""

    name = "saying"

    def __init__(self, answers: list[np.ndarray], *, there: bool) -> None:
        self._answers, self.seen = iter(answers), []
        if there:
            self.run_on_device = self._on_device

    def run(self, inputs: Any) -> Any:
        self.seen.append({name: np.array(value) for name, value in inputs.items()})
        return {"visible": np.repeat(next(self._answers)[None], len(inputs["crops"]), 0)}

    def _on_device(self, inputs: Any) -> Any:
        found = self.run({name: tensor.numpy() for name, tensor in inputs.items()})
        return {name: torch.from_numpy(value) for name, value in found.items()}


def answers(count: int) -> list[np.ndarray]:
    """Hands that come and go, noise, specks, and a face that is hidden as a whole."""
    rng = np.random.default_rng(5)
    found = []
    for index in range(count):
        hidden = cv2.GaussianBlur(rng.random((ANSWER, ANSWER)).astype(np.float32), (0, 0), 5)
        hidden = (hidden - hidden.min()) / np.ptp(hidden)
        hidden[38:, : 8 * (index % 5)] = 1
        hidden[rng.random(hidden.shape) < 0.02] = 1
        found.append(np.ones_like(hidden) if index == count - 1 else hidden)
    return [(1 - hidden).astype(np.float32) for hidden in found]


@pytest.mark.parametrize("there", [True, False], ids=["on the device", "over the host"])
@pytest.mark.parametrize("seen", ["all", "half", "none", "nan"])
def test_occluders_are_the_same_as_without_a_gpu(seen: str, there: bool) -> None:
    values = {"all": 1.0, "half": 1.0, "none": 0.0, "nan": np.nan}
    visible = np.full(468, values[seen], np.float32)
    if seen == "half":
        visible[::2] = 0.2
    said = answers(6)
    host_engine = Saying([one for one in said for _ in SIZES], there=False)
    device_engine = Saying(said, there=there)
    host, device = OcclusionMask(OcclusionModel(host_engine)), GpuOcclusionMask(device_engine)  # type: ignore[arg-type]
    for index in range(len(said)):
        largest, mean = compare(host, device, index / 30, visible)
        assert largest <= 16, "a soft edge, off by less than the fraction of a pixel to which OpenCV rounds places"
        assert mean < 0.2
    for name, off in (("crops", 2), ("guides", 0)):
        theirs = np.concatenate([one[name] for one in host_engine.seen]).astype(int)
        ours = np.concatenate([one[name][: len(SIZES)] for one in device_engine.seen])
        assert np.abs(theirs - ours).max() <= off


def test_many_faces_run_in_few_batch_shapes() -> None:
    engine = Saying([np.full((ANSWER, ANSWER), 0.25 * k, np.float32) for k in range(9)], there=True)
    for count in (1, 3, 19, 35):
        crops, guides = torch.zeros((count, 128, 128, 3), dtype=torch.uint8), torch.zeros((count, 128, 128))
        assert ask(engine.run_on_device, crops, guides).shape == (count, ANSWER, ANSWER)
    assert [len(one["crops"]) for one in engine.seen] == [1, 4, 16, 4, 16, 16, 4]


def test_an_answer_serves_while_it_is_young_and_is_dropped_with_its_track() -> None:
    engine = Saying(answers(6), there=True)
    device = GpuOcclusionMask(engine, every_s=0.05)  # type: ignore[arg-type]
    host = OcclusionMask(
        OcclusionModel(Saying([one for one in answers(6) for _ in SIZES], there=False)), every_s=0.05
    )  # type: ignore[arg-type]
    for index in range(6):
        compare(host, device, index / 30, np.ones(468, np.float32))
    assert 2 <= len(engine.seen) < 6
    for track in range(len(SIZES)):
        device.forget(track)
    assert not device._averaged
    assert not device._masks


def test_an_answer_of_another_shape_is_refused_and_one_without_numbers_hides_nothing() -> None:
    visible = np.ones(468, np.float32)
    given, known = on_device(*faces(0.0, visible))
    wrong = GpuOcclusionMask(Saying([np.zeros((3, 3), np.float32)], there=True))  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="visible"):
        wrong.apply_all(given, known, Quality(), on_download)
    silent = GpuOcclusionMask(Saying([np.full((ANSWER, ANSWER), np.nan, np.float32)], there=True))  # type: ignore[arg-type]
    np.testing.assert_array_equal(silent.apply_all(given, known, Quality(), on_download).masks, given.masks)


@pytest.mark.parametrize("landmarks", [np.zeros((468, 3), np.float32), np.full((468, 3), np.nan, np.float32)])
def test_landmarks_that_form_no_face_hide_nothing(landmarks: np.ndarray) -> None:
    given, known = on_device(*faces(0.0, np.ones(468, np.float32)))
    nobody = BatchedTarget(0, landmarks, known.faces[0].visibility, 0.0, known.faces[0].size)
    device = GpuOcclusionMask(Saying([], there=True))  # type: ignore[arg-type]
    alone = TargetBatch((nobody,), known.crops[:1])
    found = device.apply_all(SwappedBatch(given.crops[:1], given.masks[:1]), alone, Quality(), on_download)
    np.testing.assert_array_equal(found.masks, given.masks[:1])


@pytest.mark.parametrize(("parts", "keep"), [(("eyes",), ()), (("all",), ("mouth", "eyes")), (("nose",), ("mouth",))])
def test_parts_are_those_without_a_gpu(parts: tuple[str, ...], keep: tuple[str, ...]) -> None:
    host, device = PartsMask(parts, keep), GpuPartsMask(parts, keep)
    for index, seen in enumerate((1.0, 0.1, 0.1, 0.9)):
        largest, mean = compare(host, device, index / 30, np.full(468, seen, np.float32))
        assert largest <= 2
        assert mean < 0.3
