"""bfloat16 on the CPU: only for networks that tolerate it, only if it is accurate and faster, and without a message
if the CPU does not support it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fake_engines import SAMPLE, FakeEngine, Machine

from rtswap.core.errors import EngineError
from rtswap.engines import selection
from rtswap.engines.build.profiles import Profile
from rtswap.engines.selection import Network, choose_engines

BEARS = Profile(half={"out": 0.1})


def chosen(
    machine: Machine,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    profile: Profile = BEARS,
    took_ms: float = 1.0,
    value: float = 1.05,
    fails: Exception | None = None,
) -> tuple[str, list[str]]:
    """The engine that runs the network, and what was told. ``took_ms``, ``value``, ``fails``: of bfloat16."""
    path, events = folder / "net.onnx", []
    path.write_bytes(b"\x08\x08\x32\x0csome network")

    def start(name: str, *_: object) -> FakeEngine:
        machine.started.append(name)
        if name == "openvino-bf16":
            if fails is not None:
                raise fails
            return FakeEngine(name, machine.clock, 1e-3 * took_ms, value)
        return FakeEngine(name, machine.clock, {"onnxruntime": 4e-3, "openvino": 3e-3}[name])

    monkeypatch.setattr(selection, "_start", start)
    monkeypatch.setattr(selection, "profile_of", lambda network: profile)
    found = choose_engines({"net": Network(path, SAMPLE)}, threads=2, cache_dir=folder, on_event=events.append)
    return found["net"].name, events


def test_a_network_that_bears_it_runs_in_it_and_so_again_at_the_next_start(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        machine.started.clear()
        assert chosen(machine, tmp_path, monkeypatch) == ("openvino-bf16", [])
    assert machine.started == ["openvino-bf16"]


def test_one_that_does_not_is_never_tried(machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert chosen(machine, tmp_path, monkeypatch, profile=Profile())[0] == "openvino"
    assert "openvino-bf16" not in machine.started


@pytest.mark.parametrize("how", [{"value": 1.2}, {"value": np.nan}, {"took_ms": 5.0}])
def test_wrong_or_slower_it_is_not_taken(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: dict[str, float]
) -> None:
    assert chosen(machine, tmp_path, monkeypatch, **how)[0] == "openvino"  # type: ignore[arg-type]


def test_a_processor_without_it_is_not_talked_about(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = EngineError("this CPU does not support bfloat16")
    assert chosen(machine, tmp_path, monkeypatch, fails=error) == ("openvino", [])
