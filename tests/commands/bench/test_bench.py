"""``rtswap bench`` on one small case: its figures and the result file."""

from __future__ import annotations

import importlib
import io
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from printed_output import on_terminal, print_parts

from rtswap.app.config import Config
from rtswap.app.console import Console
from rtswap.commands.bench import engines as engines_module
from rtswap.commands.bench import limits as limits_module
from rtswap.commands.bench import rig as rig_module
from rtswap.commands.bench import run as run_module
from rtswap.commands.bench import tables
from rtswap.commands.bench.machine import check_writable, machine
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


def test_a_machine_without_some_packages_is_described(monkeypatch: pytest.MonkeyPatch) -> None:
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
    with pytest.raises(OutputError, match="cannot write"):
        bench(Config(), console=Console(stream=io.StringIO()), seconds=0.3, out=str(tmp_path / "absent/bench.json"))


def case(possible: float, at_60: float, *, level: int = 0, p99: float = 20.6) -> dict[str, Any]:
    age = {"p50": 11.2, "p95": 15.4, "p99": p99}
    return {
        "possible_fps": possible,
        "at_60_fps": {"fps": at_60, "frame_age_ms": age, "quality_level": level, "dropped": 0},
        "stages_ms": {"track": {"p50": 3.21}, "swap": {"p50": 4.5}},
    }


FOUND: dict[str, Any] = {
    "cases": {
        "640x480, 1 face of 200 px": case(190, 59.9),
        "640x480, 3 faces of 100 px": case(61, 59.5, level=1),
        "1280x720, 1 face of 300 px": case(66, 59.2, level=2),
        "1280x720, 3 faces of 150 px": case(31, 31),
        "1920x1080, 1 face of 450 px": case(44, 40),
        "1920x1080, 3 faces of 225 px": case(21, 20),
    },
    "roofline": {"networks_of_a_frame": "0.2 GMAC, 3.00 ms, 40% of this machine's peak"},
}


def test_the_result_is_a_table_and_a_verdict_in_words() -> None:
    lines = print_parts(*tables.cases(FOUND, stats=False)).splitlines()
    assert len(lines) == 1 + 6 + 3 + 1
    for line, end in zip(
        lines[1:], ["60 fps", "less quality", "less quality", "30 fps", "30 fps", "21 fps"], strict=False
    ):
        assert line.endswith(end), line
    assert lines[1].split()[-6:] == ["190", "60", "11", "15", "60", "fps"]
    assert lines[7:10] == [
        "480p at 60 fps: yes, 99 % of frames at most 21 ms old",
        "720p at 60 fps: yes at lower quality, 99 % of frames at most 21 ms old",
        "1080p at 30 fps: yes",
    ]
    assert "--stats" in lines[10]
    slow = {"cases": {"1280x720, 1 face of 300 px": case(12, 12)}}
    assert "720p at 30 fps: no, 12 fps" in print_parts(*tables.cases(slow, stats=False))


def test_the_table_fits_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = on_terminal(monkeypatch)(tables.cases(FOUND, stats=False)[0])
    assert max(map(len, lines)) <= 80
    assert len([line for line in lines if " fps" in line and "x" in line]) == 6, "a row is a line"


def test_stages_on_request() -> None:
    text = print_parts(*tables.cases(FOUND, stats=True))
    assert re.search(r"track +3\.21", text)
    assert "40% of this machine's peak" in text


def test_a_folder_that_cannot_be_written_is_told_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(folder: Path) -> None:
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr("rtswap.commands.bench.machine.make_writable", refuse)
    with pytest.raises(OutputError, match=r"bench\.json; got Permission denied\. Choose another path with --out"):
        check_writable(tmp_path / "bench.json")
