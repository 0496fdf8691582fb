"""A photo, and a record of consent that knows of nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from rtswap.source.consent import ConsentRecord


@pytest.fixture
def record(tmp_path: Path) -> ConsentRecord:
    return ConsentRecord(tmp_path / "state" / "consent")


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "Jane Doe.jpg"
    path.write_bytes(b"\xff\xd8\xff a photo")
    return path
