"""Share the networks of one process between streams, with one batcher per network."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Mapping

import numpy as np

from rtswap.app.config import Config
from rtswap.app.networks import FaceModels, Networks, bind_models, part_networks
from rtswap.commands.bench.rig import EngineProxy, TimedEngine
from rtswap.compositing.finishes import find_finishes
from rtswap.core.protocols import Engine
from rtswap.core.types import Tensor
from rtswap.engines.batching import SharedEngine
from rtswap.engines.build.profiles import profile_of
from rtswap.engines.request_queue import BatchLimits
from rtswap.networks.catalog import load_catalog
from rtswap.runtime.metrics import Spans
from rtswap.swappers import swapper_spec


class CountedEngine(EngineProxy):
    """An engine that counts its batches. One thread at a time may run it; any may read the counts."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._lock = threading.Lock()
        self._batches: Counter[int] = Counter()
        self._busy_s = 0.0

    def run(self, inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """See ``protocols.Engine``."""
        began = time.perf_counter()
        outputs = self._engine.run(inputs)
        took_s = time.perf_counter() - began
        with self._lock:
            self._busy_s += took_s
            self._batches[len(next(iter(inputs.values())))] += 1
        return outputs

    def take(self) -> tuple[dict[int, int], float]:
        """Return batch size -> count, and seconds in the engine, since the last call."""
        with self._lock:
            batches, busy_s = dict(self._batches), self._busy_s
            self._batches.clear()
            self._busy_s = 0.0
        return {rows: batches[rows] for rows in sorted(batches)}, busy_s


class Pool:
    """The shared networks, including those of the configured swapper and finishes. ``wait_s``: how long a request
    may wait for other streams."""

    def __init__(self, networks: Networks, config: Config, *, wait_s: float = 0.0) -> None:
        self._networks, self._config = networks, config
        networks.open(part_networks(config, swapper_spec(config.swap.swapper), find_finishes(config.swap.finishes)))
        self.counted = {name: CountedEngine(engine) for name, engine in networks.engines.items()}
        self._limits = {name: BatchLimits(most=profile_of(name).batch[2], wait_s=wait_s) for name in self.counted}
        self._shared = {name: SharedEngine(one, self._limits[name]) for name, one in self.counted.items()}

    def warm_up(self, streams: int) -> None:
        """Run every batch size up to ``streams`` once, since engines prepare each size. Raises EngineError."""
        for name in self.counted:
            sample, rows = load_catalog()[name].zeros(), 1
            while rows <= min(streams, self._limits[name].most):
                self.counted[name].run({key: np.repeat(value[:1], rows, 0) for key, value in sample.items()})
                rows *= 2
        self.take()

    def models(self, stream: int, spans: Spans) -> FaceModels:
        """Return the models of one stream; ``spans`` counts its time in networks, waiting included."""
        mine = {name: TimedEngine(shared.for_stream(stream), spans) for name, shared in self._shared.items()}
        return bind_models(self._networks, self._config, mine.__getitem__)

    def forget(self, stream: int) -> None:
        """Release a stream that ended."""
        for shared in self._shared.values():
            shared.forget(stream)

    def take(self) -> dict[str, tuple[dict[int, int], float]]:
        """Return network -> (batch size -> count, seconds in the engine) since the last call."""
        return {name: one.take() for name, one in self.counted.items()}
