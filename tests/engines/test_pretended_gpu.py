"""The engines' code for a GPU, run without one: torch's streams do nothing, memory lies on the processor, TensorRT is
played by ONNX Runtime. What only a card can tell (speed, graphs, kernels) is in the tests marked ``cuda``."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from needs import need_torch

from rtswap.engines import build_all, tensorrt, torch_cuda_door
from rtswap.engines.build_all import Wish, recipe_for
from rtswap.engines.contract import TensorSpec
from rtswap.engines.onnxruntime import OnnxRuntimeEngine
from rtswap.engines.plan import Manifest, Recipe
from rtswap.engines.plans import PlanCache, plan_folder
from rtswap.engines.tensorrt import TensorRtEngine
from rtswap.engines.tensorrt_module import TensorRt
from rtswap.engines.torch_cuda import TorchEngine
from rtswap.engines.torch_cuda_door import Card
from rtswap.errors import EngineError
from rtswap.models.onnx_graph import Graph

CARD = Card("Pretended Card", "8.9", 24.0, "13.0")


def network() -> bytes:
    """(n, 8, 8, 3) -> a convolution and its mean."""
    g = Graph("small")
    kernel = np.random.default_rng(2).normal(size=(4, 3, 3, 3)).astype(np.float32)
    x = g.conv(g.nhwc_u8("image"), kernel, np.ones(4, np.float32))
    g.add("Relu", x, to="map")
    g.add("ReduceMean", x, axes=[2, 3], keepdims=0, to="mean")
    return g.serialise({"image": ["n", 8, 8, 3]}, {"map": ["n", 4, 6, 6], "mean": ["n", 4]}, {})


def pictures(count: int, seed: int = 0) -> dict[str, np.ndarray]:
    return {"image": np.random.default_rng(seed).integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)}


class Stream:
    """Everything on it is done at once."""

    cuda_stream = 77

    def synchronize(self) -> None: ...

    def wait_stream(self, other: Stream) -> None: ...


@pytest.fixture
def torch(monkeypatch: pytest.MonkeyPatch) -> Any:
    need_torch()
    import torch as module

    @contextlib.contextmanager
    def nothing(*_: Any, **__: Any) -> Iterator[None]:
        yield

    @contextlib.contextmanager
    def no_capture(*_: Any, **__: Any) -> Iterator[None]:
        raise RuntimeError("CUDA error: no capture here")
        yield

    monkeypatch.setattr(torch_cuda_door, "DEVICE", "cpu")
    monkeypatch.setattr(torch_cuda_door, "find_card", lambda torch: CARD)
    monkeypatch.setattr(module.cuda, "Stream", Stream)
    monkeypatch.setattr(module.cuda, "current_stream", Stream)
    monkeypatch.setattr(module.cuda, "stream", nothing)
    monkeypatch.setattr(module.cuda, "synchronize", lambda: None)
    monkeypatch.setattr(module.cuda, "CUDAGraph", object)
    monkeypatch.setattr(module.cuda, "graph", no_capture)
    return module


class Context:
    """An execution context: looks where its tensors lie, and lets ONNX Runtime compute."""

    def __init__(self, content: bytes, told: list[str]) -> None:
        self._engine, self._told = OnnxRuntimeEngine(content, threads=1), told
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._addresses: dict[str, int] = {}

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        self._shapes[name] = shape
        return bool(shape[0] <= 16)

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        count = self._shapes["image"][0]
        return {"map": (count, 4, 6, 6), "mean": (count, 4)}[name]

    def set_tensor_address(self, name: str, address: int) -> bool:
        self._addresses[name] = address
        return True

    def execute_async_v3(self, stream: int) -> bool:
        assert stream == Stream.cuda_stream
        image = np.ctypeslib.as_array(
            ctypes.cast(self._addresses["image"], ctypes.POINTER(ctypes.c_uint8)), self._shapes["image"]
        )
        for name, value in self._engine.run({"image": image}).items():
            ctypes.memmove(self._addresses[name], value.ctypes.data, value.nbytes)
        return True


class Api:
    """The part of TensorRT's module that a runtime needs. A plan is ``plan:`` and the ONNX file."""

    CudaGraphStrategy = SimpleNamespace(WHOLE_GRAPH_CAPTURE="whole")
    DynamicShapesKernelSpecializationStrategy = SimpleNamespace(LAZY="lazy")

    class ILogger:
        ERROR = 1

    def __init__(self) -> None:
        self.kernels_read: list[bytes] = []

    def Runtime(self, listener: Any) -> Any:
        def deserialize(plan: bytes) -> Any:
            if not plan.startswith(b"plan:"):
                listener.log(1, "Serialization assertion\nmagicTag failed")
                return None
            return SimpleNamespace(
                create_runtime_config=self._config, create_execution_context=lambda *_: self._context(plan)
            )

        return SimpleNamespace(deserialize_cuda_engine=deserialize)

    def _config(self) -> Any:
        kernels = SimpleNamespace(
            serialize=lambda: b"compiled", deserialize=self.kernels_read.append, reset=lambda: None
        )
        return SimpleNamespace(create_runtime_cache=lambda: kernels, set_runtime_cache=lambda cache: None)

    def _context(self, plan: bytes) -> Context:
        return Context(plan.removeprefix(b"plan:"), [])


