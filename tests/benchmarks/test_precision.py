"""The error of each network in half precision, as a GPU rounds it, is what its profile allows."""

from __future__ import annotations

import importlib
import sys

import pytest
from network_inputs import waves
from paths import ROOT
from requirements import network_file

from rtswap.engines.build.profiles import profiles


@pytest.mark.parametrize("name", [name for name, known in profiles().items() if known.precision == "fp16"])
def test_smooth_pictures_stay_smooth(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundredth of the largest value, or of the unit: a network that sharpens makes more of rounded greys."""
    monkeypatch.setattr(sys, "path", [str(ROOT / "benchmarks"), *sys.path])
    measure = importlib.import_module("precision").measure
    found = measure(name, [waves(network_file(name), 2, 50)], "fp16", profiles()[name].keep)
    assert found.keys() == profiles()[name].tolerance.keys()
    for off in found.values():
        assert off["largest"] < 0.01 * max(1.0, off["scale"])
