"""The contract of every GPU finish: as in ``test_finishes``, for all faces at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from built_parts import build_finish, context_of, old_film
from people import place_mesh

torch = pytest.importorskip("torch", reason="torch is not installed")

from rtswap.compositing.finishes import built_in_finishes, optional_finishes  # noqa: E402
from rtswap.compositing.finishes.color_gpu import METHODS, GpuColorMatch  # noqa: E402
from rtswap.compositing.finishes.detail_gpu import GpuMatchDetail  # noqa: E402
from rtswap.compositing.finishes.glasses_gpu import GpuGlassesMask  # noqa: E402
from rtswap.compositing.finishes.grey_gpu import GpuGreyMatch  # noqa: E402
from rtswap.compositing.finishes.occlusion_gpu import GpuOcclusionMask  # noqa: E402
from rtswap.compositing.finishes.parts_gpu import GpuPartsMask  # noqa: E402
from rtswap.compositing.finishes.restore_gpu import GpuRestoreDetail  # noqa: E402
from rtswap.core.parts import FinishSpec  # noqa: E402
from rtswap.core.protocols import GpuFinish  # noqa: E402
from rtswap.core.types import (  # noqa: E402
    BatchedTarget,
    Points,
    Quality,
    SwappedBatch,
    SwappedFace,
    Target,
    TargetBatch,
)
from rtswap.engines.torch.engine import TorchEngine  # noqa: E402
from rtswap.networks.registry import Registry  # noqa: E402

SIDE = 256


def on_torch(name: str) -> TorchEngine:
    return TorchEngine(Registry(on_event=lambda text: None).path(name), threads=1, device="cpu")


def on_device(spec: FinishSpec) -> GpuFinish:
    assert spec.build_gpu is not None
    context = context_of(spec)
    return spec.build_gpu(replace(context, engines={name: on_torch(name) for name in context.engines}))


OPTIONAL = [spec for spec in (old_film(), *optional_finishes().values()) if spec.build_gpu is not None]
"""What ``--finish`` turns on."""
FINISHES: dict[str, Callable[[], GpuFinish]] = {
    **{f"color {method}": lambda method=method: GpuColorMatch(method) for method in METHODS},
    "occlusion": lambda: GpuOcclusionMask(on_torch("occlusion")),
    "glasses": lambda: GpuGlassesMask(on_torch("glasses")),
    "detail": GpuMatchDetail,
    "restore": lambda: GpuRestoreDetail(on_torch("sharpness")),
    "grey": GpuGreyMatch,
    "parts": lambda: GpuPartsMask(["eyes", "mouth"], []),
    "keep": lambda: GpuPartsMask(["all"], ["mouth", "eyes"]),
    **{spec.name: lambda spec=spec: on_device(spec) for spec in OPTIONAL},
}
"""As in ``test_finishes``: add a finish that a setting of its own turns on."""


def test_every_finish_is_asked() -> None:
    on_gpu = {spec.name for spec in built_in_finishes() if spec.build_gpu is not None}
    assert not on_gpu - {name.split()[0] for name in FINISHES}, "add them to FINISHES"


@pytest.fixture(params=FINISHES, ids=str)
def make(request: pytest.FixtureRequest) -> Callable[[], GpuFinish]:
    torch.set_num_threads(1)
    return FINISHES[request.param]


def faces(
    sizes: list[tuple[int, int]],
    *,
    seed: int = 0,
    mask: str = "oval",
    time_s: float = 0.0,
    landmarks: Points | None = None,
    visible: float = 1.0,
) -> tuple[SwappedBatch, TargetBatch]:
    """Faces that fill crops of these sizes; what lies beyond is noise."""
    rng = np.random.default_rng(seed)
    ours, theirs = (rng.integers(0, 256, (len(sizes), SIDE, SIDE, 3), np.uint8) for _ in range(2))
    masks = np.zeros((len(sizes), SIDE, SIDE), np.uint8)
    known = []
    for track, (width, height) in enumerate(sizes):
        y, x = np.mgrid[:height, :width]
        away = np.hypot((x + 0.5) / width - 0.5, (y + 0.5) / height - 0.5) * 2
        drawn = {"oval": (255 * (1.05 - away) * 4).clip(0, 255), "empty": 0 * away, "full": 0 * away + 255}[mask]
        masks[track, :height, :width] = drawn
        mesh = place_mesh(0.8 * width, (width / 2, height / 2)) if landmarks is None else landmarks
        known.append(BatchedTarget(track, mesh, np.full(468, visible, np.float32), time_s, (width, height)))
    swapped = SwappedBatch(torch.from_numpy(ours), torch.from_numpy(masks))
    return swapped, TargetBatch(tuple(known), torch.from_numpy(theirs))


def checked(step: GpuFinish, swapped: SwappedBatch, targets: TargetBatch, quality: Quality) -> SwappedBatch:
    """What the step gives, after all that must hold; what was to come later comes."""
    kept, before = targets.crops.clone(), swapped.masks.clone()
    coming: list[tuple[Any, Any]] = []
    found = step.apply_all(swapped, targets, quality, lambda tensor, then: coming.append((tensor.clone(), then)))
    for tensor, then in coming:
        then(tensor.numpy())
    assert torch.equal(targets.crops, kept)
    assert found.crops.shape == targets.crops.shape
    assert found.masks.shape == targets.crops.shape[:3]
    assert found.crops.dtype == found.masks.dtype == torch.uint8
    assert (found.masks <= before).all()
    return found


@pytest.mark.parametrize("sizes", [[(2, 2)], [(3, 2), (8, 8)], [(37, 53), (160, 200), (256, 256)]], ids=str)
@pytest.mark.parametrize("mask", ["oval", "empty", "full"])
def test_any_size_and_mask(make: Callable[[], GpuFinish], sizes: list[tuple[int, int]], mask: str) -> None:
    step = make()
    for frame in range(3):
        checked(step, *faces(sizes, seed=frame, mask=mask, time_s=0.2 * frame), Quality())


@pytest.mark.parametrize("quality", [Quality(match_color=False), Quality(level=9, max_face_px=96)], ids=str)
def test_any_quality(make: Callable[[], GpuFinish], quality: Quality) -> None:
    checked(make(), *faces([(160, 200)]), quality)


NOWHERE = {
    "far": place_mesh(100, (-5000, 1e6)),
    "beside": place_mesh(100, (230, 100)),
    "one point": np.zeros((468, 3), np.float32),
    "no numbers": np.full((468, 3), np.nan, np.float32),
}


@pytest.mark.parametrize("landmarks", NOWHERE.values(), ids=NOWHERE)
def test_landmarks_may_be_anywhere(make: Callable[[], GpuFinish], landmarks: Points) -> None:
    step = make()
    for time_s in (0.0, 0.2):
        checked(step, *faces([(160, 200)], landmarks=landmarks, time_s=time_s), Quality())


@pytest.mark.parametrize("visible", [np.nan, 0.0, np.inf, -1.0])
def test_any_visibility(make: Callable[[], GpuFinish], visible: float) -> None:
    step = make()
    for time_s in (0.0, 0.2):
        checked(step, *faces([(88, 96)], visible=visible, time_s=time_s), Quality())


def run(step: GpuFinish, times: list[float]) -> list[tuple[Any, Any]]:
    found = []
    for number, time_s in enumerate(times):
        made = checked(step, *faces([(88, 96), (64, 80)], seed=number, time_s=time_s), Quality())
        found.append((made.crops.clone(), made.masks.clone()))
    return found


TIMES = [0.0, 0.033, 0.066, 0.2, 3.0, -1.0]


def test_the_same_stream_gives_the_same_again_also_once_it_is_forgotten(make: Callable[[], GpuFinish]) -> None:
    step = make()
    first = run(step, TIMES)
    for track in (0, 1, 99):
        step.forget(track)
    for again in (run(step, TIMES), run(make(), TIMES)):
        assert all(
            torch.equal(a, b)
            for ours, theirs in zip(first, again, strict=True)
            for a, b in zip(ours, theirs, strict=True)
        )


@pytest.mark.parametrize("spec", OPTIONAL, ids=lambda spec: spec.name)
def test_both_halves_agree(spec: FinishSpec) -> None:
    """Within 2 of 255, as docs/writing-parts.md asks."""
    host = build_finish(spec)
    for size in ((160, 200), (37, 53)):
        swapped, targets = faces([size])
        (face,) = targets.faces
        inside = slice(size[1]), slice(size[0])
        crop, mask, theirs = (
            part[0].numpy()[inside].copy() for part in (swapped.crops, swapped.masks, targets.crops)
        )
        there = checked(on_device(spec), swapped, targets, Quality())
        target = Target(face.track_id, theirs, face.landmarks, face.visibility, face.time_s)
        here = host.apply(SwappedFace(crop, mask), target, Quality())
        for ours, found in ((here.crop, there.crops), (here.mask, there.masks)):
            assert np.abs(ours.astype(int) - found[0].numpy()[inside]).max() <= 2
