"""The choice of an engine with a GPU, and the messages without one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fake_engines import SAMPLE, FakeEngine, Machine, pick, record

from rtswap.core.errors import EngineError
from rtswap.engines import selection
from rtswap.engines.selection import Network, choose_engines
from rtswap.engines.starting import why_no_gpu


def test_on_a_gpu_the_fastest_that_is_right_wins(machine: Machine, model: Path) -> None:
    machine.gpu = "a card"
    machine.has("onnxruntime", 4.0)
    machine.has("openvino", 3.0)
    machine.has("torch-cuda", 1.0)
    machine.has("tensorrt", 0.4, value=1.004, calls_itself="tensorrt-fp16")
    assert pick(model) == "tensorrt-fp16"
    machine.started.clear()
    assert pick(model) == "tensorrt-fp16"
    assert machine.started == ["tensorrt"]


def test_what_half_precision_gets_wrong_is_run_in_full(machine: Machine, tmp_path: Path) -> None:
    """Off by more than the network allows in float16: the same engine in float32, and only for this network."""
    machine.gpu = "a card"
    clock = machine.clock
    networks = {}
    for name in "ab":
        path = tmp_path / f"{name}.onnx"
        path.write_bytes(b"\x08\x08\x32" + bytes([len(name)]) + name.encode())
        networks[name] = Network(path, SAMPLE)

    def start(name: str, network: str, *_: object) -> FakeEngine:
        machine.started.append(f"{name} {network}")
        if name == "tensorrt":
            return FakeEngine("tensorrt-fp16", clock, 1e-4, 1.004 if network == "a" else 1.5)
        took = {"onnxruntime": 4e-3, "openvino": 3e-3, "torch-cuda": 1e-3, "tensorrt-fp32": 2e-4}[name]
        return FakeEngine(name, clock, took)

    events: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(selection, "_start", start)
        for _ in range(2):
            machine.started.clear()
            found = choose_engines(networks, threads=2, cache_dir=tmp_path, on_event=events.append)
            assert {name: one.name for name, one in found.items()} == {"a": "tensorrt-fp16", "b": "tensorrt-fp32"}
        assert machine.started == ["tensorrt a", "tensorrt-fp32 b"]
    assert len(events) == 1
    assert "not used for b: tensorrt: its output out is off by 0.5" in events[0]


def test_on_a_gpu_every_reason_is_reported_once_and_stored(machine: Machine, tmp_path: Path) -> None:
    machine.gpu = "a card"
    machine.has("onnxruntime", 4.0)
    machine.has("openvino", 4.0, value=2.0)
    machine.engines["torch-cuda"] = EngineError("PyTorch is not installed")
    machine.engines["tensorrt"] = EngineError("TensorRT is not installed")
    networks = {}
    for name in "ab":
        path = tmp_path / f"{name}.onnx"
        path.write_bytes(b"\x08\x08\x32" + bytes([len(name)]) + name.encode())
        networks[name] = Network(path, SAMPLE)
    events: list[str] = []
    for _ in range(2):
        choose_engines(networks, threads=2, cache_dir=tmp_path, on_event=events.append)
    assert sorted(event.split(":")[1].strip() for event in events) == ["openvino", "tensorrt", "torch-cuda"]
    assert "PyTorch is not installed" in " ".join(events)
    for name in networks:
        failed = json.loads((tmp_path / f"{name}.engine.json").read_text())["failed"]
        assert failed.keys() == {"openvino", "torch-cuda", "tensorrt"}


def test_gpu_engines_are_not_reported_without_a_gpu(machine: Machine, model: Path) -> None:
    machine.has("onnxruntime", 4.0)
    machine.has("openvino", 2.0)
    events: list[str] = []
    choose_engines({"net": Network(model, SAMPLE)}, threads=2, cache_dir=model.parent, on_event=events.append)
    assert events == []
    assert "torch-cuda" not in machine.started
    assert "there is no GPU" in str(record(model.parent)["failed"])


def test_another_card_is_another_case(machine: Machine, model: Path) -> None:
    machine.gpu = "a card"
    machine.has("onnxruntime", 4.0)
    machine.has("tensorrt", 0.4, calls_itself="tensorrt-fp16")
    assert pick(model) == "tensorrt-fp16"
    machine.gpu = "another card"
    machine.engines["tensorrt"] = EngineError("no plan for this card")
    assert pick(model) == "onnxruntime"


def test_requested_gpu_engine_is_checked_on_first_use(machine: Machine, model: Path) -> None:
    machine.gpu = "a card"
    machine.has("onnxruntime", 4.0)
    machine.has("torch-cuda", 1.0, value=1.01)
    with pytest.raises(EngineError, match=r"torch-cuda computes wrong outputs for the network net.*off by 0\.01"):
        pick(model, engine="torch-cuda")
    machine.has("torch-cuda", 1.0)
    assert pick(model, engine="torch-cuda") == "torch-cuda"
    machine.started.clear()
    assert pick(model, engine="torch-cuda") == "torch-cuda"
    assert machine.started == ["torch-cuda"]


def test_requested_tensorrt_falls_back_only_to_float32(machine: Machine, model: Path) -> None:
    machine.gpu = "a card"
    machine.has("onnxruntime", 0.1)
    machine.has("tensorrt", 0.4, value=3.0, calls_itself="tensorrt-fp16")
    machine.has("tensorrt-fp32", 0.6)
    for _ in range(2):
        assert pick(model, engine="tensorrt") == "tensorrt-fp32"
    machine.has("tensorrt-fp32", 0.6, value=2.0)
    (model.parent / "net.tensorrt.json").unlink()
    with pytest.raises(EngineError, match="tensorrt computes wrong outputs"):
        pick(model, engine="tensorrt")


@pytest.mark.parametrize("engine", ["tensorrt", "torch-cuda"])
def test_requested_gpu_engine_fails_with_the_reason_without_a_gpu(model: Path, engine: str) -> None:
    if why_no_gpu() == "":
        pytest.skip("there is a GPU")
    with pytest.raises(EngineError, match="NVIDIA") as caught:
        pick(model, engine=engine)
    assert "\n" not in str(caught.value)
