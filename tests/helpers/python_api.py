"""The Python API in tests: pictures, and networks that are opened once."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from people import face_models

import rtswap
from rtswap.app import program


def photo(name: str) -> Path:
    return Path(str(resources.files("rtswap").joinpath(f"assets/personas/{name}.jpg")))


@pytest.fixture(autouse=True)
def open_networks_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The networks are opened once for all tests here: half a second each time."""
    monkeypatch.setattr(program, "open_models", lambda config, on_event: face_models())


def find_changes(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    return np.abs(before.astype(int) - after).max(2) > 12


def badge_of(before: np.ndarray, after: np.ndarray) -> int:
    """How many pixels differ in the lower left quarter, where no face is."""
    height, width = before.shape[:2]
    return int(find_changes(before, after)[height * 4 // 5 :, : width // 2].sum())


def swap_pixels(*args: Any, **settings: Any) -> np.ndarray:
    return rtswap.swap(*args, **settings).image
