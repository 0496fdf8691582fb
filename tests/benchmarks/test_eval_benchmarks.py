"""The benchmarks that use ``rtswap eval`` still match its interface."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from paths import ROOT
from people import place_mesh

from rtswap.commands.evaluate.clips import Clip, Swap

FOLDER = ROOT / "benchmarks"


@pytest.fixture(autouse=True)
def beside_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(FOLDER), *sys.path])


@pytest.mark.parametrize("name", ["identity", "expression", "steadiness", "quality", "recipes"])
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


def test_the_lag_of_a_series_is_found() -> None:
    one, shift = np.sin(np.arange(60) / 4), importlib.import_module("expression").shift
    assert shift(one, np.roll(one, 2)) == 2
    assert shift(one, np.roll(one, -1)) == -1


def test_people_are_kept_out_by_name() -> None:
    held_out = importlib.import_module("quality").is_held_out
    names = [Path(f"face_{n}.jpg") for n in range(2000)]
    assert 0.06 < np.mean([held_out(name) for name in names]) < 0.10
    assert held_out(Path("a/face_1.jpg")) == held_out(Path("b/face_1.jpg"))
    assert not held_out(Path("sfhq_0003.jpg")), "it is in training/left_out.txt"


def test_nobody_is_put_on_another_photo_of_themselves() -> None:
    names = [[Path(f"person_{n:02}_{mood}.jpg") for n in range(3)] for mood in ("rest", "smile")]
    found = importlib.import_module("recipes").draw_pairs(*names, 0)
    assert len(found) == 6
    assert all(source.stem[:9] != target.stem[:9] for source, target in found)


def test_the_blind_sheet_has_no_names_and_the_key_tells_them() -> None:
    """Of two swappers that paint black and white."""
    recipes = importlib.import_module("recipes")
    grey, shades = np.full((256, 256, 3), 128, np.uint8), {"one": 0, "other": 255}
    pictures = {name: [np.full_like(grey, shade)] * 12 for name, shade in shades.items()}
    study = SimpleNamespace(
        pairs=[("a", "b")] * 12,
        thumbnails=[(grey, grey)] * 12,
        records=[SimpleNamespace(name=name, thumbnails=shown) for name, shown in pictures.items()],
    )
    sheet, firsts = recipes.blind_sheet(study, np.random.default_rng(0))
    assert set(firsts) == {"one", "other"}
    tops = np.flatnonzero(np.diff((sheet[:, 16 + 128] == 128).all(1).astype(int)) == 1) + 1
    assert len(tops) == 12
    for top, first in zip(tops, firsts, strict=True):
        assert (sheet[top + 128, [16 + 2 * 256 + 128, 16 + 3 * 256 + 128], 0] == shades[first]).tolist() == [
            True,
            False,
        ]


def test_costs_and_papers_stand_in_the_table() -> None:
    recipes = importlib.import_module("recipes")
    told = recipes.cost(recipes.graphs_of("refiner")["refiner"])
    assert 0.5 < told["parameters_m"] < 1.2
    assert 0.1 < told["gmac"] < 0.3
    assert recipes.graphs_of("mesh") == {}
    table = recipes.markdown(["mesh"], [("cosine", [0.5])])
    assert "| cosine | 0.500 |" in table
    assert "| FSLSD | 0.155 | 0.250 | 5.630 |" in table
