"""``rtswap build`` and its script: networks, flags and errors."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import foreign_models as foreign
import pytest
from paths import ROOT
from plan_files import network

from rtswap.commands.build.plans import build_networks, read_options
from rtswap.core.errors import EngineError, ModelError, UsageError
from rtswap.engines.build.all_plans import PlanOptions
from rtswap.engines.tensorrt import module
from rtswap.engines.tensorrt.module import TensorRt
from rtswap.engines.tensorrt.plan_store import plan_folder
from rtswap.networks.installed_models import LATENT
from rtswap.networks.model_store import add
from rtswap.networks.registry import Registry


def test_the_command_builds_a_file_that_the_user_names(tensorrt: TensorRt, tmp_path: Path) -> None:
    path = tmp_path / "mine.onnx"
    path.write_bytes(network())
    options = read_options("bf16", "8.9", "1,2,8")
    for how in ("built in", "cached"):
        result = build_networks([str(path)], catalog=[], path_of=Path, folder=tmp_path, options=options)
        assert result["failed"] == {}
        assert "bf16 for 8.9, " in result["built"]["mine"]
        assert how in result["built"]["mine"]
    assert list(plan_folder(tmp_path).glob("mine-*.plan"))


def test_two_files_of_one_name_are_refused(tensorrt: TensorRt, tmp_path: Path) -> None:
    names = [str(tmp_path / "a" / "net.onnx"), str(tmp_path / "b" / "net.onnx")]
    with pytest.raises(UsageError, match="two networks are called net"):
        build_networks(names, catalog=[], path_of=Path, folder=tmp_path, options=PlanOptions())


def test_without_tensorrt_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def absent(name: str) -> None:
        raise ImportError(f"No module named '{name}'")

    monkeypatch.setattr(module, "_import", absent)
    with pytest.raises(EngineError, match=r"tensorrt_rtx: No module.*tensorrt: No module.*pip install") as caught:
        build_networks([], catalog=["rnet"], path_of=Path, folder=tmp_path, options=PlanOptions())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "flags",
    [
        {"precision": "fp8"},
        {"target": "89"},
        {"target": "ada"},
        {"batch": "0"},
        {"batch": "4,2,1"},
        {"batch": "1,2"},
        {"batch": "many"},
        {"batch": "1,4,100000"},
    ],
    ids=str,
)
def test_flags_that_mean_nothing_are_refused(flags: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="expected"):
        read_options(**flags)


def test_flags() -> None:
    assert read_options() == PlanOptions()
    assert read_options("bf16", "8.9", "4", force=True) == PlanOptions("bf16", "8.9", (4, 4, 4), True)
    assert read_options(batch="1,4,16").batch == (1, 4, 16)


def test_a_network_whose_weights_are_an_extra_is_left_out(tensorrt: TensorRt, tmp_path: Path) -> None:
    path = tmp_path / "here.onnx"
    path.write_bytes(network())

    def path_of(name: str) -> Path:
        if name == "extra":
            raise ModelError("the weights are not installed")
        return path

    events: list[str] = []
    result = build_networks(
        [], catalog=["extra", "here"], path_of=path_of, folder=tmp_path, options=PlanOptions(), on_event=events.append
    )
    assert list(result["built"]) == ["here"]
    assert events == ["left out: extra: the weights are not installed"]


def test_the_script_does_what_the_command_does(
    tensorrt: TensorRt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.onnx"
    path.write_bytes(network())
    monkeypatch.setenv("RTSWAP_CACHE", str(tmp_path / "cache"))
    script = ROOT / "scripts/build_engines.py"
    for words, code in ((["--batch", "2", "--json"], 0), (["--precision", "fp8"], 2)):
        monkeypatch.setattr(sys, "argv", [str(script), str(path), *words])
        with pytest.raises(SystemExit) as done:
            runpy.run_path(str(script), run_name="__main__")
        assert done.value.code == code
    found = json.loads(capsys.readouterr().out)
    assert found["failed"] == {}
    assert "inputs image uint8 (2, 8, 8, 3)" in found["built"]["mine"]
    assert list((tmp_path / "cache/plans").glob("mine-*.plan"))


@pytest.mark.usefixtures("models")
def test_it_builds_imported_models_by_name(tensorrt: TensorRt, tmp_path: Path) -> None:
    """Also with free batches and sides, two inputs, a scalar, and inswapper's map of the embedding."""
    files = {"inswapper_128": foreign.swapper("inswapper"), "hyperswap_1a_256": foreign.swapper("hyperswap")}
    files |= {"w600k_r50": foreign.arcface(), "scrfd_10g": foreign.scrfd(), "xseg_1": foreign.xseg()}
    files |= {"me": foreign.dfm(), "codeformer": foreign.enhancer(weight=True)}
    for path in foreign.write(tmp_path, **files).values():
        add(path)
    names = [*files, f"inswapper_128{LATENT}"]
    options = read_options(target="8.9")
    result = build_networks(names, catalog=[], path_of=Registry(tmp_path).path, folder=tmp_path, options=options)
    assert result["failed"] == {}
    assert set(result["built"]) == set(names)
