"""Fault cases run by the hundred: nothing waits long."""

from __future__ import annotations

import pytest

from rtswap.runtime import session


@pytest.fixture(autouse=True)
def very_impatient(monkeypatch: pytest.MonkeyPatch, impatient: None) -> None:
    monkeypatch.setattr(session, "JOIN_S", 0.5)
