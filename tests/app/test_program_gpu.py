"""``rtswap --engine torch-cuda``, with torch on the CPU instead of a GPU: the same pictures as on the host, one wait
per frame, and a message for everything that keeps frames on the host."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from functools import cache
from typing import Any

import cv2
import numpy as np
import pytest
from people import face_models, person

torch = pytest.importorskip("torch", reason="torch is not installed")

from gpu_program import (  # noqa: E402
    FRAMES,
    SIZE,
    Captured,
    apart,
    config_of,
    disclosure,
    frames,
    opener,
    pipeline_of,
    run,
    torch_models,
)
from gpu_waits import forbid_waiting  # noqa: E402

from rtswap.app import program as program_module  # noqa: E402
from rtswap.app.config import Config  # noqa: E402
from rtswap.app.networks import FaceModels  # noqa: E402
from rtswap.app.program import Program  # noqa: E402
from rtswap.compositing.finishes.detail import MatchDetail  # noqa: E402
from rtswap.compositing.renderer import HostRenderer  # noqa: E402
from rtswap.compositing.renderer_gpu import GpuRenderer  # noqa: E402
from rtswap.core.errors import EngineError  # noqa: E402
from rtswap.core.types import Frame, Quality  # noqa: E402
from rtswap.disclosure import Disclosure  # noqa: E402
from rtswap.engines.torch.engine import TorchEngine  # noqa: E402
from rtswap.gpu import card  # noqa: E402
from rtswap.gpu.slots import Waits  # noqa: E402
from rtswap.networks.registry import Registry  # noqa: E402
from rtswap.runtime.mapping import Assignment, SourceMapping  # noqa: E402
from rtswap.swappers import swapper_spec  # noqa: E402
from rtswap.swappers.refiner.gpu import GpuRefinerSwapper  # noqa: E402

pytestmark = pytest.mark.usefixtures("without_a_gpu")


ALIKE = {
    "mesh alone": {"masks": ("hull", "skin"), "detail": "none"},
    "refiner alone": {"swapper": "refiner", "masks": ("hull", "skin"), "detail": "none"},
    "refiner": {"swapper": "refiner", "detail": "none", "color": "mkl"},
    "what hides the face": {"detail": "none"},
    "kept mouth": {"detail": "none", "keep": ("mouth",)},
    "rct": {"detail": "none", "color": "rct"},
    "mkl": {"detail": "none", "color": "mkl"},
    "hist": {"detail": "none", "color": "hist"},
    "no colours": {"detail": "none", "color": "none"},
}


@pytest.mark.parametrize("wanted", ALIKE.values(), ids=ALIKE)
def test_the_pictures_are_those_without_a_gpu(wanted: dict[str, Any]) -> None:
    """Within 2 of 255 in 999 of 1000 values, marks and badge included, and never far off."""
    for difference in apart(config_of(**wanted)):
        assert (difference > 2).mean() < 1e-3
        assert difference.max() <= 6
        assert difference.mean() < 0.1


@pytest.mark.parametrize("swapper", ["mesh", "refiner"])
def test_two_faces_at_once(swapper: str) -> None:
    for difference in apart(config_of(detail="none", faces="all", swapper=swapper), faces=2):
        assert (difference > 2).mean() < 1e-3


@pytest.mark.parametrize("swapper", ["mesh", "refiner"])
def test_different_people_get_different_faces_at_once(monkeypatch: pytest.MonkeyPatch, swapper: str) -> None:
    """As on the host, with one wait; the generator of ``refiner`` is shared by both sources."""
    waits: list[Any] = []
    monkeypatch.setattr(Waits, "on", lambda self, event: waits.append(event))
    config, pictures = config_of(detail="none", faces="all", swapper=swapper), []
    for engine in ("openvino", "torch-cuda"):
        known = torch_models()._replace(engine=engine)
        sources = [person(name) for name in ("ada", "dan")]
        made = Program(config, on_event=pytest.fail, models=known, sources=sources, disclosure=disclosure())
        pipeline = made.pipeline(live=False)
        pipeline.mapping = SourceMapping([Assignment("right", 0), Assignment("left", 1)])
        outcomes = [
            pipeline.process(Frame(picture.copy(), n, 0.0, n / 30), Quality()) for n, picture in enumerate(frames(2))
        ]
        assert [outcome.swapped for outcome in outcomes] == [2] * FRAMES
        pictures.append([outcome.image for outcome in outcomes])
    assert len(waits) == FRAMES
    for host, device in zip(*pictures, strict=True):
        assert (np.abs(host.astype(int) - device) > 2).mean() < 1e-3


def test_detail_is_matched_from_the_second_frame_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Grain is left out here: it lies elsewhere (see the next)."""
    decided = MatchDetail._decide
    monkeypatch.setattr(MatchDetail, "_decide", lambda self, key: decided(self, key)._replace(overlay=None))
    _, *others = apart(config_of())
    for difference in others:
        assert (difference > 2).mean() < 2e-3
        assert difference.max() <= 8


