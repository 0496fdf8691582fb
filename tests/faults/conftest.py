"""Fault cases run by the hundred: the main thread looks more often, and waits less long for what hangs."""

from __future__ import annotations

import pytest

from rtswap.runtime import session


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "TICK_S", 0.005)
    monkeypatch.setattr(session, "JOIN_S", 0.5)
