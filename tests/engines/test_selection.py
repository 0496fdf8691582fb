"""The choice of an engine: measured, checked, cached, and never silently another than the requested one."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from fake_engines import SAMPLE, FakeEngine, Machine, pick, record
from people import face_models

from rtswap.core.errors import EngineError, ModelError
from rtswap.engines import measurement, selection
from rtswap.engines.samples import fill_with_faces
from rtswap.engines.selection import Network, choose_engine, choose_engines
from rtswap.networks.catalog import load_catalog
from rtswap.networks.onnx_graph import Graph


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
        model.write_bytes(b"\x08\x08\x32\x0fanother network")
    elif change == "version":
        monkeypatch.setattr(measurement, "package_version", lambda package: "99")
    elif change == "processor":
        monkeypatch.setattr(measurement, "processor_name", lambda: "a faster one")
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


def test_if_no_engine_runs_every_reason_is_in_one_line(machine: Machine, model: Path) -> None:
    machine.engines["onnxruntime"] = ImportError("it is not there")
    machine.engines["openvino"] = ModelError("it does not know this operator")
    with pytest.raises(EngineError, match=r"not there.*this operator") as caught:
        pick(model)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("error", [ImportError("missing"), ModelError("unknown operator")])
def test_requested_engine_never_falls_back(machine: Machine, model: Path, error: Exception) -> None:
    machine.has("onnxruntime", 1.0)
    machine.engines["openvino"] = error
    with pytest.raises((EngineError, ModelError)):
        pick(model, engine="openvino")
    assert machine.started == ["onnxruntime", "openvino"], "compared, never used instead"


def test_what_the_reference_refuses_no_other_engine_is_given(machine: Machine, model: Path) -> None:
    machine.engines["onnxruntime"] = ModelError("its shapes do not fit")
    machine.has("openvino", 1.0)
    for engine in ("auto", "openvino"):
        with pytest.raises((EngineError, ModelError), match="do not fit"):
            pick(model, engine=engine)
    assert machine.started == ["onnxruntime", "onnxruntime"]


@pytest.mark.parametrize("engine", ["auto", "openvino"])
def test_what_fails_in_the_reference_runs_in_no_other_engine(
    machine: Machine, model: Path, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.has("onnxruntime", 1.0)
    machine.has("openvino", 1.0)
    ran: list[str] = []

    def run(self: FakeEngine, inputs: object) -> None:
        ran.append(self.name)
        raise EngineError("its shapes do not fit")

    monkeypatch.setattr(FakeEngine, "run", run)
    with pytest.raises(EngineError, match="do not fit"):
        pick(model, engine=engine)
    assert ran == ["onnxruntime"]


def test_requested_engine_is_used_even_if_slower(machine: Machine, model: Path) -> None:
    machine.has("onnxruntime", 1.0)
    machine.has("openvino", 9.0)
    assert pick(model, engine="openvino") == "openvino"
    assert not (model.parent / "net.engine.json").exists()


def test_unknown_name_is_reported(model: Path) -> None:
    with pytest.raises(EngineError, match=r"auto or onnxruntime or openvino.*got tensorflow"):
        pick(model, engine="tensorflow")


def test_missing_model_is_reported(machine: Machine, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="does not exist"):
        pick(tmp_path / "net.onnx")


def test_a_cache_that_cannot_be_written_costs_only_the_memory(machine: Machine, model: Path) -> None:
    machine.has("onnxruntime", 4.0)
    machine.has("openvino", 2.0)
    blocked = model.parent / "file"
    blocked.write_text("no folder")
    networks = {"net": Network(model, SAMPLE)}
    assert choose_engines(networks, threads=2, cache_dir=blocked / "cache")["net"].name == "openvino"


def test_an_uninstalled_engine_is_replaced_by_a_new_choice(machine: Machine, model: Path) -> None:
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


def write_networks(folder: Path, contents: Iterable[bytes]) -> dict[str, Network]:
    """A file for each, named after its last letter."""
    networks = {}
    for content in contents:
        path = folder / f"{content[-1:].decode()}.onnx"
        path.write_bytes(content)
        networks[path.stem] = Network(path, SAMPLE)
    return networks


def test_networks_of_one_loop_share_the_engine_that_is_faster_in_all(machine: Machine, tmp_path: Path) -> None:
    """One network is a little faster in the first engine, the other much faster in the second."""
    clock = machine.clock
    speeds = {
        b"\x08\x08\x32\x01a": {"onnxruntime": 1.0, "openvino": 1.5},
        b"\x08\x08\x32\x01b": {"onnxruntime": 8.0, "openvino": 4.0},
    }
    networks = write_networks(tmp_path, speeds)

    def start(name: str, network: str, content: bytes, *_: object) -> FakeEngine:
        return FakeEngine(name, clock, speeds[content][name] / 1e3)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(selection, "_start", start)
        found = choose_engines(networks, threads=2, cache_dir=tmp_path)
    assert {name: engine.name for name, engine in found.items()} == {"a": "openvino", "b": "openvino"}


def test_if_no_engine_runs_all_each_network_gets_its_own(machine: Machine, tmp_path: Path) -> None:
    clock = machine.clock
    able = {b"\x08\x08\x32\x01a": "onnxruntime", b"\x08\x08\x32\x01b": "openvino"}
    networks = write_networks(tmp_path, able)

    def start(name: str, network: str, content: bytes, *_: object) -> FakeEngine:
        return FakeEngine(name, clock, 1e-3, 1.0 if able[content] == name else np.nan)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(selection, "_start", start)
        for _ in range(2):  # measured, then remembered
            found = choose_engines(networks, threads=2, cache_dir=tmp_path)
            assert {name: engine.name for name, engine in found.items()} == {"a": "onnxruntime", "b": "openvino"}


def test_samples_are_faces_where_zeros_were_given() -> None:
    guide = np.zeros((2, 32, 48), np.uint8)
    given = {"image": np.zeros((5, 32, 48, 3), np.uint8), "guides": guide, "own": np.ones((2, 2), np.float32)}
    found = fill_with_faces(given)
    assert found["own"] is given["own"]
    for name in ("image", "guides"):
        assert (found[name].shape, found[name].dtype) == (given[name].shape, given[name].dtype)
    assert len({one.tobytes() for one in found["image"]}) == 5
    assert found["image"].std() > 20
    assert set(np.unique(found["guides"])) == {0, 255}


@pytest.mark.parametrize("name", sorted(name for name, entry in load_catalog().items() if entry.asset))
def test_our_networks_are_compared_on_inputs_to_which_they_say_something(name: str) -> None:
    """Where an output is the same everywhere, every precision looks right."""
    given = fill_with_faces(load_catalog()[name].zeros())
    for output, found in face_models().open((name,))[name].run(given).items():
        assert np.size(found) == 1 or np.std(found) > 1e-3, output


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
