"""The engines' GPU code without a GPU: torch's streams do nothing, memory is on the host, and ONNX Runtime replaces
TensorRT. What needs a real GPU (speed, graphs, kernels) is in the tests marked ``cuda``."""

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
from plan_files import manifest
from requirements import need_torch

from rtswap.core.errors import EngineError
from rtswap.core.isolation import pip_install
from rtswap.engines.build import all_plans
from rtswap.engines.build.all_plans import PlanOptions, recipe_for
from rtswap.engines.contract import TensorSpec
from rtswap.engines.onnxruntime import OnnxRuntimeEngine
from rtswap.engines.tensorrt import engine as engine_module
from rtswap.engines.tensorrt import module as api_module
from rtswap.engines.tensorrt.engine import TensorRtEngine
from rtswap.engines.tensorrt.module import TensorRt
from rtswap.engines.tensorrt.plan import CURRENT, Manifest, Recipe
from rtswap.engines.tensorrt.plan_store import PlanCache, plan_folder
from rtswap.engines.torch.engine import TorchEngine
from rtswap.gpu import card
from rtswap.gpu.driver import Gpu
from rtswap.networks.onnx_graph import Graph

CARD = Gpu("Pretended Card", "8.9", 24.0, "13.0")


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

    class NoGraph:
        def capture_begin(self, **_: Any) -> None:
            raise RuntimeError("CUDA error: no capture here")

    monkeypatch.setattr(card, "DEVICE", "cpu")
    monkeypatch.setattr(card, "find_card", lambda torch: CARD)
    monkeypatch.setattr(module.cuda, "Stream", Stream)
    monkeypatch.setattr(module.cuda, "current_stream", Stream)
    monkeypatch.setattr(module.cuda, "stream", nothing)
    monkeypatch.setattr(module.cuda, "synchronize", lambda: None)
    monkeypatch.setattr(module.cuda, "CUDAGraph", NoGraph)
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
    ComputeCapability = SimpleNamespace(
        __members__=dict.fromkeys(("NONE", "CURRENT", "SM75", "SM80", "SM86", "SM89", "SM120", "SM121"))
    )
    DynamicShapesKernelSpecializationStrategy = SimpleNamespace(LAZY="lazy")

    class ILogger:
        ERROR = 1

    __version__: str
    refuses = ""
    """What it tells of every plan instead of taking it."""

    def __init__(self) -> None:
        self.kernels_read: list[bytes] = []

    def Runtime(self, listener: Any) -> Any:
        def deserialize(plan: bytes) -> Any:
            if self.refuses or not plan.startswith(b"plan:"):
                listener.log(1, self.refuses or "Serialization assertion\nmagicTag failed")
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
    found = manifest(plan, name, tensorrt.version, recipe)
    shapes = {"map": (None, 4, 6, 6), "mean": (None, 4)}
    outputs = tuple(TensorSpec(output, np.dtype("float32"), shape) for output, shape in shapes.items())
    inputs = (TensorSpec("image", np.dtype("uint8"), (None, 8, 8, 3)),)
    sha256 = hashlib.sha256(content).hexdigest()
    return plan, replace(found, onnx_sha256=sha256, module=tensorrt.name, card=card, inputs=inputs, outputs=outputs)


@pytest.fixture
def api(torch: Any, monkeypatch: pytest.MonkeyPatch) -> Api:
    played = Api()
    monkeypatch.setattr(all_plans, "build_plan", build)
    monkeypatch.setattr(
        engine_module, "load_tensorrt_for", lambda capability: TensorRt("tensorrt_rtx", "1.7", played)
    )
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
    with pytest.raises(EngineError, match=r"has the wrong shape.*batch \(1, 4, 16\)"):
        engine.run_on_device({"image": torch.from_numpy(pictures(17)["image"])})


@pytest.mark.parametrize("kind", ["tensorrt", "torch"])
def test_owned_outputs_survive_the_next_run(kind: str, api: Api, torch: Any) -> None:
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
    (shelved,) = cache.stored()
    assert shelved.manifest is not None
    junk = b"not what TensorRT wrote"
    cache.put(junk, replace(shelved.manifest, plan_sha256=hashlib.sha256(junk).hexdigest(), plan_bytes=len(junk)))
    TensorRtEngine(network(), network="small", cache_dir=tmp_path).run(pictures(1))
    (shelved,) = cache.stored()
    assert shelved.bytes > len(junk)