def build(content: bytes, name: str, recipe: Recipe, tensorrt: TensorRt, *, card: str = "") -> tuple[bytes, Manifest]:
    plan = b"plan:" + content
    return plan, Manifest(
        network=name,
        onnx_sha256=hashlib.sha256(content).hexdigest(),
        module=tensorrt.name,
        version=tensorrt.version,
        card=card,
        recipe=recipe,
        plan_sha256=hashlib.sha256(plan).hexdigest(),
        plan_bytes=len(plan),
        inputs=(TensorSpec("image", np.dtype("uint8"), (None, 8, 8, 3)),),
        outputs=(
            TensorSpec("map", np.dtype("float32"), (None, 4, 6, 6)),
            TensorSpec("mean", np.dtype("float32"), (None, 4)),
        ),
        built_at="2026-11-21T09:00:00+00:00",
        took_s=0.1,
    )


@pytest.fixture
def api(torch: Any, monkeypatch: pytest.MonkeyPatch) -> Api:
    played = Api()
    monkeypatch.setattr(build_all, "build_plan", build)
    monkeypatch.setattr(tensorrt, "load_tensorrt", lambda: TensorRt("tensorrt_rtx", "1.7", played))
    return played


def test_tensorrt_computes_any_batch_in_its_own_memory(api: Api, tmp_path: Path) -> None:
    engine = TensorRtEngine(network(), network="small", cache_dir=tmp_path)
    reference = OnnxRuntimeEngine(network(), threads=1)
    assert engine.name == "tensorrt-fp16"
    for count in (1, 3, 16, 16, 40, 1):
        given = pictures(count, seed=count)
        found, truth = engine.run(given), reference.run(given)
        assert found.keys() == truth.keys()
        for name, value in truth.items():
            np.testing.assert_array_equal(found[name], value)


def test_tensorrt_takes_tensors_on_the_device(api: Api, torch: Any) -> None:
    engine = TensorRtEngine(network())
    given = pictures(4)
    found = engine.run_on_device({"image": torch.from_numpy(given["image"])})
    truth = OnnxRuntimeEngine(network(), threads=1).run(given)
    np.testing.assert_array_equal(found["map"].numpy(), truth["map"])
    with pytest.raises(EngineError, match=r"does not fit.*batch \(1, 4, 16\)"):
        engine.run_on_device({"image": torch.from_numpy(pictures(17)["image"])})


@pytest.mark.parametrize("kind", ["tensorrt", "torch"])
def test_what_is_the_caller_s_own_outlives_the_next_run(kind: str, api: Api, torch: Any) -> None:
    engine = TensorRtEngine(network()) if kind == "tensorrt" else TorchEngine(network())
    reference = OnnxRuntimeEngine(network(), threads=1)
    asked = [pictures(2, seed=seed) for seed in range(3)]
    kept = [engine.run_on_device({"image": torch.from_numpy(one["image"])}, own=True) for one in asked]
    for found, given in zip(kept, asked, strict=True):
        np.testing.assert_allclose(found["map"].numpy(), reference.run(given)["map"], rtol=1e-5, atol=1e-3)


