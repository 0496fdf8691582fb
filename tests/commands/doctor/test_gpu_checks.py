"""``rtswap doctor`` on GPUs, their engines and the plans."""

from __future__ import annotations

import hashlib
import os
import sys
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from requirements import need_cuda

from rtswap.commands.doctor import checks, report
from rtswap.commands.doctor.checks import State
from rtswap.core.errors import EngineError
from rtswap.engines.contract import TensorSpec
from rtswap.engines.measurement import Record, write_record
from rtswap.engines.tensorrt import module
from rtswap.engines.tensorrt.plan import Manifest, Recipe
from rtswap.engines.tensorrt.plan_store import PlanCache
from rtswap.gpu import driver as gpu_driver
from rtswap.gpu.driver import Gpu, find_gpus


class FakeDriver:
    """libcuda as far as it is asked."""

    def __init__(self, cards: int, fails: str = "") -> None:
        self._cards, self._fails = cards, fails

    def __getattr__(self, function: str) -> Any:
        def call(*arguments: Any) -> int:
            if function == self._fails:
                return 999
            if function == "cuDriverGetVersion":
                arguments[0]._obj.value = 13020
            elif function == "cuDeviceGetCount":
                arguments[0]._obj.value = self._cards
            elif function == "cuDeviceGet":
                arguments[0]._obj.value = arguments[1]
            elif function == "cuDeviceGetName":
                arguments[0].value = b"NVIDIA Card %d" % arguments[2]
            elif function == "cuDeviceTotalMem_v2":
                arguments[0]._obj.value = 24 * 2**30
            elif function == "cuDeviceGetAttribute":
                arguments[0]._obj.value = {75: 8, 76: 9}[arguments[1]]
            return 0

        return call


def test_cards_are_named_by_the_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_driver.ctypes, "CDLL", lambda name: FakeDriver(2))
    assert [str(gpu) for gpu in find_gpus()] == [
        f"NVIDIA Card {index}, compute capability 8.9, 24 GiB, CUDA 13.2" for index in range(2)
    ]
    monkeypatch.setattr(checks, "_output", lambda command: "580.1\n580.1")
    (finding,) = checks.check_gpu()
    assert finding.state is State.OK
    assert "NVIDIA Card 1" in finding.found
    assert finding.found.endswith("driver 580.1")


