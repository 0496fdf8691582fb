"""Which engine runs the networks on this machine: measured once, written down with the reason, remembered.

Networks of one loop share one engine: two of them cost another 0.3 s at the start, another 60 MB, and their thread
pools get into each other's way. The first of ``ENGINES`` starts faster, so another has to win by a tenth.

Every engine must compute what ONNX Runtime computes in float32, on faces, within what the network allows
(``build_profiles``). One that lowers the precision and gets a network wrong is tried again in float32; one that
computes in float32 is tried again in bfloat16 where the network bears it and the processor has it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from rtswap.core.errors import EngineError, ModelError
from rtswap.core.protocols import Engine
from rtswap.core.types import Tensor
from rtswap.engines.build.profiles import profile_of
from rtswap.engines.contract import read_model_file
from rtswap.engines.measure import Record, compare, key_of, read_record, write_record
from rtswap.engines.samples import fill_with_faces
from rtswap.engines.start import ENGINES, FULL, HALF, INSTALL, ON_GPU, PACKAGES, gpu_name, why_no_gpu
from rtswap.engines.start import start as _start

_MUST_WIN_BY = 0.9


@dataclass(frozen=True, slots=True)
class Network:
    """One network to be run, and inputs as they will come."""

    model: Path
    sample: Mapping[str, Tensor]
    """Zeros stand for faces."""
    per_frame: float = 1.0
    """How often it runs in a frame of the loop: how much its speed counts."""
    most_threads: int = 64
    """A small network is done before a sleeping second thread has woken up."""

    def threads(self, allowed: int) -> int:
        return min(allowed, self.most_threads)


@dataclass(frozen=True, slots=True)
class _Job:
    """One network with everything that engines are started with."""

    name: str
    network: Network
    content: bytes
    threads: int
    cache_dir: Path
    on_event: Callable[[str], None]

    @property
    def title(self) -> str:
        """What is known of the network is known under its name, or its file's."""
        return self.name or self.network.model.stem

    def start(self, engine: str) -> Engine:
        return _start(engine, self.title, self.content, self.threads, self.cache_dir, self.on_event)

    def record_path(self, kind: str = "engine") -> Path:
        return self.cache_dir / f"{self.network.model.stem}.{kind}.json"

    def key(self, gpu: str) -> str:
        return key_of(self.content, PACKAGES, self.threads, gpu)

    def compare(
        self, engines: Mapping[str, Engine], failed: dict[str, str], tolerance: Mapping[str, float] | None = None
    ) -> dict[str, float]:
        """``tolerance``: another one than that of the network's profile."""
        sample = fill_with_faces(self.network.sample)
        return compare(engines, sample, failed, tolerance or profile_of(self.title).tolerance)


def choose_engine(
    model: Path,
    *,
    threads: int,
    engine: str = "auto",
    cache_dir: Path,
    sample: Mapping[str, Tensor],
    on_event: Callable[[str], None] = lambda event: None,
) -> Engine:
    """``choose_engines`` for a single network."""
    networks = {"": Network(model, sample)}
    return choose_engines(networks, threads=threads, engine=engine, cache_dir=cache_dir, on_event=on_event)[""]


def choose_engines(
    networks: Mapping[str, Network],
    *,
    threads: int,
    engine: str = "auto",
    cache_dir: Path,
    on_event: Callable[[str], None] = lambda event: None,
) -> dict[str, Engine]:
    """Name -> the engine that runs this network.

    ``engine``: ``auto``, or a name, which then never falls back to another. ``auto`` times every engine on every
    sample, drops those whose numbers differ from the first's, and takes the one that is fastest over all networks
    (each network's own fastest, where none can run all). What was found is recorded in ``cache_dir``, so that the
    next start loads the winner alone; why an engine was dropped goes to ``on_event`` as well. Raises ModelError when
    a file is at fault, EngineError with every engine's reason when none can run a network.
    """
    jobs = {
        name: _Job(name, one, read_model_file(one.model), one.threads(threads), cache_dir, on_event)
        for name, one in networks.items()
    }
    if engine != "auto":
        return {name: _start_named(engine, job) for name, job in jobs.items()}
    gpu = gpu_name()
    found = {name: read_record(job.record_path(), job.key(gpu)) for name, job in jobs.items()}
    known = {name: record for name, record in found.items() if record is not None}
    if len(known) == len(networks):
        try:
            choice, _ = _pick(known, networks)
            return {name: job.start(choice[name]) for name, job in jobs.items()}
        except (ModelError, EngineError, ImportError, KeyError) as error:
            on_event(f"the engine chosen before cannot be used any more, choosing again: {error}")
    started: dict[str, dict[str, Engine]] = {}
    for name, job in jobs.items():
        started[name], known[name] = _examine(job, gpu)
    _report_failures(known, on_event)
    choice, why = _pick(known, networks)
    for name, record in known.items():
        write_record(jobs[name].record_path(), replace(record, choice=choice[name], why=why))
    return {name: started[name][choice[name]] for name in networks}


