"""Choose the fastest correct inference engine for this machine; measure once and cache the choice.

All networks of one loop run on the same engine: a second engine costs 0.3 s more at start and 60 MB more memory, and
the two thread pools compete. The first of ``ENGINES`` starts faster, so another must be 10 % faster to be chosen.

Every engine must match ONNX Runtime in float32, on face images, within the tolerance of the network
(``build/profiles.py``). A network that ONNX Runtime refuses is given to no other: on one thread, OpenVINO (2026.4.1)
overwrites memory where shapes do not fit. An engine that lowers the precision and exceeds the tolerance is tried
again in float32; an engine that computes in float32 is also tried in bfloat16 if the network tolerates it and the CPU
supports it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from rtswap.core.errors import EngineError, ModelError, reason
from rtswap.core.protocols import Engine
from rtswap.core.types import Tensor
from rtswap.engines.build.profiles import profile_of
from rtswap.engines.contract import read_model_file
from rtswap.engines.measurement import Record, compare, key_of, read_record, write_record
from rtswap.engines.samples import fill_with_faces
from rtswap.engines.starting import ENGINES, FULL, HALF, INSTALL, ON_GPU, PACKAGES, gpu_name, why_no_gpu
from rtswap.engines.starting import start as _start

_MUST_WIN_BY = 0.9


@dataclass(frozen=True, slots=True)
class Network:
    """A network to run, and sample inputs in the shapes it will be run with."""

    model: Path
    sample: Mapping[str, Tensor]
    """All-zero inputs are replaced by face images for the measurement."""
    per_frame: float = 1.0
    """Runs per frame: the weight of its speed in the choice."""
    most_threads: int = 64
    """Maximum threads: a small network finishes before a sleeping second thread wakes up."""
    content: bytes | None = None
    """The file, if it was read already; else it is read from ``model``."""

    def threads(self, allowed: int) -> int:
        return min(allowed, self.most_threads)


@dataclass(frozen=True, slots=True)
class _Job:
    """One network with the arguments for starting engines."""

    name: str
    network: Network
    content: bytes
    threads: int
    cache_dir: Path
    on_event: Callable[[str], None]

    @property
    def title(self) -> str:
        """The name used to look up its profile: its own, or the file's stem."""
        return self.name or self.network.model.stem

    def start(self, engine: str) -> Engine:
        usual = {name: tensor.shape for name, tensor in self.network.sample.items()}
        return _start(engine, self.title, self.content, self.threads, self.cache_dir, self.on_event, usual)

    def record_path(self, kind: str = "engine") -> Path:
        return self.cache_dir / f"{self.network.model.stem}.{kind}.json"

    def key(self, gpu: str) -> str:
        return key_of(self.content, PACKAGES, self.threads, gpu)

    def compare(
        self, engines: Mapping[str, Engine], failed: dict[str, str], tolerance: Mapping[str, float] | None = None
    ) -> dict[str, float]:
        """``measurement.compare`` on sample faces. ``tolerance`` overrides that of the network's profile."""
        sample = fill_with_faces(self.network.sample)
        return compare(engines, sample, failed, tolerance or profile_of(self.title).tolerance)


def choose_engine(
    model: Path,
    *,
    threads: int,
    engine: str = "auto",
    cache_dir: Path,
    sample: Mapping[str, Tensor],
    content: bytes | None = None,
    on_event: Callable[[str], None] = lambda event: None,
) -> Engine:
    """``choose_engines`` for a single network."""
    networks = {"": Network(model, sample, content=content)}
    return choose_engines(networks, threads=threads, engine=engine, cache_dir=cache_dir, on_event=on_event)[""]