@pytest.mark.parametrize(
    ("driver", "reason"),
    [
        (FakeDriver(0), "finds no GPU"),
        (FakeDriver(1, fails="cuInit"), "cuInit returned error 999"),
        (None, "no NVIDIA"),
    ],
)
def test_reason_is_reported_without_a_gpu(
    driver: FakeDriver | None, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(name: str) -> FakeDriver:
        if driver is None:
            raise OSError("cannot open shared object file")
        return driver

    monkeypatch.setattr(gpu_driver.ctypes, "CDLL", load)
    with pytest.raises(EngineError, match=reason):
        find_gpus()
    (finding,) = checks.check_gpu()
    assert (finding.state, finding.mend) == (State.OK, "")
    assert reason in finding.found
    (engines,) = checks.check_gpu_engines()
    assert engines.state is State.NOTE
    assert reason in engines.found


def test_every_engine_has_a_line_with_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise ImportError(f"No module named '{name}'")

    monkeypatch.setattr(module, "_import", absent)
    monkeypatch.setitem(sys.modules, "torch", None)
    found = checks.check_gpu_engines(has_gpu=True)
    assert [(one.name, one.state) for one in found] == [
        ("Engine torch-cuda", State.NOTE),
        ("Engine tensorrt", State.NOTE),
    ]
    assert all("pip install" in one.mend for one in found)
    assert "import of torch halted" in found[0].found


def test_a_gpu_that_tensorrt_does_not_support_is_not_ok(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tensorrt_rtx", reason="TensorRT for RTX is not installed")
    found = {}
    for capability in ("8.9", "9.0"):
        gpu = Gpu("A Card", capability, 24.0, "13.0")
        monkeypatch.setattr(gpu_driver, "find_gpus", lambda gpu=gpu: (gpu,))
        found[capability] = checks._tensorrt_finding()
    assert found["8.9"].state is State.OK
    assert found["9.0"].state is State.NOTE
    assert found["9.0"].found.startswith("plans of tensorrt_rtx do not run on compute capability 9.0, but on ")
    assert "torch-cuda" in found["9.0"].mend


def manifest(network: str, plan: bytes, version: str) -> Manifest:

    spec = TensorSpec("image", np.dtype("uint8"), (None, 8, 8, 3))
    sha256 = hashlib.sha256(plan).hexdigest()
    recipe = Recipe("fp16")
    return Manifest(
        network, "ab", "tensorrt_rtx", version, "", recipe, sha256, len(plan), (spec,), (spec,), "2026-11-21", 0.5
    )


def test_plans_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "version", lambda name: "1.7")
    assert checks.check_plans(tmp_path / "none")[0].state is State.OK
    cache = PlanCache(tmp_path)
    plan = bytes(3_000_000)
    cache.put(plan, manifest("rnet", plan, "1.7"))
    (finding,) = checks.check_plans(tmp_path)
    assert finding.state is State.OK
    assert finding.found == f"1 plan, 3 MB in {tmp_path}: rnet fp16"
    cache.put(plan, replace(manifest("onet", plan, "1.6"), onnx_sha256="cd"))
    (tmp_path / "stray.plan").write_bytes(b"?")
    (finding,) = checks.check_plans(tmp_path)
    assert finding.state is State.NOTE
    assert "1 without a readable manifest" in finding.found
    assert finding.found.endswith("not installed: onet by tensorrt_rtx 1.6")
    assert "rnet by" not in finding.found
    assert finding.mend == "rtswap build --force"


def test_plan_of_a_changed_network_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "version", lambda name: "1.7")
    cache = PlanCache(tmp_path)
    for name in ("rnet", "mine"):
        cache.put(bytes(1000), manifest(name, bytes(1000), "1.7"))
    today = {"rnet": "ab"}
    assert checks.check_plans(tmp_path, hash_of=lambda name: today.get(name, ""))[0].state is State.OK
    today["rnet"] = "cd"
    (finding,) = checks.check_plans(tmp_path, hash_of=lambda name: today.get(name, ""))
    assert finding.state is State.NOTE
    assert finding.found.endswith("built from an older network file: rnet")


def test_without_a_card_it_says_whether_plans_can_be_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rtswap.engines.starting.why_no_gpu", lambda: "there is none")
    for version, told in (("1.7", "tensorrt_rtx 1.7 can build plans"), ("", "do not run: there is none")):
        monkeypatch.setattr(checks, "package_version", lambda name, version=version: version)
        (finding,) = checks.check_gpu_engines()
        assert told in finding.found


def test_the_engine_that_was_chosen_is_shown_with_its_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RTSWAP_CACHE", str(tmp_path))
    record = tmp_path / "landmarks.engine.json"
    for content in (None, b"\xff", b"[]", b"{}", b"[" * 200_000):
        if content is not None:
            record.write_bytes(content)
        assert "no choice yet" in report.check_choice()[0].found
    record.unlink()
    if hasattr(os, "mkfifo"):
        os.mkfifo(record)
        assert "no choice yet" in report.check_choice()[0].found, "it waits for nobody"
        record.unlink()
    write_record(record, Record("key", {}, {}, "openvino", "openvino: over 6 networks openvino 7.67 ms a frame"))
    assert report.check_choice()[0].found.startswith("openvino: over 6")


@pytest.mark.cuda
def test_on_a_gpu_the_driver_and_torch_name_the_same_card() -> None:
    need_cuda()
    import torch

    assert find_gpus()[0].name == torch.cuda.get_device_name(0)
