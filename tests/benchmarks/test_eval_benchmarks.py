"""The benchmarks that use ``rtswap eval`` still match its interface."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
from paths import ROOT
from people import place_mesh

from rtswap.commands.evaluate.clips import Clip, Swap

FOLDER = ROOT / "benchmarks"


@pytest.fixture(autouse=True)
def beside_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(FOLDER), *sys.path])


@pytest.mark.parametrize("name", ["identity", "expression", "steadiness", "quality"])
def test_help_lists_their_flags(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [f"{name}.py", "--help"])
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(name).main()
    assert ended.value.code == 0
    assert "usage:" in capsys.readouterr().out


def test_they_measure() -> None:
    """A face that stands still in noise, and the same a little darker."""
    rng = np.random.default_rng(1)
    meshes = np.repeat(place_mesh(100, (120, 90))[None], 8, 0) + rng.normal(0, 0.3, (8, 468, 3)).astype(np.float32)
    before = [rng.integers(90, 110, (180, 240, 3), dtype=np.uint8) for _ in range(8)]
    after = [image - np.uint8(20) for image in before]
    swap = Swap(after, np.ones(8, bool), np.zeros(8, bool))
    clip = Clip("noise", before, [n / 30 for n in range(8)])
    steady = importlib.import_module("steadiness").measure(clip, swap, meshes, meshes)
    assert steady["jitter"]["all"] == pytest.approx(1)
    assert steady["warp"] == pytest.approx(1, abs=0.05)
    assert steady["bare"] == 0
    told = importlib.import_module("expression").measure(meshes, meshes, meshes, (240, 180))
    assert told["correlation"]["mouth_width"] == pytest.approx(1)
    assert told["pose_degrees"]["mean"] == pytest.approx(0, abs=1e-3)


def test_people_are_kept_out_by_name() -> None:
    held_out = importlib.import_module("quality").held_out
    names = [Path(f"face_{n}.jpg") for n in range(2000)]
    assert 0.06 < np.mean([held_out(name) for name in names]) < 0.10
    assert held_out(Path("a/face_1.jpg")) == held_out(Path("b/face_1.jpg"))
    assert not held_out(Path("sfhq_0003.jpg")), "it is in training/left_out.txt"
