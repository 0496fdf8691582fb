"""Fixtures shared by the tests of the engines."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_engines import Machine


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(monkeypatch)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "net.onnx"
    path.write_bytes(b"\x08\x08\x32\x0csome network")
    return path
