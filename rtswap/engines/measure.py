"""How fast each engine runs a network on this machine, whether its numbers are right, and the record of both."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from rtswap.core.errors import EngineError
from rtswap.core.files import write_atomic
from rtswap.core.machine import package_version, processor_name
from rtswap.core.protocols import Engine
from rtswap.core.types import Tensor

_TOLERANCE = 1e-3
"""Largest difference between two fp32 engines, relative to the largest output (at least 1)."""
_LOW_TOLERANCE = 1e-2
"""The same for an engine that lowers the precision, of a network whose own tolerance nobody has measured."""
_LOW = ("-fp16", "-bf16")
"""How the names of such engines end."""
_MEASURE_S = 0.06
_FEWEST_RUNS, _MOST_RUNS = 3, 15
_QUARTILE = 25
"""Of the times, the lower quartile counts: what else the machine does only ever adds."""


@dataclass(frozen=True, slots=True)
class Record:
    """What was found for one network."""

    key: str
    """The network, the engines' versions, the processor and the threads it holds for."""
    took_ms: dict[str, float]
    """Engine -> milliseconds per pass, of those that run the network rightly."""
    failed: dict[str, str]
    """Engine -> why it cannot."""
    choice: str = ""
    why: str = ""


def compare(
    engines: Mapping[str, Engine],
    sample: Mapping[str, Tensor],
    failed: dict[str, str],
    tolerance: Mapping[str, float] | None = None,
) -> dict[str, float]:
    """Milliseconds of every engine that runs and agrees with the first that does; reasons go into ``failed``.

    ``tolerance``: output -> what an engine that lowers the precision may be off.
    """
    reference: Mapping[str, Tensor] | None = None
    sound: dict[str, Engine] = {}
    for name, engine in engines.items():
        try:
            outputs = {key: value.copy() for key, value in engine.run(sample).items()}
        except EngineError as error:
            failed[name] = str(error)
            continue
        low = (tolerance or {}) if engine.name.endswith(_LOW) else None
        wrong = difference(reference, outputs, low) if reference is not None else _not_finite(outputs)
        if wrong:
            failed[name] = wrong
            continue
        reference = reference or outputs
        sound[name] = engine
    return _time(sound, sample)


def difference(
    reference: Mapping[str, Tensor], outputs: Mapping[str, Tensor], low: Mapping[str, float] | None = None
) -> str:
    """Why the outputs are not the reference's; empty when they are. ``low``: what each may be off instead."""
    for name, expected in reference.items():
        got = outputs.get(name)
        if got is None or got.shape != expected.shape:
            return f"its output {name} is missing or has another shape than the reference's"
        scale = max(1.0, float(np.abs(expected).max(initial=0.0)))
        allowed = _TOLERANCE * scale if low is None else low.get(name, _LOW_TOLERANCE * scale)
        off = float(np.abs(got.astype(np.float64) - expected).max(initial=0.0))
        if not off <= allowed:
            return f"its output {name} is off by {off:.2g} (allowed: {allowed:.2g})"
    return ""


def _not_finite(outputs: Mapping[str, Tensor]) -> str:
    broken = [name for name, value in outputs.items() if not np.isfinite(value).all()]
    return f"its output {broken[0]} is not finite" if broken else ""


def _time(engines: Mapping[str, Engine], sample: Mapping[str, Tensor]) -> dict[str, float]:
    """Engines take turns, so that what else the machine does disturbs them alike."""
    taken: dict[str, list[float]] = {name: [] for name in engines}
    begin = time.perf_counter()
    for turn in range(_MOST_RUNS):
        if turn >= _FEWEST_RUNS and time.perf_counter() - begin > _MEASURE_S * len(engines):
            break
        for name, engine in engines.items():
            start = time.perf_counter()
            engine.run(sample)
            taken[name].append(time.perf_counter() - start)
    return {name: round(1e3 * float(np.percentile(times, _QUARTILE)), 3) for name, times in taken.items()}


def key_of(content: bytes, packages: tuple[str, ...], threads: int, gpu: str = "") -> str:
    """What a record depends on."""
    versions = [f"{package} {package_version(package) or 'none'}" for package in packages]
    processor = f"{processor_name()} x {os.cpu_count()}"
    return ", ".join(
        [hashlib.sha256(content).hexdigest(), *versions, processor, f"{threads} threads", gpu or "no GPU"]
    )


def read_record(path: Path, key: str) -> Record | None:
    """The record for ``key``, or None where there is none that can be read."""
    try:
        found = json.loads(path.read_text("utf-8"))
        took = {str(name): float(value) for name, value in found["took_ms"].items()}
        failed = {str(name): str(value) for name, value in found["failed"].items()}
        return Record(key, took, failed, str(found["choice"]), str(found["why"])) if found["key"] == key else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def write_record(path: Path, record: Record) -> None:
    """Whole or not at all. A record that cannot be written costs a measurement at the next start, nothing more."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, json.dumps(asdict(record), indent=1).encode())
    except OSError:
        return
