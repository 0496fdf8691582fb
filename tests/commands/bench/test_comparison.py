"""``rtswap bench --engine a,b``: the cost of networks and their share of the measured limits."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest
from printed_output import print_parts
from requirements import need_torch, network_file

from rtswap.app.config import Config
from rtswap.app.console import Console
from rtswap.app.networks import Networks
from rtswap.commands.bench import engines as engines_module
from rtswap.commands.bench import limits as limits_module
from rtswap.commands.bench import rig as rig_module
from rtswap.commands.bench import tables
from rtswap.commands.bench.costs import cost_of, multiply_adds
from rtswap.commands.bench.engines import Job, bench_engines, compare, per_frame, read_engines, roofline
from rtswap.commands.bench.limits import MachineLimits, cpu_limits, gpu_limits
from rtswap.commands.main import main
from rtswap.core.errors import EngineError, UsageError
from rtswap.core.protocols import Engine
from rtswap.core.types import Tensor
from rtswap.engines.starting import ENGINES
from rtswap.networks.onnx_graph import Graph


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small, and seldom repeated."""
    monkeypatch.setattr(limits_module, "_SIDE", 256)
    monkeypatch.setattr(limits_module, "_COPIED_BYTES", 2**23)
    monkeypatch.setattr(engines_module, "SHARE_S", 0.02)
    monkeypatch.setattr(engines_module, "BATCHES", (4,))


def convolution(size: int, channels: int) -> bytes:
    g = Graph("one")
    kernel = np.ones((channels, 3, size, size), np.float32)
    flat = g.add("Flatten", g.conv(g.nhwc_u8("image"), kernel, np.zeros(channels, np.float32)))
    side = 9 - size
    g.dense(flat, np.ones((channels * side * side, 7), np.float32), np.zeros(7, np.float32), to="out")
    return g.serialise({"image": ["n", 8, 8, 3]}, {"out": ["n", 7]}, {})


@pytest.mark.parametrize("batch", [1, 5])
def test_multiply_adds_and_bytes_are_those_of_the_formula(batch: int, tmp_path: Path) -> None:
    path = tmp_path / "one.onnx"
    path.write_bytes(convolution(3, 4))
    inputs = {"image": np.zeros((batch, 8, 8, 3), np.uint8)}
    by_hand = batch * (6 * 6 * 4 * 3 * 3 * 3 + 4 * 36 * 7)
    assert multiply_adds(onnx.load(path), inputs) == by_hand
    cost = cost_of(path, inputs, {"out": np.zeros((batch, 7), np.float32)})
    assert cost.macs == by_hand
    weights = 4 * 27 + 4 + 4 * 36 * 7 + 7
    assert cost.bytes == 4 * weights + batch * (8 * 8 * 3 + 7 * 4)


def test_landmark_network_costs_as_documented() -> None:
    inputs = {"crops": np.zeros((2, 128, 128, 3), np.uint8)}
    one = multiply_adds(onnx.load(network_file("landmarks")), {"crops": inputs["crops"][:1]})
    assert 0.05e9 < one < 0.15e9
    assert multiply_adds(onnx.load(network_file("landmarks")), inputs) == 2 * one


def test_the_least_time_is_that_of_the_narrowest_way() -> None:
    limits = MachineLimits(gemm=100.0, copy=10.0, up=2.0, down=4.0)
    assert limits.least_s(1000, 10) == pytest.approx(10.0)
    assert limits.least_s(10, 1000) == pytest.approx(100.0)
    assert MachineLimits(100.0, 10.0, half=200.0).least_s(1000, 10, half=True) == pytest.approx(5.0)
    assert MachineLimits(100.0, 10.0, half=50.0).least_s(1000, 10, half=True) == pytest.approx(10.0)
    assert limits.least_s(10, 10, given=8, taken=8) == pytest.approx(6.0)
    assert MachineLimits(100.0, 10.0).least_s(0, 10, given=8, taken=8) == pytest.approx(1.0)


def test_what_the_processor_can_do_at_most(tmp_path: Path) -> None:
    found = cpu_limits(1, tmp_path)
    assert found.gemm >= 1e9 * min(found.told["by"].values())
    by = dict(found.told["by"])
    assert (by.pop("openvino-bf16", None) is None) == (found.half == 0)
    assert {"numpy", "onnxruntime", "openvino"} == set(by)
    assert found.gemm == pytest.approx(1e9 * max(by.values()), rel=0.01)
    assert 5e9 < found.gemm < 5e13
    assert 5e8 < found.copy < 2e12
    assert found.up == 0


@pytest.mark.parametrize("low", [False, True])
def test_what_a_gpu_can_do_is_measured_by_torch(low: bool) -> None:
    need_torch()
    import torch

    found = gpu_limits(torch, low=low, device="cpu", side=64)
    assert min(found.gemm, found.copy, found.up, found.down) > 1e6
    assert ("float16" in found.told["what"]) == low


