"""What is said of installing more."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from rtswap.core.isolation import pip_install


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A virtual environment's folder of programs, whose Python runs."""
    for name in ("venv/bin", "system"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "pip").write_text("#!/bin/sh\n")
        (tmp_path / name / "pip").chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "venv/bin/python"))
    return tmp_path / "venv/bin"


@pytest.mark.skipif(sys.platform == "win32", reason="programs are found otherwise there")
def test_where_the_environment_is_not_active_its_own_pip_is_named(
    environment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After ``make setup`` people call ``.venv/bin/rtswap``: the shell's pip found no package rtswap."""
    monkeypatch.setenv("PATH", str(tmp_path / "system"))
    assert pip_install("rtswap[train]") == f'{environment}/python -m pip install "rtswap[train]"'
    monkeypatch.setenv("PATH", "")
    assert pip_install("openvino") == f"{environment}/python -m pip install openvino"
    monkeypatch.setenv("PATH", f"{environment}:{tmp_path / 'system'}")
    assert pip_install("rtswap[train]") == 'pip install "rtswap[train]"'