def test_grain_is_as_strong_as_without_a_gpu() -> None:
    """Over a grainy picture: the standard deviation of what is finer than three pixels, on the face."""
    noise = np.random.default_rng(1).normal(0, 6, (*SIZE[::-1], 1))
    pictures = [np.clip(picture + noise, 0, 255).astype(np.uint8) for picture in frames()]
    spreads = []
    for engine in ("openvino", "torch-cuda"):
        _, picture = run(config_of(), torch_models()._replace(engine=engine), pictures)[-1]
        face = picture[100:150, 130:190].astype(np.float32)
        spreads.append(float((face - cv2.GaussianBlur(face, (0, 0), 1.5)).std()))
    assert spreads[1] == pytest.approx(spreads[0], rel=0.15)
    assert spreads[0] > 3


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"color": "mkl", "keep": ("eyes",), "faces": "all"},
        {"color": "hist"},
        {"swapper": "refiner", "faces": "all"},
    ],
    ids=str,
)
def test_one_frame_waits_once(monkeypatch: pytest.MonkeyPatch, wanted: dict[str, Any]) -> None:
    """From the frame handed in to the marked picture: crops, occlusion network, masks, colours, detail, marks. (The
    landmark network's answer, which the geometry needs, is waited for in its engine.) A face that is new waits once
    more where a colour transfer must see its first pixels."""
    waits: list[Any] = []
    monkeypatch.setattr(Waits, "on", lambda self, event: waits.append(event))
    marks, told = disclosure(), []
    pipeline = pipeline_of(config_of(**wanted), torch_models(), marks, told)
    pictures = frames(2 if "faces" in wanted else 1)
    for index in range(2 * FRAMES):
        frame = Frame(pictures[index % FRAMES].copy(), index, 0.0, index / 30)
        before = len(waits)
        with forbid_waiting() if index else nullcontext():
            outcome = pipeline.process(frame, Quality())
        assert outcome.stamped is not None
        assert outcome.swapped == (2 if "faces" in wanted else 1), told
        marks.release(outcome.stamped, frame=frame, swapped=outcome.swapped, stages={})
        assert len(waits) == before + 1
    assert told == []


def test_the_check_above_can_fail() -> None:
    plane = torch.zeros(3)
    waiting = (
        lambda: plane.sum().item(),
        lambda: plane[plane > 0],
        lambda: bool(plane.any()),
        lambda: plane.tolist(),
    )
    for wait in waiting:
        with pytest.raises(AssertionError, match="waits"), forbid_waiting():
            wait()


