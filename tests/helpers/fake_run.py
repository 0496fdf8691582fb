"""A stand-in for the swap loop, to test the command line without it."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest

from rtswap.app.config import Config
from rtswap.app.console import Console

FOUND: dict[str, Any] = {
    "completed": True,
    "frames": 3,
    "fps": 30.0,
    "duration_s": 0.1,
    "live": False,
    "outputs": ["null"],
    "faces": 1,
    "frames_with_swap": 3,
    "frames_covered": 0,
    "frames_covered_because": {},
    "frames_plain": 0,
    "frame_age_ms": {},
    "stages_ms": {},
    "dropped": 0,
    "start_to_first_swap_s": 1.0,
}
"""What a run came to."""


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> list[Config]:
    """Replace the loop; return the configurations it was run with."""
    seen: list[Config] = []

    def run(config: Config, *, console: Console, **options: Any) -> dict[str, Any]:
        seen.append(config)
        console.event("camera 0: 1280x720")
        return {**FOUND, "bad": float("nan")}

    module = ModuleType("rtswap.app.run")
    module.run = run  # type: ignore[attr-defined]
    module.share_program = lambda: None  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "rtswap.app.run", module)
    return seen