def test_plan_and_kernels_come_from_the_cache_at_the_second_start(api: Api, tmp_path: Path) -> None:
    events: list[str] = []
    for _ in range(2):
        engine = TensorRtEngine(network(), network="small", cache_dir=tmp_path, on_event=events.append)
        engine.run(pictures(1))
        engine._finalizer()
    assert api.kernels_read == [b"compiled"]
    assert len(list(plan_folder(tmp_path).iterdir())) == 3
    assert events == []


def test_a_plan_that_the_card_does_not_take_is_built_again_once(api: Api, tmp_path: Path) -> None:
    TensorRtEngine(network(), network="small", cache_dir=tmp_path)
    cache = PlanCache(plan_folder(tmp_path))
    (shelved,) = cache.shelf()
    assert shelved.manifest is not None
    junk = b"not what TensorRT wrote"
    cache.put(junk, replace(shelved.manifest, plan_sha256=hashlib.sha256(junk).hexdigest(), plan_bytes=len(junk)))
    TensorRtEngine(network(), network="small", cache_dir=tmp_path).run(pictures(1))
    (shelved,) = cache.shelf()
    assert shelved.bytes > len(junk)


def test_when_a_fresh_plan_is_not_taken_the_reason_is_told(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build_all, "build_plan", lambda *args, **more: (b"junk", build(*args, **more)[1]))
    with pytest.raises(EngineError, match=r"does not take the plan of the network small.*magicTag failed") as caught:
        TensorRtEngine(network(), network="small", cache_dir=tmp_path)
    assert "\n" not in str(caught.value)


def test_a_turing_card_is_asked_for(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def note(content: bytes, name: str, recipe: Recipe, tensorrt: TensorRt, **more: Any) -> tuple[bytes, Manifest]:
        asked.append(recipe.target)
        return build(content, name, recipe, tensorrt, **more)

    monkeypatch.setattr(build_all, "build_plan", note)
    for capability in ("7.5", "8.9", "9.0"):
        monkeypatch.setattr(torch_cuda_door, "find_card", lambda torch, cc=capability: replace(CARD, capability=cc))
        TensorRtEngine(network())
    assert asked == ["7.5", "", ""]


def test_a_run_that_fails_is_one_line_and_does_no_harm(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = TensorRtEngine(network())
    with monkeypatch.context() as patch:
        patch.setattr(Context, "execute_async_v3", lambda self, stream: False)
        with pytest.raises(EngineError, match="TensorRT cannot run the network"):
            engine.run(pictures(2))
    with pytest.raises(EngineError, match="does not fit"):
        engine.run({"image": np.zeros((1, 9, 8, 3), np.uint8)})
    np.testing.assert_array_equal(
        engine.run(pictures(2))["mean"], OnnxRuntimeEngine(network(), threads=1).run(pictures(2))["mean"]
    )


def test_torch_goes_on_without_a_graph_and_says_why(torch: Any) -> None:
    engine = TorchEngine(network())
    reference = OnnxRuntimeEngine(network(), threads=1)
    for count in (1, 5, 1):
        given = pictures(count, seed=count)
        for name, value in reference.run(given).items():
            np.testing.assert_allclose(engine.run(given)[name], value, rtol=1e-5, atol=1e-3)
    assert engine.name == "torch-cuda"
    assert "no capture here" in engine.without_graph
    found = engine.run_on_device({"image": torch.from_numpy(pictures(2)["image"])})
    np.testing.assert_allclose(found["map"].numpy(), reference.run(pictures(2))["map"], rtol=1e-5, atol=1e-3)


def test_the_recipe_is_the_networks_own() -> None:
    assert recipe_for("pnet", Wish()).batch == (1, 1, 1)
    assert recipe_for("landmarks", Wish()).keep
    assert recipe_for("landmarks", Wish("bf16", "8.9", (2, 2, 2))).batch == (2, 2, 2)
