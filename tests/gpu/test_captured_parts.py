"""Captured parts of a frame give the same results with and without graphs, call after call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from people import place_mesh

torch = pytest.importorskip("torch", reason="torch is not installed")

from rtswap.compositing.checks_gpu import count_pixels  # noqa: E402
from rtswap.compositing.finishes import (  # noqa: E402
    detail_gpu,
    glasses_gpu,
    occlusion_gpu,
    restore_gpu,
)
from rtswap.compositing.finishes.detail import Correction, Focus  # noqa: E402
from rtswap.compositing.finishes.grain import Overlay  # noqa: E402
from rtswap.compositing.finishes.skin_texture import FOLLOWED  # noqa: E402
from rtswap.core.types import BatchedTarget  # noqa: E402
from rtswap.disclosure.badge import Badge  # noqa: E402
from rtswap.disclosure.gpu import GpuBadge, GpuWatermark  # noqa: E402
from rtswap.disclosure.watermark import Payload  # noqa: E402
from rtswap.gpu.crops import cut_face  # noqa: E402
from rtswap.gpu.graphs import Captured  # noqa: E402
from rtswap.networks import occlusion  # noqa: E402
from rtswap.vision.crops import sampling  # noqa: E402

SIDE, SIZE = 256, (320, 240)
Case = tuple[Callable[..., Any], int, Callable[[np.random.Generator, str], list[Any]]]
"""The function, how many of its arguments are others with each call, and what makes them for a device."""


def face() -> BatchedTarget:
    return BatchedTarget(1, place_mesh(200, (128, 128)), np.ones(468, np.float32), 0.0, (248, 240))


def pixels(rng: np.random.Generator, device: str, *shape: int) -> Any:
    return torch.from_numpy(rng.integers(0, 256, shape, np.uint8)).to(device)


def looks(rng: np.random.Generator, device: str) -> list[Any]:
    table = np.concatenate([rng.integers(-1, SIDE * SIDE, (1, 2 * 468)), [[248, 240, 3]]], 1)
    crops = [pixels(rng, device, 1, SIDE, SIDE, 3) for _ in range(2)]
    return [*crops, pixels(rng, device, 1, SIDE, SIDE), torch.from_numpy(table).to(device), 1]


def details(rng: np.random.Generator, device: str) -> list[Any]:
    tables = rng.integers(0, 256, (len(FOLLOWED), 256), np.uint8)
    look = Correction(Focus(float(rng.uniform(1.3, 4)), 0.0), tables, Overlay(0, 4.0))
    taps = detail_gpu.taps_of((look.focus.softening - 1) / 4)
    drawn = detail_gpu._pack(face(), SIDE, look, taps, (int(rng.integers(999)), 5))
    noise = torch.linspace(-9, 9, 3 * 640 * 640, device=device).view(1, 3, 640, 640)
    return [pixels(rng, device, SIDE, SIDE, 3), torch.from_numpy(drawn).to(device), noise, 0, True, True]


def answers(rng: np.random.Generator, device: str) -> list[Any]:
    visible, last = (torch.from_numpy(rng.uniform(0, 1, (1, 64, 64)).astype(np.float32)).to(device) for _ in range(2))
    drawn = rng.uniform(0, 1, (1, 2 * 64 * 64 + 468 + 2)).astype(np.float32)
    drawn[:, 2 * 64 * 64 : -2] = rng.integers(-1, 64 * 64, (1, 468))
    return [visible, last, torch.from_numpy(drawn).to(device)]


def overlaid(rng: np.random.Generator, device: str) -> list[Any]:
    matrix = occlusion.place(face().landmarks)
    assert matrix is not None
    numbers = np.zeros((1, 10), np.float32)
    small, to_answer = occlusion_gpu.coarse_places(matrix, face().size)
    numbers[0] = *to_answer.ravel(), *small, *face().size
    opened = torch.from_numpy(rng.uniform(0, 255, (1, 64, 64)).astype(np.float32)).to(device)
    return [pixels(rng, device, 1, SIDE, SIDE), opened, torch.from_numpy(numbers).to(device)]


def cuts(rng: np.random.Generator, device: str) -> list[Any]:
    matrix = occlusion.place(face().landmarks)
    assert matrix is not None
    numbers, halvings = sampling(matrix, face().size, occlusion.SHRINK)
    return [pixels(rng, device, SIDE, SIDE, 3), torch.tensor(numbers, device=device), halvings, occlusion.SIZE]


def frames_of_glasses(rng: np.random.Generator, device: str) -> list[Any]:
    frames, last = (torch.from_numpy(rng.uniform(0, 1, (1, 96, 192)).astype(np.float32)).to(device) for _ in range(2))
    return [frames, last, torch.from_numpy(rng.uniform(0, 1, (1, 2)).astype(np.float32)).to(device)]


def restored(rng: np.random.Generator, device: str) -> list[Any]:
    detail = torch.from_numpy(rng.normal(0, 9, (256, 256)).astype(np.float32)).to(device)
    numbers = torch.tensor([0.9, 3.5, -2.0, 248, 240, 0.7], device=device)
    return [pixels(rng, device, SIDE, SIDE, 3), detail, numbers]


CASES: dict[str, Case] = {
    "counted": (count_pixels, 4, looks),
    "given": (detail_gpu.apply_correction, 2, details),
    "answered": (occlusion_gpu.GpuOcclusionMask.read_answers, 3, answers),
    "laid over": (occlusion_gpu.GpuOcclusionMask.limit_masks, 3, overlaid),
    "cut": (cut_face, 2, cuts),
    "glasses answered": (glasses_gpu.GpuGlassesMask.read_answers, 3, frames_of_glasses),
    "restored": (restore_gpu.lay_detail, 3, restored),
}


def same_again(case: Case, device: str) -> None:
    function, fresh, make = case
    rng = np.random.default_rng(3)
    captured = Captured(function, fresh, on_gpu=device == "cuda")
    fixed = make(rng, device)[fresh:]
    for _ in range(4):
        given = [*make(rng, device)[:fresh], *fixed]
        plain = function(*given)
        found = captured(*given)
        for ours, theirs in zip(
            *((one if isinstance(one, tuple) else (one,)) for one in (found, plain)), strict=True
        ):
            assert torch.equal(ours, theirs)
    assert captured.failed == ""


@pytest.mark.parametrize("name", CASES)
def test_without_a_gpu(name: str) -> None:
    same_again(CASES[name], "cpu")


@pytest.mark.cuda
@pytest.mark.parametrize("name", CASES)
def test_from_a_graph(name: str) -> None:
    same_again(CASES[name], "cuda")


@pytest.mark.cuda
def test_marks_look_from_graphs_as_without_a_gpu() -> None:
    rng = np.random.default_rng(4)
    states = [
        (GpuWatermark(Payload((1, 0)), SIZE, device), GpuBadge(Badge(), SIZE, device))
        for device in map(torch.device, ("cpu", "cuda"))
    ]
    for _ in range(12):
        level = int(rng.integers(0, 256))
        frame = torch.from_numpy((rng.integers(0, 256, (*SIZE[::-1], 3)) // 4 + level * 3 // 4).astype(np.uint8))
        for state in states:
            for part in state:
                part.look_at(frame.to(state[0].levels.device))
        (host_mark, host_badge), (mark, badge) = states
        assert torch.equal(mark.levels.cpu(), host_mark.levels)
        assert int(badge.chosen) == int(host_badge.chosen)
    assert mark.next_levels.failed == ""
    assert badge.next_choice.failed == ""


def test_a_face_of_no_size_points_nowhere_else() -> None:
    rng = np.random.default_rng(0)
    square, drawn, *others = details(rng, "cpu")
    assert torch.equal(detail_gpu.apply_correction(square, torch.zeros_like(drawn), *others), square)
