"""The TensorRT engine: batches within a plan's range; on a GPU the contract and agreement with ONNX Runtime."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from network_inputs import waves
from requirements import need_tensorrt, need_torch, network_file

from rtswap.core.errors import EngineError, ModelError
from rtswap.core.types import Tensor
from rtswap.engines.build.profiles import profile_of
from rtswap.engines.onnxruntime import OnnxRuntimeEngine
from rtswap.engines.tensorrt.batches import batch_rung, run_in_pieces
from rtswap.engines.tensorrt.engine import TensorRtEngine
from rtswap.engines.tensorrt.module import load_tensorrt, load_tensorrt_for, shorten
from rtswap.engines.tensorrt.plan_store import PlanCache, plan_folder
from rtswap.engines.tensorrt.runtime import ReadyPlan
from rtswap.gpu.card import find_card
from rtswap.networks.catalog import load_catalog
from rtswap.networks.onnx_graph import Graph


@given(count=st.integers(1, 70), least=st.integers(1, 8), more=st.integers(0, 30))
def test_any_batch_is_complete_and_within_the_range_of_the_plan(count: int, least: int, more: int) -> None:
    most = least + more
    image, guide = np.arange(count * 2).reshape(count, 2), np.arange(count) * 10
    memory = np.zeros((most, 2), np.int64)

    def run(tensors: Sequence[Tensor]) -> dict[str, Tensor]:
        assert least <= len(tensors[0]) <= most
        assert len(tensors[0]) == len(tensors[1])
        memory[: len(tensors[0])] = tensors[0] + tensors[1][:, None]  # used again by each run, as an engine does
        return {"sum": memory[: len(tensors[0])]}

    found = run_in_pieces([image, guide], least, most, run)
    np.testing.assert_array_equal(found["sum"], image + guide[:, None])


@pytest.mark.parametrize(
    ("count", "least", "most", "rung"),
    [(1, 1, 16, 1), (3, 1, 16, 4), (5, 1, 16, 8), (9, 1, 12, 12), (1, 4, 4, 4), (16, 1, 16, 16)],
)
def test_rungs(count: int, least: int, most: int, rung: int) -> None:
    assert batch_rung(count, least, most) == rung


def test_unequal_batches_are_reported() -> None:
    with pytest.raises(EngineError, match="different batch sizes"):
        run_in_pieces([np.zeros((2, 3)), np.zeros((3, 3))], 1, 4, lambda tensors: {})


def network() -> bytes:
    g = Graph("any")
    g.add("Relu", g.nhwc_u8("image"), to="map")
    return g.serialise({"image": ["n", 8, 8, 3]}, {"map": ["n", 3, 8, 8]}, {})


def test_without_torch_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(EngineError, match=r"PyTorch is not installed.*pip install") as caught:
        TensorRtEngine(network())
    assert "\n" not in str(caught.value)


def test_without_a_gpu_it_says_so() -> None:
    need_torch()
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(EngineError, match="CUDA"):
        TensorRtEngine(network())


def test_a_plan_without_a_driver_is_refused_with_the_reason(capfd: pytest.CaptureFixture[str]) -> None:
    """Here there is no driver; there it must run. Either way nobody talks over the one line."""
    need_tensorrt()
    with pytest.raises(EngineError, match="tensorrt_rtx rejects the plan for the network nothing") as caught:
        ReadyPlan(b"not a plan" * 30, "nothing", load_tensorrt("tensorrt_rtx"))
    assert "\n" not in str(caught.value)
    assert "no reason given" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("Error Code 6: API Usage Error (It cannot.\n Build it (again).)", "It cannot. Build it (again)"),
        ("X::y: Error Code 4: Internal Error (no kernel In build at /_src/x.cpp:12)", "no kernel"),
        ("", "no reason given"),
        ("word " * 99, " ".join(["word"] * 80) + " ..."),
    ],
)
def test_tensorrts_messages_are_cut_between_words(message: str, told: str) -> None:
    assert shorten(message) == told


# On a GPU


def on_card(model: Path | bytes, **more: Any) -> TensorRtEngine:
    """The engine. On a card that TensorRT for RTX does not serve it must say so, and there is nothing more to ask."""
    try:
        return TensorRtEngine(model, **more)
    except EngineError as error:
        import torch

        card = find_card(torch)
        tensorrt = load_tensorrt_for(card.capability)
        if tensorrt.serves(card.capability):
            raise
        told = str(error)
        assert told.startswith(f"plans of {tensorrt.name} do not run on compute capability {card.capability} (")
        assert card.name in told
        assert "--engine torch-cuda" in told
        assert "\n" not in told
        pytest.skip(told)


@pytest.mark.cuda
@pytest.mark.parametrize("name", load_catalog())
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_shipped_network_on_the_gpu(name: str, precision: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    cache = tmp_path_factory.getbasetemp() / "gpu"
    path = network_file(name)
    engine = on_card(path, network=name, precision=precision, cache_dir=cache)
    reference = OnnxRuntimeEngine(path, threads=2)
    for batch in (1, 3, 4, 20, 1):
        inputs = waves(path, batch, 60)
        truth, found = reference.run(inputs), engine.run(inputs)
        for output, value in truth.items():
            scale = max(1.0, float(np.abs(value).max()))
            allowed = 1e-3 * scale if precision == "fp32" else profile_of(name).tolerance.get(output, 1e-2 * scale)
            assert found[output].shape == value.shape
            assert np.abs(found[output] - value).max() < allowed, output


@pytest.mark.cuda
def test_the_second_start_takes_plan_and_kernels_from_the_cache(tmp_path: Path) -> None:
    path = network_file("landmarks")
    engine = on_card(path, network="landmarks", cache_dir=tmp_path)
    first = {name: value.copy() for name, value in engine.run(waves(path, 1, 60)).items()}
    engine._finalizer()
    assert [one.manifest.network for one in PlanCache(plan_folder(tmp_path)).stored() if one.manifest] == [
        "landmarks"
    ]
    again = TensorRtEngine(path, network="landmarks", cache_dir=tmp_path).run(waves(path, 1, 60))
    for name, value in first.items():
        np.testing.assert_allclose(again[name], value, atol=profile_of("landmarks").tolerance[name])


@pytest.mark.cuda
def test_a_plan_that_tensorrt_does_not_take_is_built_again(tmp_path: Path) -> None:
    """Sound by its manifest, but not what TensorRT wrote."""
    cache = PlanCache(plan_folder(tmp_path))
    on_card(network(), network="any", cache_dir=tmp_path)
    (shelved,) = cache.stored()
    assert shelved.manifest is not None
    junk = b"junk" * 500
    broken = replace(shelved.manifest, plan_sha256=hashlib.sha256(junk).hexdigest(), plan_bytes=len(junk))
    cache.put(junk, broken)
    image = np.full((1, 8, 8, 3), 5, np.uint8)
    engine = TensorRtEngine(network(), network="any", cache_dir=tmp_path)
    np.testing.assert_allclose(engine.run({"image": image})["map"], 5)


@pytest.mark.cuda
@pytest.mark.parametrize("content", [b"", b"text", network()[:-7]])
def test_invalid_network_is_reported_on_the_gpu(content: bytes) -> None:
    with pytest.raises(ModelError):
        TensorRtEngine(content)
