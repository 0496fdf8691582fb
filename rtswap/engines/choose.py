"""Which engine runs the networks on this machine: measured once, written down with the reason, remembered.

Networks of one loop share one engine: two of them cost another 0.3 s at the start, another 60 MB, and their thread
pools get into each other's way. The first of ``ENGINES`` starts faster, so another has to win by a tenth.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from rtswap.engines.contract import read_model_file
from rtswap.engines.measure import Record, compare, key_of, read_record, write_record
from rtswap.errors import EngineError, ModelError
from rtswap.protocols import Engine
from rtswap.types import Tensor

ENGINES = ("onnxruntime", "openvino")
"""In order of preference; the first that runs a network is the reference for the others' numbers."""
_MUST_WIN_BY = 0.9


@dataclass(frozen=True, slots=True)
class Network:
    """One network to be run, and inputs as they will come."""

    model: Path
    sample: Mapping[str, Tensor]
    per_frame: float = 1.0
    """How often it runs in a frame of the loop: how much its speed counts."""
    most_threads: int = 64
    """A small network is done before a sleeping second thread has woken up."""

    def threads(self, allowed: int) -> int:
        return min(allowed, self.most_threads)


def choose_engine(
    model: Path,
    *,
    threads: int,
    engine: str = "auto",
    cache_dir: Path,
    sample: Mapping[str, Tensor],
) -> Engine:
    """``choose_engines`` for a single network."""
    return choose_engines({"": Network(model, sample)}, threads=threads, engine=engine, cache_dir=cache_dir)[""]


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
    next start loads the winner alone. Raises ModelError when a file is at fault, EngineError with every engine's
    reason when none can run a network.
    """
    contents = {name: read_model_file(network.model) for name, network in networks.items()}
    if engine != "auto":
        return {
            name: _start_named(engine, content, networks[name].threads(threads), cache_dir)
            for name, content in contents.items()
        }
    keys = {name: key_of(content, ENGINES, networks[name].threads(threads)) for name, content in contents.items()}
    paths = {name: cache_dir / f"{network.model.stem}.engine.json" for name, network in networks.items()}
    records = {name: read_record(path, keys[name]) for name, path in paths.items()}
    known = {name: record for name, record in records.items() if record is not None}
    if len(known) == len(networks):
        try:
            choice, _ = _pick(known, networks)
            return {
                name: _start(choice[name], content, networks[name].threads(threads), cache_dir)
                for name, content in contents.items()
            }
        except (ModelError, EngineError, ImportError, KeyError) as error:
            on_event(f"the engine chosen before cannot be used any more, choosing again: {error}")
    started: dict[str, dict[str, Engine]] = {}
    for name, content in contents.items():
        started[name], failed = _start_all(content, networks[name].threads(threads), cache_dir)
        took = compare(started[name], networks[name].sample, failed)
        if not took:
            told = "; ".join(f"{one}: {reason}" for one, reason in failed.items())
            do = f"Run: pip install {' '.join(ENGINES)}"
            raise EngineError(f"no engine can run {networks[name].model}", got=told, do=do)
        known[name] = Record(keys[name], took, failed)
    choice, why = _pick(known, networks)
    for name, record in known.items():
        write_record(paths[name], replace(record, choice=choice[name], why=why))
    return {name: started[name][choice[name]] for name in networks}


def _pick(records: Mapping[str, Record], networks: Mapping[str, Network]) -> tuple[dict[str, str], str]:
    """Network -> engine, and why. Raises KeyError for a record of an engine that is not known."""
    able = [name for name in ENGINES if all(name in record.took_ms for record in records.values())]
    if not able:
        fastest = {name: min(record.took_ms, key=record.took_ms.__getitem__) for name, record in records.items()}
        return fastest, "no engine can run all networks: each has its own fastest"
    total = {
        engine: sum(record.took_ms[engine] * networks[name].per_frame for name, record in records.items())
        for engine in able
    }
    best = able[0]
    for name in able[1:]:
        if total[name] < _MUST_WIN_BY * total[best]:
            best = name
    told = ", ".join(f"{name} {took:.2f} ms a frame" for name, took in total.items())
    note = "" if total[best] == min(total.values()) else " (not a tenth faster)"
    why = (
        f"{best}: over {len(records)} networks {told}{note}" if len(able) > 1 else f"only {best} can run all networks"
    )
    return dict.fromkeys(records, best), why


def _start_named(name: str, content: bytes, threads: int, cache_dir: Path) -> Engine:
    if name not in ENGINES:
        raise EngineError("there is no such engine", expected=" or ".join(("auto", *ENGINES)), got=name)
    try:
        return _start(name, content, threads, cache_dir)
    except ImportError as error:
        raise EngineError(
            f"the engine {name} is not installed", got=str(error), do=f"Run: pip install {name}"
        ) from error


def _start(name: str, content: bytes, threads: int, cache_dir: Path) -> Engine:
    """Import an engine's package, only now, and load the network. Raises ImportError, ModelError, EngineError."""
    if name == "openvino":
        from rtswap.engines.openvino import OpenVinoEngine

        return OpenVinoEngine(content, threads=threads, cache_dir=cache_dir / "openvino")
    from rtswap.engines.onnxruntime import OnnxRuntimeEngine

    return OnnxRuntimeEngine(content, threads=threads)


def _start_all(content: bytes, threads: int, cache_dir: Path) -> tuple[dict[str, Engine], dict[str, str]]:
    """Every engine that starts, and why the others do not."""
    started: dict[str, Engine] = {}
    failed: dict[str, str] = {}
    for name in ENGINES:
        try:
            started[name] = _start(name, content, threads, cache_dir)
        except (ModelError, EngineError, ImportError) as error:
            failed[name] = str(error)
    return started, failed