def _examine(job: _Job, gpu: str) -> tuple[dict[str, Engine], Record]:
    """Every engine that runs the network rightly, and what was found. Raises EngineError where none does."""
    started: dict[str, Engine] = {}
    failed: dict[str, str] = {}
    for engine in ENGINES:
        if engine in ON_GPU and not gpu:
            failed[engine] = why_no_gpu()
            continue
        _start_or_note(engine, job, started, failed)
    took = job.compare(started, failed)

    def add(variant: str, reference: str, tolerance: Mapping[str, float] | None = None) -> None:
        """Judge one more engine by one that is right."""
        again = job.compare({one: started[one] for one in (reference, variant)}, failed, tolerance)
        took.update({name: ms for name, ms in again.items() if name == variant})

    for engine, full in FULL.items():
        if engine in started and engine not in took and took and _start_or_note(full, job, started, failed):
            add(full, next(name for name in started if name in took))
    allowed = profile_of(job.title).half
    for engine, half in HALF.items():
        if (
            engine in took and allowed and _start_or_note(half, job, started, {})
        ):  # nobody asked for it, nobody misses it
            add(half, engine, allowed)
    if not took:
        reasons = "; ".join(f"{one}: {reason}" for one, reason in failed.items())
        raise EngineError(f"no engine can run {job.network.model}", got=reasons, do=f"Run: {INSTALL[ENGINES[0]]}")
    return started, Record(job.key(gpu), took, failed)


def _start_or_note(engine: str, job: _Job, started: dict[str, Engine], failed: dict[str, str]) -> bool:
    try:
        started[engine] = job.start(engine)
    except (ModelError, EngineError, ImportError) as error:
        failed[engine] = str(error)
    return engine in started


def _report_failures(records: Mapping[str, Record], on_event: Callable[[str], None]) -> None:
    """Why engines were dropped, each reason once. Engines for a GPU where there is none are not missed."""
    no_gpu = why_no_gpu()
    networks: dict[str, list[str]] = {}
    for name, record in records.items():
        for engine, reason in record.failed.items():
            if reason != no_gpu:
                networks.setdefault(f"{engine}: {reason}", []).append(name)
    for text, names in networks.items():
        where = "" if len(names) == len(records) else f" for {', '.join(filter(None, names))}"
        on_event(f"not used{where}: {text}")


def _pick(records: Mapping[str, Record], networks: Mapping[str, Network]) -> tuple[dict[str, str], str]:
    """Network -> engine, and why. Raises KeyError for a record of an engine that is not known."""
    able = [engine for engine in ENGINES if all(_as_run(engine, record) for record in records.values())]
    if not able:
        fastest = {name: min(record.took_ms, key=record.took_ms.__getitem__) for name, record in records.items()}
        return fastest, "no engine can run all networks: each has its own fastest"
    total = {
        engine: sum(
            record.took_ms[_as_run(engine, record)] * networks[name].per_frame for name, record in records.items()
        )
        for engine in able
    }
    best = able[0]
    for name in able[1:]:
        if total[name] < _MUST_WIN_BY * total[best]:
            best = name
    times = ", ".join(f"{name} {took:.2f} ms a frame" for name, took in total.items())
    note = "" if total[best] == min(total.values()) else " (not a tenth faster)"
    why = (
        f"{best}: over {len(records)} networks {times}{note}"
        if len(able) > 1
        else f"only {best} can run all networks"
    )
    return {name: _as_run(best, record) for name, record in records.items()}, why


def _as_run(engine: str, record: Record) -> str:
    """The engine as it runs this network rightly and fastest: as it likes, in bfloat16, or in float32; empty where it
    does not."""
    ways = (engine, HALF.get(engine, engine), FULL.get(engine, engine))
    return min((name for name in ways if name in record.took_ms), key=record.took_ms.__getitem__, default="")


def _start_named(engine: str, job: _Job) -> Engine:
    """The engine that was asked for, or an error. One for a GPU is checked against ONNX Runtime at its first use."""
    try:
        if engine not in ON_GPU:
            return job.start(engine)
        gpu = gpu_name()
        path = job.record_path(engine)
        record = read_record(path, job.key(gpu))
        if record is not None and record.choice in (engine, FULL.get(engine)):
            return job.start(record.choice)
        checked, record = _start_checked(engine, job, gpu)
        write_record(path, record)
        return checked
    except ImportError as error:
        do = f"Run: {INSTALL[engine]}"
        raise EngineError(f"the engine {engine} is not installed", got=str(error), do=do) from error


def _start_checked(engine: str, job: _Job, gpu: str) -> tuple[Engine, Record]:
    """Raises EngineError where the numbers are not what they should be."""
    failed: dict[str, str] = {}
    for name in (engine, FULL.get(engine, engine)):
        started = job.start(name)
        took = job.compare({ENGINES[0]: job.start(ENGINES[0]), name: started}, failed)
        if name in took:
            reasons = "; ".join(failed.values())
            why = f"asked for; in float32 because {reasons}" if reasons else "asked for"
            return started, Record(job.key(gpu), took, failed, name, why)
    raise EngineError(
        f"the engine {engine} does not compute the network {job.title} rightly", got="; ".join(failed.values())
    )
