"""The choice of an engine: measured, checked, remembered, and never silently another than the one asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from rtswap.engines import choose, measure
from rtswap.engines.choose import Network, choose_engine, choose_engines
from rtswap.engines.samples import pictures_like
from rtswap.engines.start import why_no_gpu
from rtswap.errors import EngineError, ModelError
from rtswap.models.onnx_graph import Graph
from rtswap.types import Tensor

SAMPLE = {"image": np.zeros((1, 16, 16, 3), np.uint8)}


class FakeEngine:
    """Answers with ``value``; each run moves the clock by ``took``."""

    def __init__(self, name: str, clock: list[float], took: float, value: float = 1.0) -> None:
        self.name, self._clock, self._took, self._value = name, clock, took, value

    def run(self, inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        self._clock[0] += self._took
        return {"out": np.full((2, 3), self._value, np.float32)}


class Machine:
    """Which engines start, and how fast they are."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = [0.0]
        self.gpu = ""
        self.engines: dict[str, FakeEngine | Exception] = {}
        self.started: list[str] = []
        monkeypatch.setattr(choose, "_start", self._start)
        monkeypatch.setattr(choose, "gpu_name", lambda: self.gpu)
        monkeypatch.setattr(choose, "why_no_gpu", lambda: "" if self.gpu else "there is no GPU")
        monkeypatch.setattr(measure.time, "perf_counter", lambda: self.clock[0])

    def has(self, name: str, took_ms: float, value: float = 1.0, calls_itself: str = "") -> None:
        self.engines[name] = FakeEngine(calls_itself or name, self.clock, took_ms / 1e3, value)

    def _start(self, name: str, network: str, *_: object) -> FakeEngine:
        self.started.append(name)
        found = self.engines.get(name, EngineError(f"there is no {name}"))
        if isinstance(found, Exception):
            raise found
        return found


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(monkeypatch)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "net.onnx"
    path.write_bytes(b"\x08 some network")
    return path


def record(folder: Path) -> dict[str, object]:
    return dict(json.loads((folder / "net.engine.json").read_text()))


def pick(model: Path, engine: str = "auto", threads: int = 2) -> str:
    return choose_engine(model, threads=threads, engine=engine, cache_dir=model.parent, sample=SAMPLE).name


@pytest.mark.parametrize(
    ("onnxruntime_ms", "openvino_ms", "chosen"),
    [(4.0, 2.0, "openvino"), (2.0, 4.0, "onnxruntime"), (2.0, 1.95, "onnxruntime"), (2.0, 1.7, "openvino")],
)
def test_the_faster_is_taken_and_the_reason_written_down(
    machine: Machine, model: Path, onnxruntime_ms: float, openvino_ms: float, chosen: str
) -> None:
    machine.has("onnxruntime", onnxruntime_ms)
    machine.has("openvino", openvino_ms)
    assert pick(model) == chosen
    written = record(model.parent)
    assert written["choice"] == chosen
    assert written["took_ms"] == pytest.approx({"onnxruntime": onnxruntime_ms, "openvino": openvino_ms})
    assert f"{openvino_ms:.2f} ms" in str(written["why"])


def test_the_next_start_loads_the_winner_alone_and_measures_nothing(machine: Machine, model: Path) -> None:
    machine.has("onnxruntime", 4.0)
    machine.has("openvino", 2.0)
    pick(model)
    machine.started.clear()
    before = machine.clock[0]
    assert pick(model) == "openvino"
    assert machine.started == ["openvino"]
    assert machine.clock[0] == before


