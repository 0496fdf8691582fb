"""The GPU stage benchmark runs without a GPU, reports it, and prints consistent figures."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from paths import ROOT

torch = pytest.importorskip("torch", reason="torch is not installed")


@pytest.fixture(autouse=True)
def benchmarks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """They can be imported, and are forgotten again."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    torch.set_num_threads(1)
    yield
    for name in ("gpu", "gpu_loop", "gpu_profile"):
        sys.modules.pop(name, None)


def report_of(main: Callable[[list[str]], object], flag: str, tmp_path: Path, printed: Callable[[], str]) -> Any:
    """What a quick run on the processor wrote, which is what it printed."""
    path = tmp_path / "deep/report.json"
    main(["--device", "cpu", "--quick", flag, str(path)])
    report = json.loads(path.read_text())
    assert json.loads(printed()) == report
    assert "no GPU" in report["machine"]["note"]
    return report


def test_it_runs_on_the_cpu_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import gpu

    report = report_of(gpu.main, "--out", tmp_path, lambda: capsys.readouterr().out)
    assert report["quick"] is True
    assert {"gemm_float32", "copy_up", "copy_down", "copy_device"} <= set(report["limits"])
    assert all(rate > 1e6 for rate in report["limits"].values())
    (scene,) = report["scenes"].values()
    assert scene["waits_per_frame"] == 1
    assert set(scene["stages"]) == {"upload", "crop", "mesh pixels", "paste", "cover", "mark", "download"}
    for stage in scene["stages"].values():
        assert 0 < stage["p10_ms"] <= stage["median_ms"] <= stage["p95_ms"]
        assert stage["bytes"] > 0
        assert stage["share_of_limit"] > 0
    assert scene["frame"]["median_ms"] > scene["stages"]["paste"]["median_ms"]


def test_a_frame_is_looked_into(capsys: pytest.CaptureFixture[str]) -> None:
    import gpu_profile

    told = gpu_profile.main(["--device", "cpu", "--frames", "1"])
    assert told in capsys.readouterr().out
    for found in ("all graphs were captured", "gpu_pixels.py", "aten::"):
        assert found in told


def test_the_wired_loop_is_measured_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import gpu_loop

    report = report_of(gpu_loop.main, "--json", tmp_path, lambda: capsys.readouterr().out)
    assert [name.rpartition(", ")[2] for name in report["frames"]] == ["mesh", "refiner"]
    for found in report["frames"].values():
        assert found["waits"] == 1
        assert found["ms"]["median_ms"] >= found["host_ms"]["median_ms"] > 0
        assert {"crop", "swap", "finish"} <= set(found["stages_on_the_host_ms"])
