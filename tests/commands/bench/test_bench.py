"""``rtswap bench`` on one small case: the promised figures, and the file that holds them."""

from __future__ import annotations

import importlib
import io
import json
import math
from pathlib import Path

import numpy as np
import pytest

from rtswap.app.config import Config
from rtswap.app.console import Console
from rtswap.commands.bench import engines as engines_module
from rtswap.commands.bench import limits as limits_module
from rtswap.commands.bench import rig as rig_module
from rtswap.commands.bench import run as run_module
from rtswap.commands.bench.machine import machine
from rtswap.commands.bench.rig import ClipInput
from rtswap.commands.bench.run import CASES, Case, bench
from rtswap.core.errors import OutputError


def pictures(count: int) -> list[np.ndarray]:
    return [np.full((4, 6, 3), index, np.uint8) for index in range(count)]


def test_the_cases_are_those_that_are_promised() -> None:
    assert {(case.size, case.faces) for case in CASES} == {
        (size, faces) for size in ((640, 480), (1280, 720), (1920, 1080)) for faces in (1, 3)
    }
    assert len({case.name for case in CASES}) == len(CASES)


def test_a_clip_is_played_forth_and_back_at_its_pace() -> None:
    given = ClipInput(pictures(3), fps=100, seconds=0.12)
    assert given.info.live
    frames = list(given.frames())
    assert [int(frame.image[0, 0, 0]) for frame in frames[:6]] == [0, 1, 2, 1, 0, 1]
    assert 3 <= len(frames) <= 13
    assert [frame.index for frame in frames] == list(range(len(frames)))


def test_a_clip_of_infinite_pace_loses_nothing_and_ends_when_closed() -> None:
    given = ClipInput(pictures(2), fps=math.inf, seconds=60)
    assert not given.info.live
    for frame in given.frames():
        frame.image[:] = 99  # the pipeline writes into frames: the clip must not change
        if frame.index == 5:
            given.close()
    again = ClipInput(pictures(2), fps=math.inf, seconds=60)
    assert next(iter(again.frames())).image[0, 0, 0] == 0


def test_the_machine_is_described() -> None:
    found = machine()
    assert found["cores"] >= 1
    assert found["memory_gb"] > 0
    assert found["packages"]["numpy"] == np.__version__


def test_a_machine_without_some_packages_is_described_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module("rtswap.commands.bench.machine")
    monkeypatch.setattr(module, "PACKAGES", ("numpy", "no-such-package"))
    assert machine()["packages"] == {"numpy": np.__version__, "no-such-package": None}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "CASES", (Case((320, 240), 1, 120),))
    monkeypatch.setattr(rig_module, "WARM_UP_S", 0.2)
    monkeypatch.setattr(engines_module, "SHARE_S", 0.02)
    monkeypatch.setattr(limits_module, "_SIDE", 256)


def test_a_run(small: None, tmp_path: Path) -> None:
    out = tmp_path / "bench.json"
    found = bench(Config(), console=Console(stream=io.StringIO()), seconds=0.5, out=str(out))
    assert json.loads(out.read_text())["cases"].keys() == found["cases"].keys()
    assert {"command", "machine", "peak_rss_mb", "cases"} <= set(found)
    (case,) = found["cases"].values()
    assert case["possible_fps"] > 1
    assert case["faces_swapped_per_frame"] > 0.9
    assert {"fps", "frame_age_ms", "dropped", "cpu_share"} <= set(case["at_60_fps"])
    age = case["at_60_fps"]["frame_age_ms"]
    assert 0 < age["p50"] <= age["p95"]
    stages = case["stages_ms"]
    assert {"track", "swap", "paste", "networks"} <= set(stages)
    for stage in stages.values():
        assert 0 <= stage["p50"] <= stage["p95"] <= stage["p99"]
    assert found["peak_rss_mb"] > 50
    assert "% of this machine's peak" in found["roofline"]["networks_of_a_frame"]
    assert found["machine"]["engine"].startswith(("openvino", "onnxruntime", "torch-cuda", "tensorrt"))


def test_a_file_that_cannot_be_written(small: None, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        bench(Config(), console=Console(stream=io.StringIO()), seconds=0.3, out=str(tmp_path / "absent/bench.json"))
