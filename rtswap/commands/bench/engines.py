"""``rtswap bench --engine a,b``: compare engines in one run, and with the measured peak of this machine.

Runs every network of the loop on faces, alternating between the engines, then the complete loop on each engine. The
limit of a network is the time that its multiply-adds would take at the measured rate of matrix products, or its bytes
at the measured copy rate, whichever is longer.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from rtswap.app.config import Config
from rtswap.app.console import Console
from rtswap.app.networks import MOST_THREADS, Networks
from rtswap.commands.bench.costs import Cost, cost_of
from rtswap.commands.bench.limits import MachineLimits, cpu_limits, gpu_limits
from rtswap.commands.bench.machine import check_writable, machine, write_result
from rtswap.commands.bench.rig import Rig
from rtswap.commands.bench.stages import stage_bytes
from rtswap.core.errors import EngineError, RtswapError, UsageError
from rtswap.core.protocols import Engine
from rtswap.core.text import suggestion
from rtswap.core.types import Tensor
from rtswap.engines.build.profiles import profile_of
from rtswap.engines.measurement import LOW, difference, time_in_turns
from rtswap.engines.samples import fill_with_faces
from rtswap.engines.starting import ENGINES, HALF, ON_GPU
from rtswap.gpu.torch_import import load_torch
from rtswap.networks.catalog import load_catalog
from rtswap.networks.registry import Registry
from rtswap.swappers import swapper_spec

SIZE, FACE_PX = (1280, 720), 300
BATCHES = (4, 16)
"""Batch sizes to measure besides that of one frame."""
SHARE_S = 0.25
"""Seconds to run each network on each engine."""
_FEWEST_RUNS, _WARM_UP = 6, 2
"""Runs of each network on each engine, and those of them that are not counted."""


@dataclass(frozen=True, slots=True)
class Job:
    """One network and its inputs."""

    network: str
    rows: int
    inputs: Mapping[str, Tensor]
    per_frame: float
    """Runs per frame while a face is tracked; 0 for batches larger than a frame needs."""

    @property
    def title(self) -> str:
        return f"{self.network} x{self.rows}"


def read_engines(text: str) -> tuple[str, ...]:
    """Parse ``openvino,onnxruntime`` or ``all``. Raises UsageError."""
    names = ENGINES if text.strip() == "all" else tuple(dict.fromkeys(word.strip() for word in text.split(",")))
    for name in names:
        if name not in ENGINES:
            raise UsageError(
                "unknown engine in --engine",
                expected=f"auto, all, or some of {', '.join(ENGINES)} separated by commas",
                got=repr(name),
                do=suggestion(name, ENGINES),
            )
    return names


def bench_engines(
    config: Config, names: Sequence[str], *, console: Console, seconds: float, out: str | None
) -> dict[str, Any]:
    """Compare the engines. Return the figures and, if ``out`` is given, write them to that file. ``not_run`` holds
    the reason for each engine that does not start. Raises EngineError if none starts, and RtswapError."""
    if out:
        check_writable(Path(out))
    opened, failed = _open(config, names, console)
    jobs = _jobs(config, next(iter(opened.values())))
    engines = {name: _engines(config, networks) for name, networks in opened.items()}
    limits = limits_of(engines, config)
    steps = len(jobs) + len(opened)
    networks, loops = {}, {}
    for number, job in enumerate(jobs):
        console.progress(number, steps, job.title)
        networks[job.title] = compare(job, engines, limits)
    for number, name in enumerate(opened, len(jobs)):
        console.progress(number, steps, f"complete loop on {name}")
        loops[name] = loop(_with_engine(config, name), limits[name], seconds)
    console.progress(steps, steps)
    result = {
        "command": f"rtswap bench --engine {','.join(names)} --seconds {seconds:g}",
        "machine": machine(),
        "limits": {name: rates.told for name, rates in limits.items()},
        "networks": networks,
        "loop": loops,
        "not_run": failed,
    }
    if out:
        write_result(Path(out), result)
    return result


def roofline(config: Config, networks: Networks) -> dict[str, Any]:
    """Compare the networks of a frame, on the engine in use, with the machine's limits."""
    name = networks.engines["landmarks"].name
    engines = {name: _engines(config, networks)}
    limits = limits_of(engines, config)
    found = {job.title: compare(job, engines, limits) for job in _jobs(config, networks) if job.per_frame}
    return {"limits": limits[name].told, "networks": found, "networks_of_a_frame": per_frame(found, name)}