def test_a_frame_that_is_done_again_waits_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the verdict is that a swap is none, the picture that was made does not leave."""
    told: list[str] = []
    marks = disclosure()
    pipeline = pipeline_of(config_of(detail="none"), torch_models(), marks, told)
    renderer = pipeline._renderer
    assert isinstance(renderer, GpuRenderer)
    found = renderer.swappers[0].swap_all
    bare = lambda targets, quality: replace(found(targets, quality), crops=targets.crops)  # noqa: E731
    monkeypatch.setattr(renderer.swappers[0], "swap_all", bare)
    waits: list[Any] = []
    monkeypatch.setattr(Waits, "on", lambda self, event: waits.append(event))
    picture = frames()[0]
    outcome = pipeline.process(Frame(picture.copy(), 0, 0.0, 0.0), Quality())
    assert len(waits) == 2
    assert outcome.swapped == 0
    assert outcome.covered
    assert outcome.image is not None
    assert outcome.stamped is not None
    marks.release(outcome.stamped, frame=Frame(picture, 0, 0.0), swapped=0, stages={})
    assert np.abs(outcome.image[90:150, 130:190].astype(int) - picture[90:150, 130:190]).mean() > 10
    assert told == ["swapping failed: the target's own face, not swapped (ValueError)"]


def renderer_of(config: Config, known: FaceModels) -> tuple[type, list[str]]:
    told: list[str] = []
    renderer = pipeline_of(config, known, None, told)._renderer
    return type(renderer), told


@pytest.mark.parametrize("engine", ["openvino-f32", "onnxruntime", "torch-cpu"])
def test_reports_nothing_without_a_gpu_engine(engine: str) -> None:
    assert renderer_of(config_of(), face_models()._replace(engine=engine)) == (HostRenderer, [])


@pytest.mark.parametrize("engine", ["tensorrt-fp16", "torch-cuda", "torch-cuda-fp16"])
def test_with_one_frames_are_worked_on_there(engine: str) -> None:
    assert renderer_of(config_of(), torch_models()._replace(engine=engine)) == (GpuRenderer, [])


@pytest.mark.parametrize("wanted", [{"color": "idt"}, {"color": "sot"}, {"blend": "poisson"}], ids=str)
def test_what_has_no_version_for_a_gpu_is_said(wanted: dict[str, str]) -> None:
    kind, told = renderer_of(config_of(**wanted), torch_models())
    assert kind is HostRenderer
    ((name, value),) = wanted.items()
    assert told == [
        f"networks run on the GPU, but frames are processed on the CPU: --{name} {value} has no GPU implementation"
    ]


def test_the_refiner_corrects_there_what_mesh_has_made() -> None:
    pipeline = pipeline_of(config_of(swapper="refiner"), torch_models(), None, [])
    assert isinstance(pipeline._renderer, GpuRenderer)
    (swapper,) = pipeline._renderer.swappers
    assert isinstance(swapper, GpuRefinerSwapper)


def test_a_swapper_that_is_not_for_the_gpu_is_refused_not_left_out() -> None:
    spec = replace(swapper_spec("mesh"), name="mine", build_gpu=swapper_spec("mesh").build)
    made = Program(config_of(), on_event=pytest.fail, models=torch_models(), sources=[person("ada")], swapper=spec)
    assert made.on_gpu
    with pytest.raises(EngineError, match="the swapper mine cannot work on the GPU; expected a GpuSwapper"):
        made.renderer(live=True)


def test_a_gpu_without_triton_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(card, "DEVICE", "cuda")
    monkeypatch.setattr(program_module, "find_spec", lambda name: None)
    made = Program(config_of(), on_event=pytest.fail, models=torch_models(), sources=[])
    assert made.why_on_host == "Triton is not installed"
    assert not made.on_gpu


def test_without_disclosure_a_picture_is_unmarked_and_cannot_be_output() -> None:
    pipeline = pipeline_of(config_of(), torch_models(), Disclosure(None, reason="a test"), [])
    picture = frames()[0]
    outcome = pipeline.process(Frame(picture.copy(), 0, 0.0, 0.0), Quality())
    assert outcome.image is not None
    np.testing.assert_array_equal(outcome.image[-40:], picture[-40:])
    assert outcome.stamped is not None
    with pytest.raises(ValueError, match="without a receipt"):
        disclosure().release(outcome.stamped, frame=Frame(picture, 0, 0.0), swapped=1, stages={})


def test_pictures_from_python_are_marked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """``LiveSwap`` on a GPU gives what it gives without one: a badge that is drawn twice is darker."""
    from rtswap import api

    found = []
    for engine in ("openvino", "torch-cuda"):
        known = torch_models()._replace(engine=engine)
        monkeypatch.setattr(program_module, "open_models", lambda config, on_event, known=known: known)
        live = api.LiveSwap("persona:ada", detail="none")
        played = [live.process(picture.copy(), 100 + index / 30) for index, picture in enumerate(frames()[:3])]
        found.append([marked.image for marked in played])
    for host, device in zip(*found, strict=True):
        assert (np.abs(host.astype(int) - device) > 2).mean() < 1e-3


def on(device: str) -> Callable[[str], TorchEngine]:
    """The networks that ship."""
    registry = Registry(on_event=lambda text: None)
    return cache(lambda name: TorchEngine(registry.path(name), device=device))


@pytest.mark.cuda
@pytest.mark.parametrize("swapper", ["mesh", "refiner"])
def test_on_a_card_the_loop_is_the_one_without(monkeypatch: pytest.MonkeyPatch, swapper: str) -> None:
    """And torch itself raises where anything of a frame but its end would wait."""
    wanted = config_of(detail="none", color="mkl", keep=("mouth",), swapper=swapper)
    without = torch_models()._replace(open=opener(cache(Captured), on("cpu")))
    apart_from = run(wanted, without, frames())
    monkeypatch.setattr(card, "DEVICE", "cuda")
    known = without._replace(open=opener(on("cuda"), on("cuda")))
    for (_, wanted_picture), (_, picture) in zip(apart_from, run(wanted, known, frames()), strict=True):
        assert (np.abs(wanted_picture.astype(int) - picture) > 2).mean() < 2e-3
    pipeline = pipeline_of(config_of(swapper=swapper), known, disclosure(), [])
    for index in range(2 * FRAMES):
        frame = Frame(frames()[index % FRAMES].copy(), index, 0.0, index / 30)
        torch.cuda.set_sync_debug_mode("error" if index > 1 else "default")
        try:
            assert pipeline.process(frame, Quality()).swapped == 1
        finally:
            torch.cuda.set_sync_debug_mode("default")
