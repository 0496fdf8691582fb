"""The benchmark of the device's part runs where there is no GPU, says so, and what it prints adds up."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from paths import ROOT

pytest.importorskip("torch", reason="torch is not installed")


def test_it_runs_on_the_cpu_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import gpu

    gpu.torch.set_num_threads(1)
    gpu.main(["--device", "cpu", "--quick", "--out", str(tmp_path / "deep/gpu.json")])
    report = json.loads((tmp_path / "deep/gpu.json").read_text())
    assert json.loads(capsys.readouterr().out) == report
    assert "no GPU" in report["machine"]["note"]
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
    sys.modules.pop("gpu", None)


def test_a_frame_is_looked_into(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import gpu_profile

    gpu_profile.torch.set_num_threads(1)
    told = gpu_profile.main(["--device", "cpu", "--frames", "1"])
    assert told in capsys.readouterr().out
    for found in ("every graph was captured", "gpu_pixels.py", "aten::"):
        assert found in told
    for name in ("gpu", "gpu_loop", "gpu_profile"):
        sys.modules.pop(name, None)


def test_the_wired_loop_is_measured_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import gpu_loop

    gpu_loop.torch.set_num_threads(1)
    gpu_loop.main(["--device", "cpu", "--quick", "--json", str(tmp_path / "deep/loop.json")])
    report = json.loads((tmp_path / "deep/loop.json").read_text())
    assert json.loads(capsys.readouterr().out) == report
    assert "no GPU" in report["machine"]["note"]
    assert [name.rpartition(", ")[2] for name in report["frames"]] == ["mesh", "refiner-256"]
    for found in report["frames"].values():
        assert found["waits"] == 1
        assert found["ms"]["median_ms"] >= found["host_ms"]["median_ms"] > 0
        assert {"crop", "swap", "finish"} <= set(found["stages_on_the_host_ms"])
    for name in ("gpu", "gpu_loop"):
        sys.modules.pop(name, None)