class Pretended:
    """An engine that adds ``off`` to what another gives."""

    def __init__(self, engine: Engine, off: float, name: str = "pretended") -> None:
        self._engine, self._off, self.name = engine, off, name

    def run(self, inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        if self._off < 0:
            raise EngineError("it does not work")
        return {name: value + self._off for name, value in self._engine.run(inputs).items()}


def test_engines_are_held_against_the_first_and_against_the_limit() -> None:
    sound = Networks(Config(), on_event=lambda text: None).engines["rnet"]
    inputs = {"image": np.full((8, 24, 24, 3), 90, np.uint8)}
    limits = MachineLimits(gemm=1e10, copy=1e9)
    engines = {
        name: {"rnet": engine}
        for name, engine in {
            "sound": sound,
            "wrong": Pretended(sound, 0.5),
            "broken": Pretended(sound, -1),
            "coarse": Pretended(sound, 0.002, "coarse-fp16"),
        }.items()
    }
    row = compare(Job("rnet", 8, inputs, 0.02), engines, dict.fromkeys(engines, limits))
    assert row["sound"]["disagreement"] == row["coarse"]["disagreement"] == ""
    assert "off by 0.5" in row["wrong"]["disagreement"]
    assert row["broken"] == {"failed": "it does not work"}
    sound_row = row["sound"]
    by_hand = 2 * row["gmacs"] * 1e9 / 1e10 / (sound_row["median_ms"] / 1e3)
    assert sound_row["share_of_limit"] == pytest.approx(by_hand, rel=0.02)
    assert sound_row["runs"] > 3


@pytest.mark.parametrize(
    ("text", "names"),
    [("openvino,onnxruntime", ("openvino", "onnxruntime")), ("all", ENGINES), ("openvino , openvino", ("openvino",))],
)
def test_names_of_engines(text: str, names: tuple[str, ...]) -> None:
    assert read_engines(text) == names


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--engine openvno", r"'openvno'\. Did you mean openvino\?"),
        ("--engine openvino,", "got ''"),
        ("--engine onnxruntime,cuda", "got 'cuda'"),
        ("--engine openvino,onnxruntime --streams 2", "--streams needs one engine"),
    ],
)
def test_invalid_engines_are_refused(words: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", *words.split()]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert re.search(says, err)


def test_a_run_side_by_side(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(engines_module, "SIZE", (320, 240))
    monkeypatch.setattr(engines_module, "FACE_PX", 120)
    monkeypatch.setattr(rig_module, "WARM_UP_S", 0.2)
    monkeypatch.setattr("rtswap.gpu.driver._LIBRARY", "no_such_library")
    events = io.StringIO()
    out = tmp_path / "engines.json"
    names = ("onnxruntime", "openvino", "tensorrt")
    found = bench_engines(Config(), names, console=Console(stream=events), seconds=0.5, out=str(out))
    assert json.loads(out.read_text())["networks"].keys() == found["networks"].keys()
    assert {"pnet x1", "landmarks x1", "landmarks x4", "occlusion x1"} <= set(found["networks"])
    for row in found["networks"].values():
        for name in names[:2]:
            assert row[name]["disagreement"] == ""
            assert row[name]["share_of_limit"] > 0
    assert set(found["loop"]) == set(names[:2])
    for one in found["loop"].values():
        assert one["fps"] > 1
        assert one["faces_per_frame"] > 0.9
        assert one["stages"]["paste"]["mb"] > 0
    assert "no NVIDIA driver" in found["not_run"]["tensorrt"]
    assert "not run: tensorrt" in events.getvalue()
    text = print_parts(*tables.engines(found, {name: per_frame(found["networks"], name) for name in found["loop"]}))
    assert re.search(r"openvino: .* GMAC, .*% of this machine's peak", text)
    assert re.search(r"landmarks x4 .*\d\.\d\d  \d+%", text)
    assert re.search(r"frames per second +\d", text)
    assert re.search(r"not run: tensorrt: .*no NVIDIA driver", text)
    with pytest.raises(UsageError):
        read_engines("everything")


def test_where_no_engine_runs_it_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rtswap.gpu.driver._LIBRARY", "no_such_library")
    with pytest.raises(EngineError, match=r"none of these engines runs on this machine.*no NVIDIA driver"):
        bench_engines(Config(), ("tensorrt", "torch-cuda"), console=Console(quiet=True), seconds=1, out=None)


def test_the_plain_bench_holds_its_networks_against_the_peak() -> None:
    found = roofline(Config(), Networks(Config(), on_event=lambda text: None))
    assert found["networks_of_a_frame"].endswith("% of this machine's peak")
    assert "landmarks x4" not in found["networks"]
    assert found["limits"]["gemm_gflops"] > 1