def compare(
    job: Job, engines: Mapping[str, Mapping[str, Engine]], limits: Mapping[str, MachineLimits]
) -> dict[str, Any]:
    """Measure one network on every engine in alternation."""
    mine = {name: found[job.network] for name, found in engines.items()}
    truth: dict[str, Tensor] | None = None
    cost = Cost(0, 0)
    told: dict[str, dict[str, Any]] = {}
    for name, engine in mine.items():
        try:
            outputs = {key: value.copy() for key, value in engine.run(job.inputs).items()}
        except EngineError as error:
            told[name] = {"failed": str(error)}
            continue
        if truth is None:
            truth, cost = outputs, cost_of(Registry().path(job.network), job.inputs, outputs)
        told[name] = {"as": engine.name, "disagreement": difference(truth, outputs, _tolerances(job.network, engine))}
    sound = {name: mine[name] for name, row in told.items() if "failed" not in row}
    runs = {name: partial(engine.run, job.inputs) for name, engine in sound.items()}
    times = time_in_turns(runs, SHARE_S, fewest=_FEWEST_RUNS)
    given = sum(array.nbytes for array in job.inputs.values())
    taken = sum(array.nbytes for array in (truth or {}).values())
    for name, all_s in times.items():
        taken_s = all_s[_WARM_UP:]
        p50, p90 = (float(value) for value in np.percentile(taken_s, [50, 90]))
        weights = 0.5 if mine[name].name.endswith(LOW) else 1.0
        moved = given + taken + (cost.bytes - given - taken) * weights
        half = mine[name].name.endswith(tuple(HALF.values()))
        least_s = limits[name].least_s(2 * cost.macs, moved, given=given, taken=taken, half=half)
        told[name] |= {
            "median_ms": round(1e3 * p50, 4),
            "p90_ms": round(1e3 * p90, 4),
            "runs": len(taken_s),
            "gflops": round(2 * cost.macs / p50 / 1e9, 2),
            "share_of_limit": round(least_s / p50, 4),
        }
    return {"gmacs": round(cost.macs / 1e9, 5), "mb": round(cost.bytes / 1e6, 3), "per_frame": job.per_frame, **told}


def _tolerances(network: str, engine: Engine) -> Mapping[str, float] | None:
    """Return the tolerance of each output if the engine uses a lower precision, else None."""
    profile = profile_of(network)
    if engine.name in HALF.values():
        return profile.half
    return profile.tolerance if engine.name.endswith(LOW) else None


def loop(config: Config, limits: MachineLimits, seconds: float) -> dict[str, Any]:
    """Measure the complete loop with one face at 720p at full speed, and each CPU stage against the copy rate."""
    rig = Rig(config, on_event=lambda text: None)
    images = rig.images(SIZE, faces=1, face_px=FACE_PX)
    found = rig.play(images, fps=float("inf"), seconds=seconds).summary()
    moved = {} if limits.up else stage_bytes(rig, SIZE, FACE_PX)  # the host's clock does not measure stages on a GPU
    stages: dict[str, Any] = {}
    for stage, figures in found["stages_ms"].items():
        stages[stage] = {"ms_p50": figures["p50"], "ms_p95": figures["p95"]}
        if stage in moved and figures["p50"]:
            share = limits.least_s(0, moved[stage]) / (figures["p50"] / 1e3)
            stages[stage] |= {"mb": round(moved[stage] / 1e6, 3), "share_of_limit": round(share, 4)}
    return {"fps": found["fps"], "faces_per_frame": found["faces_per_frame"], "stages": stages}


def per_frame(networks: Mapping[str, Any], name: str) -> str:
    """Return the sum over the networks of a frame while a face is tracked, as text."""
    rows = [(row, row[name]) for row in networks.values() if row["per_frame"] and "median_ms" in row[name]]
    gmacs = sum(row["gmacs"] * row["per_frame"] for row, _ in rows)
    ms = sum(one["median_ms"] * row["per_frame"] for row, one in rows)
    least = sum(one["median_ms"] * one["share_of_limit"] * row["per_frame"] for row, one in rows)
    return f"{gmacs:.3f} GMAC, {ms:.2f} ms, {least / ms if ms else 0:.0%} of this machine's peak"


def _open(config: Config, names: Sequence[str], console: Console) -> tuple[dict[str, Networks], dict[str, str]]:
    """Load the networks on each engine. Return them, and the reason for each engine that fails. Raises EngineError if
    all fail."""
    opened: dict[str, Networks] = {}
    failed: dict[str, str] = {}
    for name in names:
        console.status(f"starting {name}")
        try:
            opened[name] = Networks(_with_engine(config, name), on_event=console.event)
        except RtswapError as error:
            failed[name] = str(error)
            console.event(f"not run: {name}: {error}")
    if not opened:
        raise EngineError("none of these engines runs on this machine", got="; ".join(failed.values()))
    return opened, failed


def _with_engine(config: Config, name: str) -> Config:
    return replace(config, engine=replace(config.engine, engine=name))


def _engines(config: Config, networks: Networks) -> dict[str, Engine]:
    networks.open(swapper_spec(config.swap.swapper).networks)
    return dict(networks.engines)


def _jobs(config: Config, networks: Networks) -> list[Job]:
    """Return a job for every network with the batch size of a frame, and larger batches where the network allows."""
    jobs = []
    for name in _engines(config, networks):
        entry = load_catalog()[name]
        sample = entry.zeros()
        rows = len(next(iter(sample.values())))
        jobs.append(Job(name, rows, fill_with_faces(sample), entry.per_frame))
        for more in BATCHES if profile_of(name).batch[2] > 1 and rows == 1 else ():
            large = {key: np.repeat(value, more, 0) for key, value in sample.items()}
            jobs.append(Job(name, more, fill_with_faces(large), 0.0))
    return jobs


def limits_of(engines: Mapping[str, Mapping[str, Engine]], config: Config) -> dict[str, MachineLimits]:
    """Return the limits for each engine, measured once for the CPU and once per precision on a GPU."""
    measured: dict[str, MachineLimits] = {}
    found = {}
    for name, networks in engines.items():
        on_gpu = name.startswith(ON_GPU)
        low = any(engine.name.endswith(LOW) for engine in networks.values())
        where = f"GPU {low}" if on_gpu else "CPU"
        if where not in measured:
            threads = config.engine.threads or min(MOST_THREADS, os.cpu_count() or 1)
            rates = gpu_limits(load_torch(), low=low) if on_gpu else cpu_limits(threads, Registry().folder)
            measured[where] = rates
        found[name] = measured[where]
    return found
