"""Streams that share an engine: bounded waits, fair shares, and isolated errors."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threads import run_together

from rtswap.core.errors import EngineError
from rtswap.core.types import Tensor
from rtswap.engines.batching import SharedEngine
from rtswap.engines.request_queue import BatchLimits, Queue, QueueFull, Request

LIMITS = BatchLimits(most=8, wait_s=0.010, waiting_per_stream=4)


def queue_of(*requests: Request, limits: BatchLimits = LIMITS) -> Queue:
    queue = Queue(limits)
    for request in requests:
        queue.add(request)
    return queue


def streams_of(batch: list[Request]) -> list[object]:
    return [request.stream for request in batch]


def test_a_lone_request_waits_no_longer_than_the_deadline() -> None:
    queue = queue_of(Request("a", 1, arrived_s=5.0))
    assert queue.due_s() == pytest.approx(5.010)
    assert queue.take(5.009) == []
    assert streams_of(queue.take(5.010)) == ["a"]
    assert queue.due_s() is None
    assert queue.take(99.0) == []


def test_full_batch_does_not_wait() -> None:
    queue = queue_of(*(Request(stream, 2, 1.0) for stream in "abcd"))
    assert sorted(streams_of(queue.take(1.0))) == list("abcd")


def test_a_request_larger_than_a_batch_is_one() -> None:
    queue = queue_of(Request("a", 20, 1.0), Request("b", 1, 1.001))
    assert streams_of(queue.take(1.0)) == ["a"]
    assert streams_of(queue.take(1.011)) == ["b"]


def test_only_what_fits_together_shares_a_batch() -> None:
    queue = queue_of(Request("a", 1, 1.0, key="x"), Request("b", 1, 1.001, key="y"), Request("c", 1, 1.002, key="x"))
    assert streams_of(queue.take(1.010)) == ["a", "c"]
    assert streams_of(queue.take(1.011)) == ["b"]


def test_a_greedy_stream_is_refused_and_keeps_what_waits() -> None:
    queue = queue_of(*(Request("greedy", 1, float(k)) for k in range(4)))
    with pytest.raises(QueueFull, match="at most 4 pending requests"):
        queue.add(Request("greedy", 1, 4.0))
    queue.add(Request("modest", 1, 4.0))
    assert len(queue) == 5
    with pytest.raises(ValueError, match="at least one row"):
        queue.add(Request("empty", 0, 4.0))


def test_under_load_everybody_gets_the_same() -> None:
    """One stream asks for four rows as soon as it may, the others for one: rows are shared alike, and a stream that
    comes late gets no more than that."""
    limits = BatchLimits(most=4, wait_s=0.0, waiting_per_stream=4)
    queue = Queue(limits)
    served: Counter[object] = Counter()
    late_since: Counter[object] = Counter()
    for turn in range(400):
        names = ["a", "b", "c", "d", "late"] if turn >= 200 else ["a", "b", "c", "d"]
        for name in names:
            for _ in range(limits.waiting_per_stream):
                try:
                    queue.add(Request(name, 4 if name == "a" else 1, float(turn)))
                except QueueFull:
                    break
        if turn == 200:
            late_since = Counter(served)
        for request in queue.take(float(turn)):
            served[request.stream] += request.rows
    rates = {name: served[name] - late_since[name] for name in served}
    assert max(late_since.values()) <= 1.1 * min(late_since[name] for name in "abcd")
    assert len(rates) == 5
    assert max(rates.values()) <= 1.1 * min(rates.values())


def test_a_stream_that_paused_has_no_credit() -> None:
    limits = BatchLimits(most=2, wait_s=0.0)
    queue = queue_of(Request("away", 1, 0.0), limits=limits)
    queue.take(0.0)
    for turn in range(50):
        queue.add(Request("busy", 1, float(turn)))
        queue.take(float(turn))
    for k in range(4):
        queue.add(Request("away", 1, 100.0))
        queue.add(Request("busy", 1, 100.0 + k * 1e-3))
    for _ in range(4):
        assert sorted(map(str, streams_of(queue.take(101.0)))) == ["away", "busy"]


arrivals = st.lists(
    st.tuples(st.integers(0, 5), st.integers(1, 12), st.floats(0, 0.02), st.sampled_from("xy")), max_size=60
)


@settings(max_examples=100, deadline=None)
@given(arrivals, st.integers(1, 9), st.sampled_from([0.0, 0.004]))
def test_no_request_is_lost_duplicated_reordered_or_late(
    asked: list[tuple[int, int, float, str]], most: int, wait_s: float
) -> None:
    """With an engine that takes no time: every request is in a batch by its deadline, and memory is bounded."""
    limits = BatchLimits(most=most, wait_s=wait_s, waiting_per_stream=3)
    queue, now = Queue(limits), 0.0
    accepted: dict[int, list[int]] = {}
    got: dict[int, list[int]] = {}

    def serve(until: float) -> None:
        while (due := queue.due_s()) is not None and due <= until:
            at = max(due, now)
            batch = queue.take(at)
            assert batch
            rows = sum(request.rows for request in batch)
            assert rows <= most or len(batch) == 1
            assert len({request.key for request in batch}) == 1
            for request in batch:
                assert at <= request.arrived_s + wait_s + 1e-9
                got.setdefault(request.stream, []).append(request.content)  # type: ignore[call-overload]

    for number, (stream, rows, pause, key) in enumerate(asked):
        serve(now + pause)
        now += pause
        try:
            queue.add(Request(stream, rows, now, number, key))
        except QueueFull:
            continue
        accepted.setdefault(stream, []).append(number)
        assert len(queue) <= 6 * 3
    serve(now + 1.0)
    assert got == accepted
    assert len(queue) == 0


def test_requests_of_an_ended_stream_are_dropped() -> None:
    queue = queue_of(Request("a", 1, 1.0), Request("b", 1, 1.0))
    assert streams_of(queue.forget("a")) == ["a"]
    assert queue.forget("nobody") == []
    assert streams_of(queue.take(2.0)) == ["b"]


class Doubler:
    """Doubles its input and tells who it was; some values make it fail."""

    name = "doubler"

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.inside = 0

    def run(self, inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        self.inside += 1
        assert self.inside == 1, "two batches at once"
        try:
            values = inputs["x"]
            if (values < 0).any():
                raise EngineError("negative values")
            self.batches.append(len(values))
            return {"y": values * 2, "who": values[:, 0] + 0}
        finally:
            self.inside -= 1


def run_streams(engine: SharedEngine, values: list[float], times: int = 20) -> list[list[object]]:
    """What every stream, in a thread of its own, got for its value."""
    found: list[list[object]] = [[] for _ in values]

    def stream(index: int) -> None:
        value, mine = values[index], engine.for_stream(index)
        for k in range(times):
            x = np.full((1 + index % 3, 4), value + k / 100, np.float32)
            if value < 0:
                x[:] = -1
            try:
                answer = mine.run({"x": x})
                found[index].append(bool((answer["y"] == 2 * x).all() and (answer["who"] == x[:, 0]).all()))
            except EngineError as error:
                found[index].append(str(error))
        mine.close()

    run_together(stream, len(values))
    return found


def test_every_stream_gets_its_own_answers_and_batches_are_shared() -> None:
    doubler = Doubler()
    engine = SharedEngine(doubler, BatchLimits(most=16, wait_s=0.02))
    found = run_streams(engine, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    assert found == [[True] * 20] * 6
    assert engine.rows == sum(doubler.batches) == 20 * (1 + 2 + 3) * 2
    assert engine.batches < 60
    assert engine.name == "doubler, shared"


def test_one_stream_s_fault_is_its_alone() -> None:
    engine = SharedEngine(Doubler(), BatchLimits(most=16, wait_s=0.01))
    found = run_streams(engine, [1.0, -1.0, 3.0])
    assert found[0] == found[2] == [True] * 20
    assert found[1] == ["negative values"] * 20


def test_outputs_stay_the_asker_s() -> None:
    engine = SharedEngine(Doubler(), BatchLimits(wait_s=0.0)).for_stream("a")
    first = engine.run({"x": np.ones((1, 2), np.float32)})["y"]
    engine.run({"x": np.zeros((1, 2), np.float32)})
    assert (first == 2).all()


@pytest.mark.parametrize(
    "inputs", [{}, {"x": np.zeros((0, 3))}, {"x": np.zeros(())}, {"x": np.zeros((2, 1)), "z": np.zeros((3, 1))}]
)
def test_what_cannot_be_batched_is_refused(inputs: dict[str, Tensor]) -> None:
    with pytest.raises(EngineError, match="cannot share a batch"):
        SharedEngine(Doubler()).for_stream("a").run(inputs)


class Mixer:
    """A network that breaks the rule: one row, whatever comes in."""

    name = "mixer"

    def run(self, inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        return {"y": inputs["x"][:1]}


def test_a_network_that_mixes_rows_is_found_out() -> None:
    with pytest.raises(EngineError, match="cannot be split into rows; expected 2 rows"):
        SharedEngine(Mixer(), BatchLimits(wait_s=0.0)).for_stream("a").run({"x": np.zeros((2, 3))})


class Interrupted:
    """An engine in which somebody presses Ctrl-C."""

    name = "interrupted"

    def run(self, inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        raise KeyboardInterrupt


def test_no_caller_waits_forever_after_an_interrupt() -> None:
    engine = SharedEngine(Interrupted(), BatchLimits(wait_s=0.0))
    for stream in "ab":
        with pytest.raises(KeyboardInterrupt):
            engine.for_stream(stream).run({"x": np.zeros((1, 1))})


class OnDevice(Doubler):
    """One that also takes what lies on a GPU; its outputs are overwritten by the next run."""

    def __init__(self) -> None:
        super().__init__()
        self.out = FakeTensor(0)

    def run_on_device(self, inputs: Mapping[str, FakeTensor], *, own: bool = False) -> Mapping[str, FakeTensor]:
        self.inside += 1
        assert self.inside == 1, "two at once"
        time.sleep(0.001)
        self.out.value = 2 * inputs["x"].value
        self.inside -= 1
        return {"y": FakeTensor(self.out.value) if own else self.out}


class FakeTensor:
    def __init__(self, value: int) -> None:
        self.value = value


def test_tensors_of_a_gpu_go_between_the_batches_and_stay_the_asker_s() -> None:
    shared = SharedEngine(OnDevice(), BatchLimits(wait_s=0.001))
    wrong: list[int] = []

    def ask(stream: int) -> None:
        mine = shared.for_stream(stream)
        for k in range(20):
            kept = mine.run_on_device({"x": FakeTensor(100 * stream + k)})["y"]  # type: ignore[attr-defined]
            rows = mine.run({"x": np.full((1, 2), stream, np.float32)})["y"]
            if kept.value != 2 * (100 * stream + k) or (rows != 2 * stream).any():
                wrong.append(stream)

    run_together(ask, 4)
    assert wrong == []
    assert not hasattr(SharedEngine(Doubler()).for_stream("a"), "run_on_device")
