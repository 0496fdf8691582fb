"""What several tests of the engines begin with."""

from __future__ import annotations

from pathlib import Path

import pytest
from machine import Machine
from needs import need_tensorrt

from rtswap.engines.tensorrt_module import TensorRt, load_tensorrt


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(monkeypatch)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "net.onnx"
    path.write_bytes(b"\x08\x08\x32\x0csome network")
    return path


@pytest.fixture(scope="session")
def tensorrt() -> TensorRt:
    need_tensorrt()
    return load_tensorrt("tensorrt_rtx")
