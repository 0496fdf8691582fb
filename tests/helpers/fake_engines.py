"""Fake engines with scripted availability, speed and correctness."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from rtswap.core.errors import EngineError
from rtswap.core.types import Tensor
from rtswap.engines import measurement, selection
from rtswap.engines.selection import choose_engine

SAMPLE = {"image": np.zeros((1, 16, 16, 3), np.uint8)}


class FakeEngine:
    """Answers with ``value``; each run moves the clock by ``took``."""

    def __init__(self, name: str, clock: list[float], took: float, value: float = 1.0) -> None:
        self.name, self._clock, self._took, self._value = name, clock, took, value

    def run(self, inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        self._clock[0] += self._took
        return {"out": np.full((2, 3), self._value, np.float32)}


class Machine:
    """Which engines start, and how fast they are."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = [0.0]
        self.gpu = ""
        self.engines: dict[str, FakeEngine | Exception] = {}
        self.started: list[str] = []
        monkeypatch.setattr(selection, "_start", self._start)
        monkeypatch.setattr(selection, "gpu_name", lambda: self.gpu)
        monkeypatch.setattr(selection, "why_no_gpu", lambda: "" if self.gpu else "there is no GPU")
        monkeypatch.setattr(measurement.time, "perf_counter", lambda: self.clock[0])

    def has(self, name: str, took_ms: float, value: float = 1.0, calls_itself: str = "") -> None:
        self.engines[name] = FakeEngine(calls_itself or name, self.clock, took_ms / 1e3, value)

    def _start(self, name: str, network: str, *_: object) -> FakeEngine:
        self.started.append(name)
        found = self.engines.get(name, EngineError(f"there is no {name}"))
        if isinstance(found, Exception):
            raise found
        return found


def record(folder: Path) -> dict[str, object]:
    return dict(json.loads((folder / "net.engine.json").read_text()))


def pick(model: Path, engine: str = "auto", threads: int = 2) -> str:
    return choose_engine(model, threads=threads, engine=engine, cache_dir=model.parent, sample=SAMPLE).name
