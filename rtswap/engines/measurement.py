"""Measure how fast each engine runs a network and whether its outputs are correct, and cache the result."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np

from rtswap.core.errors import EngineError
from rtswap.core.files import read_regular, write_atomic
from rtswap.core.machine import package_version, processor_name
from rtswap.core.protocols import Engine
from rtswap.core.types import Tensor

_TOLERANCE = 1e-3
"""Largest difference between two fp32 engines, relative to the largest output (at least 1)."""
_LOW_TOLERANCE = 1e-2
"""The same for an engine with reduced precision, for networks without a tolerance in their profile."""
LOW = ("-fp16", "-bf16")
"""Suffixes in the names of engines with reduced precision."""
_MEASURE_S = 0.06
_FEWEST_RUNS, _MOST_RUNS = 3, 15
_QUARTILE = 25
"""Percentile of the times that is reported: other load on the machine only makes runs slower."""


@dataclass(frozen=True, slots=True)
class Record:
    """Measurement of one network."""

    key: str
    """The network, engine versions, CPU and thread count it is valid for."""
    took_ms: dict[str, float]
    """Engine -> milliseconds per pass, for engines with correct outputs."""
    failed: dict[str, str]
    """Engine -> reason why it cannot be used."""
    choice: str = ""
    why: str = ""


def compare(
    engines: Mapping[str, Engine],
    sample: Mapping[str, Tensor],
    failed: dict[str, str],
    tolerance: Mapping[str, float] | None = None,
) -> dict[str, float]:
    """Return milliseconds per pass of every engine that runs and agrees with the first that runs; the reasons for the
    others are added to ``failed``. If the first fails to run, no other is tried.

    ``tolerance``: output -> largest difference allowed for an engine with reduced precision.
    """
    first, reference = next(iter(engines.values()), None), None
    sound: dict[str, Engine] = {}
    for name, engine in engines.items():
        try:
            outputs = {key: value.copy() for key, value in engine.run(sample).items()}
        except EngineError as error:
            failed[name] = str(error)
            if engine is first:
                return {}
            continue
        low = (tolerance or {}) if engine.name.endswith(LOW) else None
        wrong = difference(reference, outputs, low) if reference is not None else _not_finite(outputs)
        if wrong:
            failed[name] = wrong
            continue
        reference = reference or outputs
        sound[name] = engine
    runs = {name: partial(engine.run, sample) for name, engine in sound.items()}
    taken = time_in_turns(runs, _MEASURE_S, fewest=_FEWEST_RUNS, most=_MOST_RUNS)
    return {name: round(1e3 * float(np.percentile(times, _QUARTILE)), 3) for name, times in taken.items()}


def difference(
    reference: Mapping[str, Tensor], outputs: Mapping[str, Tensor], low: Mapping[str, float] | None = None
) -> str:
    """Return how the outputs differ from the reference; empty if they agree. ``low``: output -> largest difference
    allowed, in place of the fp32 tolerance."""
    for name, expected in reference.items():
        got = outputs.get(name)
        if got is None or got.shape != expected.shape:
            return f"its output {name} is missing or has a different shape from the reference"
        scale = max(1.0, float(np.abs(expected).max(initial=0.0)))
        allowed = _TOLERANCE * scale if low is None else low.get(name, _LOW_TOLERANCE * scale)
        off = float(np.abs(got.astype(np.float64) - expected).max(initial=0.0))
        if not off <= allowed:
            return f"its output {name} is off by {off:.2g} (allowed: {allowed:.2g})"
    return ""


def _not_finite(outputs: Mapping[str, Tensor]) -> str:
    broken = [name for name, value in outputs.items() if not np.isfinite(value).all()]
    return f"its output {broken[0]} is not finite" if broken else ""


def time_in_turns(
    works: Mapping[str, Callable[[], object]], seconds: float, *, fewest: int, most: int = 1_000_000
) -> dict[str, list[float]]:
    """Return work -> the seconds of its runs. They run in turns, so that other load on the machine affects them
    equally, for about ``seconds`` each: at least ``fewest`` and at most ``most`` runs."""
    taken: dict[str, list[float]] = {name: [] for name in works}
    begin = time.perf_counter()
    for turn in range(most):
        if turn >= fewest and time.perf_counter() - begin > seconds * len(works):
            break
        for name, work in works.items():
            start = time.perf_counter()
            work()
            taken[name].append(time.perf_counter() - start)
    return taken


def key_of(content: bytes, packages: tuple[str, ...], threads: int, gpu: str = "") -> str:
    """Return the key of a record: everything the measurement depends on."""
    versions = [f"{package} {package_version(package) or 'none'}" for package in packages]
    processor = f"{processor_name()} x {os.cpu_count()}"
    return ", ".join(
        [hashlib.sha256(content).hexdigest(), *versions, processor, f"{threads} threads", gpu or "no GPU"]
    )


def read_record(path: Path, key: str = "") -> Record | None:
    """Return the record for ``key``, or whatever it is for, or None if it is missing, unreadable or for another."""
    try:
        found = json.loads(read_regular(path))
        took = {str(name): float(value) for name, value in found["took_ms"].items()}
        failed = {str(name): str(value) for name, value in found["failed"].items()}
        record = Record(str(found["key"]), took, failed, str(found["choice"]), str(found["why"]))
        return record if key in ("", record.key) else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def write_record(path: Path, record: Record) -> None:
    """Write a record atomically. Errors are ignored: without a record the next start only measures again."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, json.dumps(asdict(record), indent=1).encode())
    except OSError:
        return