@pytest.mark.parametrize("change", ["network", "version", "processor", "threads", "damaged", "foreign", "list"])
def test_what_was_found_counts_only_for_the_same_case(
    machine: Machine, model: Path, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.has("onnxruntime", 4.0)
    machine.has("openvino", 2.0)
    pick(model)
    machine.has("openvino", 8.0)
    path = model.parent / "net.engine.json"
    if change == "network":
        model.write_bytes(b"\x08 another network")
    elif change == "version":
        monkeypatch.setattr(measure, "_version", lambda package: "99")
    elif change == "processor":
        monkeypatch.setattr(measure, "_processor", lambda: "a faster one")
    elif change == "damaged":
        path.write_bytes(path.read_bytes()[:30])
    elif change == "foreign":
        path.write_text(json.dumps({**record(model.parent), "took_ms": "nonsense"}))
    elif change == "list":
        path.write_text("[1, 2]")
    assert pick(model, threads=1 if change == "threads" else 2) == "onnxruntime"
    assert record(model.parent)["choice"] == "onnxruntime"


def test_an_engine_that_computes_something_else_is_not_taken(machine: Machine, model: Path) -> None:
    machine.has("onnxruntime", 4.0)
    machine.has("openvino", 1.0, value=1.01)
    assert pick(model) == "onnxruntime"
    assert "off by 0.01" in str(record(model.parent)["failed"])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_engine_that_gives_no_numbers_is_not_taken(machine: Machine, model: Path, value: float) -> None:
    machine.has("onnxruntime", 1.0, value=value)
    machine.has("openvino", 4.0)
    assert pick(model) == "openvino"


def test_an_engine_that_is_not_installed_is_passed_over(machine: Machine, model: Path) -> None:
    machine.engines["onnxruntime"] = ImportError("No module named 'onnxruntime'")
    machine.has("openvino", 4.0)
    assert pick(model) == "openvino"
    assert "No module" in str(record(model.parent)["failed"])


def test_when_none_can_every_reason_is_told_in_one_line(machine: Machine, model: Path) -> None:
    machine.engines["onnxruntime"] = ImportError("it is not there")
    machine.engines["openvino"] = ModelError("it does not know this operator")
    with pytest.raises(EngineError, match=r"not there.*this operator") as caught:
        pick(model)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("error", [ImportError("missing"), ModelError("unknown operator")])
def test_an_engine_asked_for_by_name_never_falls_back(machine: Machine, model: Path, error: Exception) -> None:
    machine.has("onnxruntime", 1.0)
    machine.engines["openvino"] = error
    with pytest.raises((EngineError, ModelError)):
        pick(model, engine="openvino")
    assert machine.started == ["openvino"]


def test_an_engine_asked_for_by_name_is_used_though_slower(machine: Machine, model: Path) -> None:
    machine.has("onnxruntime", 1.0)
    machine.has("openvino", 9.0)
    assert pick(model, engine="openvino") == "openvino"
    assert not (model.parent / "net.engine.json").exists()


def test_an_unknown_name_is_told(model: Path) -> None:
    with pytest.raises(EngineError, match=r"auto or onnxruntime or openvino.*got tensorflow"):
        pick(model, engine="tensorflow")


def test_a_missing_model_is_told(machine: Machine, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="does not exist"):
        pick(tmp_path / "net.onnx")


def test_a_cache_that_cannot_be_written_costs_only_the_memory(machine: Machine, model: Path) -> None:
    machine.has("onnxruntime", 4.0)
    machine.has("openvino", 2.0)
    blocked = model.parent / "file"
    blocked.write_text("no folder")
    networks = {"net": Network(model, SAMPLE)}
    assert choose_engines(networks, threads=2, cache_dir=blocked / "cache")["net"].name == "openvino"


def test_a_remembered_engine_that_is_gone_is_chosen_anew(machine: Machine, model: Path) -> None:
    machine.has("onnxruntime", 4.0)
    machine.has("openvino", 2.0)
    pick(model)
    machine.engines["openvino"] = ImportError("uninstalled")
    events: list[str] = []
    networks = {"net": Network(model, SAMPLE)}
    found = choose_engines(networks, threads=2, cache_dir=model.parent, on_event=events.append)
    assert found["net"].name == "onnxruntime"
    assert len(events) == 2
    assert all("uninstalled" in event for event in events)


def test_networks_of_one_loop_share_the_engine_that_is_faster_in_all(machine: Machine, tmp_path: Path) -> None:
    """One network is a little faster in the first engine, the other much faster in the second."""
    clock = machine.clock
    speeds = {b"\x08 a": {"onnxruntime": 1.0, "openvino": 1.5}, b"\x08 b": {"onnxruntime": 8.0, "openvino": 4.0}}
    networks = {}
    for content in speeds:
        path = tmp_path / f"{content[-1:].decode()}.onnx"
        path.write_bytes(content)
        networks[path.stem] = Network(path, SAMPLE)

    def start(name: str, network: str, content: bytes, *_: object) -> FakeEngine:
        return FakeEngine(name, clock, speeds[content][name] / 1e3)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(choose, "_start", start)
        found = choose_engines(networks, threads=2, cache_dir=tmp_path)
    assert {name: engine.name for name, engine in found.items()} == {"a": "openvino", "b": "openvino"}


def test_where_no_engine_can_run_all_each_network_has_its_own(machine: Machine, tmp_path: Path) -> None:
    clock = machine.clock
    able = {b"\x08 a": "onnxruntime", b"\x08 b": "openvino"}
    networks = {}
    for content in able:
        path = tmp_path / f"{content[-1:].decode()}.onnx"
        path.write_bytes(content)
        networks[path.stem] = Network(path, SAMPLE)

    def start(name: str, network: str, content: bytes, *_: object) -> FakeEngine:
        if able[content] != name:
            raise ModelError("unknown operator")
        return FakeEngine(name, clock, 1e-3)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(choose, "_start", start)
        for _ in range(2):  # measured, then remembered
            found = choose_engines(networks, threads=2, cache_dir=tmp_path)
            assert {name: engine.name for name, engine in found.items()} == {"a": "onnxruntime", "b": "openvino"}


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
        path.write_bytes(b"\x08 " + name.encode())
        networks[name] = Network(path, SAMPLE)

    def start(name: str, network: str, *_: object) -> FakeEngine:
        machine.started.append(f"{name} {network}")
        if name == "tensorrt":
            return FakeEngine("tensorrt-fp16", clock, 1e-4, 1.004 if network == "a" else 1.5)
        took = {"onnxruntime": 4e-3, "openvino": 3e-3, "torch-cuda": 1e-3, "tensorrt-fp32": 2e-4}[name]
        return FakeEngine(name, clock, took)

    events: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(choose, "_start", start)
        for _ in range(2):
            machine.started.clear()
            found = choose_engines(networks, threads=2, cache_dir=tmp_path, on_event=events.append)
            assert {name: one.name for name, one in found.items()} == {"a": "tensorrt-fp16", "b": "tensorrt-fp32"}
        assert machine.started == ["tensorrt a", "tensorrt-fp32 b"]
    assert len(events) == 1
    assert "not used for b: tensorrt: its output out is off by 0.5" in events[0]


def test_on_a_gpu_every_reason_is_told_once_and_written_down(machine: Machine, tmp_path: Path) -> None:
    machine.gpu = "a card"
    machine.has("onnxruntime", 4.0)
    machine.has("openvino", 4.0, value=2.0)
    machine.engines["torch-cuda"] = EngineError("PyTorch is not installed")
    machine.engines["tensorrt"] = EngineError("TensorRT is not installed")
    networks = {}
    for name in "ab":
        path = tmp_path / f"{name}.onnx"
        path.write_bytes(b"\x08 " + name.encode())
        networks[name] = Network(path, SAMPLE)
    events: list[str] = []
    for _ in range(2):
        choose_engines(networks, threads=2, cache_dir=tmp_path, on_event=events.append)
    assert sorted(event.split(":")[1].strip() for event in events) == ["openvino", "tensorrt", "torch-cuda"]
    assert "PyTorch is not installed" in " ".join(events)
    for name in networks:
        failed = json.loads((tmp_path / f"{name}.engine.json").read_text())["failed"]
        assert failed.keys() == {"openvino", "torch-cuda", "tensorrt"}


def test_without_a_gpu_nobody_is_told_of_engines_for_one(machine: Machine, model: Path) -> None:
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


def test_an_engine_for_a_gpu_that_is_asked_for_is_checked_at_its_first_use(machine: Machine, model: Path) -> None:
    machine.gpu = "a card"
    machine.has("onnxruntime", 4.0)
    machine.has("torch-cuda", 1.0, value=1.01)
    with pytest.raises(EngineError, match=r"torch-cuda does not compute the network net rightly.*off by 0\.01"):
        pick(model, engine="torch-cuda")
    machine.has("torch-cuda", 1.0)
    assert pick(model, engine="torch-cuda") == "torch-cuda"
    machine.started.clear()
    assert pick(model, engine="torch-cuda") == "torch-cuda"
    assert machine.started == ["torch-cuda"]


def test_tensorrt_asked_for_by_name_falls_back_to_float32_but_to_no_other_engine(
    machine: Machine, model: Path
) -> None:
    machine.gpu = "a card"
    machine.has("onnxruntime", 0.1)
    machine.has("tensorrt", 0.4, value=3.0, calls_itself="tensorrt-fp16")
    machine.has("tensorrt-fp32", 0.6)
    for _ in range(2):
        assert pick(model, engine="tensorrt") == "tensorrt-fp32"
    machine.has("tensorrt-fp32", 0.6, value=2.0)
    (model.parent / "net.tensorrt.json").unlink()
    with pytest.raises(EngineError, match="tensorrt does not compute"):
        pick(model, engine="tensorrt")


@pytest.mark.parametrize("engine", ["tensorrt", "torch-cuda"])
def test_without_a_gpu_the_engine_that_was_asked_for_fails_with_the_reason(model: Path, engine: str) -> None:
    if why_no_gpu() == "":
        pytest.skip("there is a GPU")
    with pytest.raises(EngineError, match="NVIDIA") as caught:
        pick(model, engine=engine)
    assert "\n" not in str(caught.value)


def test_samples_are_faces_where_zeros_were_given() -> None:
    guide = np.zeros((2, 32, 48), np.uint8)
    given = {"image": np.zeros((5, 32, 48, 3), np.uint8), "guides": guide, "own": np.ones((2, 2), np.float32)}
    found = pictures_like(given)
    assert found["own"] is given["own"]
    for name in ("image", "guides"):
        assert (found[name].shape, found[name].dtype) == (given[name].shape, given[name].dtype)
    assert len({one.tobytes() for one in found["image"]}) == 5
    assert found["image"].std() > 20
    assert set(np.unique(found["guides"])) == {0, 255}


def test_with_the_real_engines(tmp_path: Path) -> None:
    g = Graph("mean")
    g.add("ReduceMean", g.nhwc_u8("image"), axes=[2, 3], keepdims=0, to="mean")
    path = tmp_path / "net.onnx"
    path.write_bytes(g.serialise({"image": ["n", "h", "w", 3]}, {"mean": ["n", 3]}, {}))
    image = np.full((1, 4, 4, 3), 7, np.uint8)
    for engine in ("auto", "auto", "openvino", "onnxruntime"):
        chosen = choose_engine(path, threads=1, engine=engine, cache_dir=tmp_path, sample={"image": image})
        np.testing.assert_allclose(chosen.run({"image": image})["mean"], 7)
    assert {"onnxruntime", "openvino"} <= set(record(tmp_path)["took_ms"])  # type: ignore[call-overload]
