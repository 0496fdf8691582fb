"""Functions in CUDA graphs: called directly without a GPU; functions that cannot be captured still run."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from rtswap.gpu.capture import TRIES  # noqa: E402
from rtswap.gpu.graphs import MOST, Captured  # noqa: E402


def mixed(first: Any, second: Any, factor: float) -> Any:
    return first + factor * second


class Graph:
    """Does nothing: what it would write was written when it was captured."""

    replays = 0

    def __init__(self, faults: list[Any]) -> None:
        self._faults = faults

    def capture_begin(self, *, capture_error_mode: str) -> None:
        assert capture_error_mode == "thread_local"
        assert not gc.isenabled(), "a graph that is destroyed meanwhile breaks the capture"
        if self._faults:
            raise self._faults.pop(0)

    def capture_end(self) -> None: ...

    def replay(self) -> None:
        self.replays += 1


class Stream:
    def wait_stream(self, other: Stream) -> None: ...

    def synchronize(self) -> None: ...


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """torch.cuda's streams and graphs without a GPU; the list holds what captures are to raise, in turn."""
    faults: list[Any] = []

    @contextmanager
    def stream(_: Any) -> Iterator[None]:
        yield

    for name, value in {
        "Stream": Stream,
        "current_stream": Stream,
        "stream": stream,
        "synchronize": lambda: None,
        "CUDAGraph": lambda: Graph(faults),
    }.items():
        monkeypatch.setattr(torch.cuda, name, value)
    return faults


def test_without_a_gpu_it_is_the_function() -> None:
    assert Captured(mixed, 2, on_gpu=False)(torch.ones(2), torch.ones(2), 3.0).tolist() == [4, 4]


def test_a_graph_is_captured_once_per_shape_and_number(pretended: list[Any]) -> None:
    calls = []

    def noted(first: Any, second: Any, factor: float) -> Any:
        calls.append(factor)
        return mixed(first, second, factor)

    captured = Captured(noted, 2, on_gpu=True)
    for shape, factor in ((2, 1.0), (2, 1.0), (3, 1.0), (2, 2.0), (3, 1.0)):
        captured(torch.ones(shape), torch.ones(shape), factor)
    assert calls == [1.0, 1.0, 1.0, 1.0, 2.0, 2.0], "a run that sets libraries up, and the capture, for each of three"
    given = captured._graphs[torch.Size([2]), torch.Size([2]), 1.0][1]
    captured(torch.full((2,), 7.0), torch.full((2,), 9.0), 1.0)
    assert [one.tolist() for one in given] == [[7, 7], [9, 9]]


def test_only_so_many_graphs_are_kept(pretended: list[Any]) -> None:
    captured = Captured(mixed, 2, on_gpu=True)
    for length in range(1, 3 * MOST):
        captured(torch.ones(length), torch.ones(length), 1.0)
        captured(torch.ones(1), torch.ones(1), 1.0)
    assert len(captured._graphs) == MOST
    assert (torch.Size([1]), torch.Size([1]), 1.0) in captured._graphs, "what is used stays"


def test_failed_capture_runs_without_a_graph_and_reports_why(pretended: list[Any]) -> None:
    told = "CUDA error: operation not permitted when stream is capturing"
    pretended += [RuntimeError(f"{told}\nmore")] * TRIES
    captured = Captured(mixed, 2, on_gpu=True)
    with pytest.warns(RuntimeWarning, match=f"mixed runs without a CUDA graph, which is slower: {told}"):
        captured(torch.ones(2), torch.ones(2), 3.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # it has been told
        assert captured(torch.ones(2), torch.ones(2), 3.0).tolist() == [4, 4]
    assert captured.failed == told
    assert gc.isenabled()


def test_a_capture_that_failed_is_tried_once_more(pretended: list[Any]) -> None:
    pretended.append(RuntimeError("CUDA error: operation failed due to a previous error during capture"))
    captured = Captured(mixed, 2, on_gpu=True)
    captured(torch.ones(2), torch.ones(2), 3.0)
    assert captured.failed == ""
    assert captured._graphs[torch.Size([2]), torch.Size([2]), 3.0] is not None


def test_it_is_captured_with_the_arguments_of_the_call(pretended: list[Any]) -> None:
    """Of made-up ones an index may lie beyond its table, for which a GPU ends the process."""
    looked_at: list[list[int]] = []

    def look(places: Any, table: Any) -> Any:
        looked_at.append(places.tolist())
        return table[places - 1]

    Captured(look, 1, on_gpu=True)(torch.tensor([1, 3]), torch.arange(3))
    assert looked_at
    assert all(places == [1, 3] for places in looked_at)