def test_rejected_new_plan_is_reported_with_the_reason(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(all_plans, "build_plan", lambda *args, **more: (b"junk", build(*args, **more)[1]))
    with pytest.raises(EngineError, match=r"rejects the plan for the network small.*magicTag failed") as caught:
        TensorRtEngine(network(), network="small", cache_dir=tmp_path)
    assert "\n" not in str(caught.value)


def test_turing_must_be_requested(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def note(content: bytes, name: str, recipe: Recipe, tensorrt: TensorRt, **more: Any) -> tuple[bytes, Manifest]:
        asked.append(recipe.target)
        return build(content, name, recipe, tensorrt, **more)

    monkeypatch.setattr(all_plans, "build_plan", note)
    for capability in ("7.5", "8.9", "13.0"):
        monkeypatch.setattr(card, "find_card", lambda torch, cc=capability: replace(CARD, capability=cc))
        TensorRtEngine(network())
    assert asked == ["7.5", "", ""]


def test_plan_for_an_unnamed_gpu_targets_the_present_one(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And kept for that card alone."""
    monkeypatch.setattr(card, "find_card", lambda torch: replace(CARD, capability="9.0"))
    for _ in range(2):
        TensorRtEngine(network(), network="small", cache_dir=tmp_path).run(pictures(1))
    (shelved,) = PlanCache(plan_folder(tmp_path)).stored()
    assert shelved.manifest is not None
    assert shelved.manifest.recipe.target == CURRENT
    assert shelved.manifest.card == "Pretended Card, compute capability 9.0"


def test_unsupported_gpu_is_reported_in_one_line(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    reason = (
        "The engine cannot run on this GPU, which has compute capability 9.0. Supported compute capabilities: 8.0 "
        "8.6 8.9 12.0 12.1 >12.0. TensorRT-RTX does not support this compute capability, so the engine cannot be "
        "rebuilt for it."
    )
    monkeypatch.setattr(card, "find_card", lambda torch: replace(CARD, capability="9.0"))
    told = f"IRuntime::deserializeCudaEngine: Error Code 6: API Usage Error ({reason} In check at /_src/x.cpp:12)"
    monkeypatch.setattr(api, "refuses", told)
    with pytest.raises(EngineError) as caught:
        TensorRtEngine(network())
    assert str(caught.value) == (
        "plans of tensorrt_rtx do not run on compute capability 9.0 (Pretended Card), and a plan built for this GPU "
        f"does not run either; expected one of 7.5, 8.0, 8.6, 8.9, 12.0, 12.1, or newer; got {reason} "
        f"Use --engine torch-cuda, or install classic TensorRT: {pip_install('tensorrt')}"
    )


@pytest.mark.parametrize("installed", [True, False])
def test_where_the_classic_tensorrt_is_installed_too_it_takes_such_a_card(
    installed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(name: str) -> Any:
        if name == "tensorrt" and not installed:
            raise ImportError("no such package")
        api = Api()
        api.__version__ = "1.7"
        return api

    monkeypatch.setattr(api_module, "_import", load)
    assert api_module.load_tensorrt_for("8.9").name == "tensorrt_rtx"
    assert api_module.load_tensorrt_for("9.0").name == ("tensorrt" if installed else "tensorrt_rtx")


def test_a_run_that_fails_is_one_line_and_does_no_harm(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = TensorRtEngine(network())
    with monkeypatch.context() as patch:
        patch.setattr(Context, "execute_async_v3", lambda self, stream: False)
        with pytest.raises(EngineError, match="TensorRT cannot run the network"):
            engine.run(pictures(2))
    with pytest.raises(EngineError, match="has the wrong"):
        engine.run({"image": np.zeros((1, 9, 8, 3), np.uint8)})
    np.testing.assert_array_equal(
        engine.run(pictures(2))["mean"], OnnxRuntimeEngine(network(), threads=1).run(pictures(2))["mean"]
    )


def test_torch_continues_without_a_graph_and_reports_why(torch: Any) -> None:
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


def test_torch_captures_few_shapes_for_any_batch(torch: Any) -> None:
    """The detector's candidates are any number: a capture for each took 20 ms in the middle of a stream."""
    engine, reference = TorchEngine(network()), OnnxRuntimeEngine(network(), threads=1)
    for count in (*range(1, 17), 70):
        given = pictures(count, seed=count)
        for name, value in reference.run(given).items():
            found = engine.run(given)[name]
            assert found.shape == value.shape
            np.testing.assert_allclose(found, value, rtol=1e-5, atol=1e-3)
    batches = [shapes[0][0] for shapes in engine._slots._slots]
    assert sorted(batches) == [1, 2, 4, 8, 16, 64]


def test_the_recipe_is_the_networks_own() -> None:
    assert recipe_for("pnet", PlanOptions()).batch == (1, 1, 1)
    assert recipe_for("landmarks", PlanOptions()).keep
    assert recipe_for("landmarks", PlanOptions("bf16", "8.9", (2, 2, 2))).batch == (2, 2, 2)