def choose_engines(
    networks: Mapping[str, Network],
    *,
    threads: int,
    engine: str = "auto",
    cache_dir: Path,
    on_event: Callable[[str], None] = lambda event: None,
) -> dict[str, Engine]:
    """Return a mapping of network name -> engine.

    ``engine``: ``auto``, or an engine's name, which never falls back to another. ``auto`` times every engine on every
    sample, drops those whose outputs differ from the first engine's, and takes the fastest over all networks (the
    fastest per network if no engine runs all). The result is cached in ``cache_dir``, so that the next start loads
    only the chosen engine; the reason why an engine was dropped also goes to ``on_event``. Raises ModelError for an
    invalid file, EngineError with every engine's reason if none can run a network.
    """
    jobs = {
        name: _Job(name, one, read_model_file(one.content or one.model), one.threads(threads), cache_dir, on_event)
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
            on_event(f"the cached engine choice no longer works, choosing again: {error}")
    started: dict[str, dict[str, Engine]] = {}
    for name, job in jobs.items():
        started[name], known[name] = _examine(job, gpu)
    _report_failures(known, on_event)
    choice, why = _pick(known, networks)
    for name, record in known.items():
        write_record(jobs[name].record_path(), replace(record, choice=choice[name], why=why))
    return {name: started[name][choice[name]] for name in networks}


def _examine(job: _Job, gpu: str) -> tuple[dict[str, Engine], Record]:
    """Start and measure every engine. Returns the started engines and the record. Raises EngineError if none runs the
    network correctly."""
    started: dict[str, Engine] = {}
    failed: dict[str, str] = {}
    for engine in ENGINES:
        if engine in ON_GPU and not gpu:
            failed[engine] = why_no_gpu()
            continue
        error = _start_or_note(engine, job, started, failed)
        if engine == ENGINES[0] and isinstance(error, ModelError):
            break  # no other engine is given a file that the reference refuses
    took = job.compare(started, failed)

    def add(variant: str, reference: str, tolerance: Mapping[str, float] | None = None) -> None:
        """Compare one more engine with a correct one."""
        again = job.compare({one: started[one] for one in (reference, variant)}, failed, tolerance)
        took.update({name: ms for name, ms in again.items() if name == variant})

    for engine, full in FULL.items():
        if engine in started and engine not in took and took and _start_or_note(full, job, started, failed) is None:
            add(full, next(name for name in started if name in took))
    allowed = profile_of(job.title).half
    for engine, half in HALF.items():
        if (
            engine in took and allowed and _start_or_note(half, job, started, {}) is None
        ):  # optional: a failure to start is not reported
            add(half, engine, allowed)
    if not took:
        reasons = "; ".join(f"{one}: {reason}" for one, reason in failed.items())
        raise EngineError(f"no engine can run {job.network.model}", got=reasons, do=f"Run: {INSTALL[ENGINES[0]]}")
    return started, Record(job.key(gpu), took, failed)


def _start_or_note(engine: str, job: _Job, started: dict[str, Engine], failed: dict[str, str]) -> Exception | None:
    """Add the engine to ``started``, or the reason to ``failed``, and return the error."""
    try:
        started[engine] = job.start(engine)
    except (ModelError, EngineError, ImportError) as error:
        failed[engine] = str(error)
        return error
    return None


def _report_failures(records: Mapping[str, Record], on_event: Callable[[str], None]) -> None:
    """Report why engines were dropped, each reason once. GPU engines are not reported on a machine without a GPU."""
    no_gpu = why_no_gpu()
    networks: dict[str, list[str]] = {}
    for name, record in records.items():
        for engine, why in record.failed.items():
            if why != no_gpu:
                networks.setdefault(f"{engine}: {why}", []).append(name)
    for text, names in networks.items():
        where = "" if len(names) == len(records) else f" for {', '.join(filter(None, names))}"
        on_event(f"not used{where}: {text}")


def _pick(records: Mapping[str, Record], networks: Mapping[str, Network]) -> tuple[dict[str, str], str]:
    """Return network -> engine, and the reason. Raises KeyError for a record of an unknown engine."""
    able = [engine for engine in ENGINES if all(_best_variant(engine, record) for record in records.values())]
    if not able:
        fastest = {name: min(record.took_ms, key=record.took_ms.__getitem__) for name, record in records.items()}
        return fastest, "no engine runs all networks; using the fastest for each"
    total = {
        engine: sum(
            record.took_ms[_best_variant(engine, record)] * networks[name].per_frame
            for name, record in records.items()
        )
        for engine in able
    }
    best = able[0]
    for name in able[1:]:
        if total[name] < _MUST_WIN_BY * total[best]:
            best = name
    times = ", ".join(f"{name} {took:.2f} ms per frame" for name, took in total.items())
    note = "" if total[best] == min(total.values()) else " (the fastest is less than 10 % faster)"
    why = f"{best}: over {len(records)} networks {times}{note}" if len(able) > 1 else f"only {best} runs all networks"
    return {name: _best_variant(best, record) for name, record in records.items()}, why


def _best_variant(engine: str, record: Record) -> str:
    """Return the engine's fastest correct variant for this network (default precision, bfloat16 or float32); empty if
    it has none."""
    ways = (engine, HALF.get(engine, engine), FULL.get(engine, engine))
    return min((name for name in ways if name in record.took_ms), key=record.took_ms.__getitem__, default="")


def _start_named(engine: str, job: _Job) -> Engine:
    """Start the requested engine, checked against ONNX Runtime on first use. Raises EngineError."""
    try:
        gpu = gpu_name() if engine in ON_GPU else ""
        if engine == ENGINES[0] or engine not in ENGINES or (engine in ON_GPU and not gpu):
            return job.start(engine)  # the reference, or it raises
        path = job.record_path(engine)
        record = read_record(path, job.key(gpu))
        if record is not None and record.choice in (engine, FULL.get(engine)):
            return job.start(record.choice)
        checked, record = _start_checked(engine, job, gpu)
        write_record(path, record)
        return checked
    except ImportError as error:
        do = f"Run: {INSTALL[engine]}"
        raise EngineError(f"the engine {engine} is not installed", got=reason(error), do=do) from error


def _start_checked(engine: str, job: _Job, gpu: str) -> tuple[Engine, Record]:
    """Start an engine and compare it with ONNX Runtime; in float32 if its default precision is too inaccurate. Raises
    EngineError if both fail."""
    failed: dict[str, str] = {}
    for name in dict.fromkeys((engine, FULL.get(engine, engine))):
        reference = job.start(ENGINES[0])
        started = job.start(name)
        took = job.compare({ENGINES[0]: reference, name: started}, failed)
        if name in took:
            reasons = "; ".join(failed.values())
            why = f"requested; in float32 because {reasons}" if reasons else "requested"
            return started, Record(job.key(gpu), took, failed, name, why)
    raise EngineError(
        f"the engine {engine} computes wrong outputs for the network {job.title}", got="; ".join(failed.values())
    )
