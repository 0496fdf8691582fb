"""What a swapper of low resolution lacks is restored as far as the target is sharp, on the host and in torch."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from typing import Any

import cv2
import numpy as np
import pytest
from people import face_models, person

from rtswap.compositing.finishes.restore import RestoreDetail
from rtswap.core.errors import ModelError
from rtswap.core.protocols import Engine
from rtswap.core.types import Image, Quality, SwappedFace, Target
from rtswap.networks.sharpness import SIZE, SharpnessModel, place
from rtswap.vision.geometry import transform

WIDTH, HEIGHT = 240, 300


@cache
def network() -> Engine:
    return face_models().open(("sharpness",))["sharpness"]


@cache
def face_of(name: str, width: int = WIDTH) -> tuple[Image, np.ndarray]:
    """A sharp face, ``width`` px wide with its margins, and its landmarks there."""
    who = person(name)
    low, high = who.landmarks[:, :2].min(0), who.landmarks[:, :2].max(0)
    scale = 0.75 * width / float(high[0] - low[0])
    matrix = np.array([[scale, 0, 0], [0, scale, 0]], np.float32)
    height = width * HEIGHT // WIDTH
    matrix[:, 2] = np.array([width, height]) / 2 - scale * (low + high) / 2
    picture = cv2.warpAffine(who.portrait, matrix, (width, height), flags=cv2.INTER_AREA)
    return np.asarray(picture, np.uint8), transform(matrix, who.landmarks)


def as_drawn_by(picture: Image, factor: float) -> Image:
    """As a swapper of fewer pixels draws it, softly, enlarged."""
    height, width = picture.shape[:2]
    soft = cv2.GaussianBlur(picture, (0, 0), 0.4 * factor)
    small = cv2.resize(soft, None, fx=1 / factor, fy=1 / factor, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def a_swap(
    factor: float, softness: float = 0.0, width: int = WIDTH, time_s: float = 0.0
) -> tuple[SwappedFace, Target]:
    """Dan on ben, drawn with ``factor`` times fewer pixels; the target is blurred by ``softness``."""
    swapped, _ = face_of("dan", width)
    target, landmarks = face_of("ben", width)
    target = cv2.GaussianBlur(target, (0, 0), softness) if softness else target
    mask = np.zeros(target.shape[:2], np.uint8)
    hull = cv2.convexHull(np.round(landmarks[:, :2]).astype(np.int32))
    cv2.fillConvexPoly(mask, hull, 255)
    crop = as_drawn_by(swapped, factor) if factor > 1 else swapped.copy()
    return SwappedFace(crop, mask), Target(1, target, landmarks, np.ones(468, np.float32), time_s)


def off(swapped: SwappedFace, width: int = WIDTH) -> float:
    """Root mean square difference from the sharp face, in its middle."""
    sharp, landmarks = face_of("dan", width)
    x, y = landmarks[1, :2].astype(int)
    reach = width // 4
    window = slice(y - reach, y + reach), slice(x - reach, x + reach)
    return float(np.sqrt(np.square(swapped.crop[window].astype(float) - sharp[window]).mean()))


@pytest.mark.parametrize(("width", "factor"), [(120, 2.0), (WIDTH, 2.0), (WIDTH, 3.0), (420, 4.0)])
def test_a_soft_swap_on_a_sharp_target_comes_closer_to_the_sharp_face(width: int, factor: float) -> None:
    swapped, face = a_swap(factor, width=width)
    before = off(swapped, width)
    found = RestoreDetail(SharpnessModel(network())).apply(swapped, face, Quality())
    assert off(found, width) < 0.93 * before


def test_a_sharp_swap_or_a_soft_target_stays_as_it_is() -> None:
    for swapped, face in (a_swap(1.0), a_swap(2.0, softness=3.0)):
        kept = swapped.crop.copy()
        found = RestoreDetail(SharpnessModel(network())).apply(swapped, face, Quality())
        assert np.abs(found.crop.astype(int) - kept).mean() < 0.3


def test_the_network_rests_while_nothing_is_lacking() -> None:
    asked = []

    class Counting:
        def run(self, given: dict[str, Any]) -> Any:
            asked.append(1)
            return network().run(given)

    step = RestoreDetail(SharpnessModel(Counting()))  # type: ignore[arg-type]
    for frame in range(10):
        step.apply(*a_swap(2.0, softness=3.0, time_s=frame / 30), Quality())
    assert len(asked) in (3, 4), "it is asked when something is measured, every tenth of a second"


def test_two_frames_that_differ_by_noise_become_as_alike_as_they_were() -> None:
    rng = np.random.default_rng(0)
    step, before, after = RestoreDetail(SharpnessModel(network())), [], []
    for _ in range(2):
        swapped, face = a_swap(3.0)
        noise = cv2.resize(rng.normal(0, 2, (100, 80)).astype(np.float32), (WIDTH, HEIGHT))[..., None]
        swapped.crop[:] = (swapped.crop + noise).clip(0, 255).astype(np.uint8)
        before.append(swapped.crop.astype(float))
        after.append(step.apply(swapped, face, Quality()).crop.astype(float))
    apart = [float(np.abs(two[0] - two[1])[60:240, 60:180].mean()) for two in (before, after)]
    assert apart[1] < 1.5 * apart[0]


def test_faces_that_are_not_reduced_are_placed_on_whole_pixels() -> None:
    _, landmarks = face_of("ben", 160)
    matrix = place(landmarks)
    assert matrix is not None
    np.testing.assert_array_equal(matrix[:, :2], np.eye(2))
    np.testing.assert_array_equal(matrix[:, 2], np.round(matrix[:, 2]))
    large = place(landmarks * np.float32(4))
    assert large is not None
    inside = transform(large, landmarks * np.float32(4))[:, :2]
    assert inside.min() > 0
    assert inside.max() < SIZE - 1


class Saying:
    """An engine that answers ``detail`` with the same each time."""

    def __init__(self, answer: np.ndarray | None) -> None:
        self._answer = answer

    def run(self, _: dict[str, Any]) -> dict[str, Any]:
        return {} if self._answer is None else {"detail": self._answer}


@pytest.mark.parametrize(
    "answer", [None, np.zeros((1, 3, 3), np.float32), np.full((1, SIZE, SIZE), np.nan, np.float32)], ids=str
)
def test_a_wrong_answer_is_an_error_of_the_model(answer: np.ndarray | None) -> None:
    with pytest.raises(ModelError, match="sharpness network's output 'detail'"):
        RestoreDetail(SharpnessModel(Saying(answer))).apply(*a_swap(2.0), Quality())  # type: ignore[arg-type]


@pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")
@pytest.mark.parametrize("width", [160, 300, 420])
def test_torch_restores_as_the_host_does(width: int) -> None:
    """From the second frame on: what is measured on a GPU counts for the next frame."""
    import torch
    from gpu_faces import on_device, squares

    from rtswap.compositing.finishes.restore_gpu import GpuRestoreDetail
    from rtswap.core.types import SwappedBatch, TargetBatch

    torch.set_num_threads(1)
    host, device = RestoreDetail(SharpnessModel(network())), GpuRestoreDetail(network())
    coming: list[tuple[Any, Any]] = []
    for frame in range(3):
        swapped, face = a_swap(2.5, width=width, time_s=frame * 0.2)
        crops = squares([Target(1, swapped.crop, face.landmarks, face.visibility, face.time_s)])
        height, across = swapped.mask.shape
        masks = torch.zeros(crops.shape[:3], dtype=torch.uint8)
        masks[0, :height, :across] = torch.from_numpy(swapped.mask)
        targets = TargetBatch((on_device(face),), squares([face]))
        device.apply_all(SwappedBatch(crops, masks), targets, Quality(), lambda *asked: coming.append(asked))
        while coming:
            tensor, then = coming.pop()
            then(tensor.numpy())
        wanted = host.apply(swapped, face, Quality()).crop
        if frame:
            apart = np.abs(crops[0, :height, :across].numpy().astype(int) - wanted)
            assert apart.max() <= 3
            assert apart.mean() < 0.3
