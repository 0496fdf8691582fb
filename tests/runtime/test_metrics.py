"""The figures a user is shown are true, cost next to nothing, and never stop the stream."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtswap.core.errors import OutputError
from rtswap.runtime.guard import Reason
from rtswap.runtime.metrics import Histogram, Metrics, Spans, status_line
from rtswap.runtime.metrics_log import MetricsLog, prometheus


class Clock:
    """Says what it is told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def played(frames: int = 100, window: int = 300) -> Metrics:
    """Frames 33 ms apart, the n-th n ms old."""
    metrics = Metrics(window)
    for n in range(frames):
        at = 10 + n / 30
        metrics.record({"track": 0.004, "swap": 0.001 * (n % 10)}, captured_at=at - n / 1000, finished_at=at, faces=1)
    return metrics


def test_spans_measure_add_up_and_start_afresh() -> None:
    clock = Clock()
    spans = Spans(clock)
    with spans("swap"):
        clock.now += 2
        with spans("match"):
            clock.now += 1
    with spans("swap"):
        clock.now += 4
    assert spans.take() == {"match": 1, "swap": 7}
    assert spans.take() == {}


def test_span_of_a_failing_stage_is_closed() -> None:
    clock = Clock()
    spans = Spans(clock)

    def fail() -> None:
        with spans("swap"):
            clock.now += 1
            raise ValueError("network")

    with pytest.raises(ValueError, match="network"):
        fail()
    with spans("paste"):
        clock.now += 1
    assert spans.take() == {"swap": 1, "paste": 1}


def test_span_costs_next_to_nothing() -> None:
    """Under 2 microseconds on an idle machine, which is a few plain function calls; a busy one slows both."""

    def nothing() -> None:
        pass

    def cost_s(work: Callable[[], object]) -> float:
        began = time.perf_counter()
        for _ in range(1000):
            work()
        return time.perf_counter() - began

    spans = Spans()

    def span() -> None:
        with spans("crop"):
            pass

    rounds = [cost_s(span) / cost_s(nothing) for _ in range(50)]
    assert sorted(rounds)[10] < 40


@given(st.lists(st.floats(2e-6, 100.0), min_size=1, max_size=200))
def test_histogram_agrees_with_exact_percentiles(seconds: list[float]) -> None:
    histogram = Histogram()
    for value in seconds:
        histogram.add(value)
    for percent in (50, 95, 99):
        exact = np.percentile(seconds, percent, method="inverted_cdf")
        assert histogram.percentile(percent) == pytest.approx(exact, rel=0.0101)
    assert histogram.max_s == max(seconds)
    assert histogram.total_s == pytest.approx(sum(seconds))


def test_summary_of_a_session() -> None:
    metrics = played()
    metrics.set_dropped(7)
    summary = metrics.summary()
    assert summary["frames"] == 100
    assert summary["dropped"] == 7
    assert summary["fps"] == pytest.approx(30, abs=0.01)
    assert summary["duration_s"] == pytest.approx(3.3, abs=0.001)
    assert summary["frames_with_swap"] == 100
    assert summary["frame_age_ms"]["p95"] == pytest.approx(94, rel=0.02)
    assert summary["stages_ms"]["track"]["mean"] == pytest.approx(4)
    assert summary["stages_ms"]["swap"]["max"] == pytest.approx(9)


def test_window_forgets_and_the_summary_does_not() -> None:
    metrics = Metrics(window=10)
    for n in range(20):
        metrics.record({"swap": 1.0 if n < 10 else 0.001}, captured_at=n, finished_at=n)
    assert metrics.recent()["stages_ms"]["swap"]["p99"] == pytest.approx(1)
    assert metrics.summary()["stages_ms"]["swap"]["p95"] == pytest.approx(1000, rel=0.01)


def test_an_empty_record_is_not_an_error() -> None:
    metrics = Metrics()
    assert metrics.summary()["frames"] == 0
    assert status_line(metrics) == "0 faces"
    assert "rtswap_frames_total 0\n" in prometheus(metrics)
    json.dumps(metrics.summary(), allow_nan=False)


def test_numbers_that_are_none_are_left_out() -> None:
    metrics = Metrics()
    metrics.record({"swap": float("nan"), "track": float("inf")}, captured_at=5, finished_at=4)
    assert metrics.recent()["stages_ms"] == {}
    assert metrics.recent()["frame_age_ms"]["p50"] == 0
    json.dumps(metrics.summary(), allow_nan=False)


def test_status_line_is_one_short_line_without_percentiles() -> None:
    metrics = played(100)
    assert status_line(metrics) == "30.0 fps | 50 ms old | 1 face"
    metrics.set_dropped(3)
    assert status_line(metrics) == "30.0 fps | 50 ms old | 1 face | 3 dropped"
    assert status_line(metrics, live=False) == "30.0 fps | 1 face | 3 dropped"
    metrics.record({}, captured_at=0, finished_at=0, faces=2, level=2)
    assert "2 faces | 3 dropped | quality lowered 2x" in status_line(metrics)
    assert len(status_line(metrics)) < 60, "with a bar and the time left it fits 80 columns"


def test_status_line_with_every_stage_on_request() -> None:
    line = status_line(played(100), stages=True)
    assert line == "30.0 fps | 50 ms old (95 %: 94) | 1 face | track 4.0 swap 4.5 ms"


def test_frames_are_counted_by_what_became_of_their_faces() -> None:
    metrics = played(3)
    for swapped, covered in ((1, 0), (1, 1), (0, 2), (0, 0), (0, 0)):
        metrics.add_outcome(swapped=swapped, covered=covered, reasons=["a", "b"][:covered])
    summary = metrics.summary()
    assert summary["frames_covered_because"] == {"a": 2, "b": 1}
    assert (summary["frames_covered"], summary["frames_plain"]) == (2, 2)


def test_of_equally_frequent_reasons_a_failure_is_named_first() -> None:
    metrics = played(2)
    for _ in range(2):
        metrics.add_outcome(swapped=0, covered=2, reasons=[Reason.DOUBT, Reason.FAILURE])
    assert [*metrics.summary()["frames_covered_because"]] == [Reason.FAILURE, Reason.DOUBT]
    assert metrics.failures == 2


def test_prometheus_text_can_be_parsed_and_is_in_seconds() -> None:
    metrics = played()
    metrics.record({'odd"na\\me\n': 0.5}, captured_at=14, finished_at=14)
    values = {}
    for line in prometheus(metrics).splitlines():
        if not line.startswith("#"):
            name, value = line.rsplit(" ", 1)
            values[name] = float(value)
    assert values["rtswap_frames_total"] == 101
    assert values['rtswap_stage_seconds{stage="track",quantile="0.95"}'] == pytest.approx(0.004)
    assert values['rtswap_stage_seconds_count{stage="track"}'] == 100
    assert values['rtswap_stage_seconds_sum{stage="track"}'] == pytest.approx(0.4)
    assert values['rtswap_stage_seconds{stage="odd\\"na\\\\me\\n",quantile="0.5"}'] == pytest.approx(0.5)


def test_memory_does_not_grow_with_the_session() -> None:
    metrics = Metrics(window=50)
    for n in range(20_000):
        metrics.record({"swap": 0.001 + (n % 997) * 1e-5}, captured_at=n, finished_at=n + 0.02)
    assert len(metrics._recent["swap"]) == 50
    assert len(metrics._whole["swap"]._buckets) < 200


def test_readers_and_writers_may_be_in_different_threads() -> None:
    metrics = Metrics(window=20)
    stop = threading.Event()
    errors: list[RuntimeError] = []

    def read() -> None:
        while not stop.is_set():
            try:
                status_line(metrics)
                prometheus(metrics)
            except RuntimeError as error:
                errors.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for n in range(3000):
        metrics.record({f"stage{n % 7}": 0.001}, captured_at=n, finished_at=n)
    stop.set()
    reader.join(5)
    assert not errors
    assert metrics.summary()["frames"] == 3000


def test_log_has_a_line_a_second_on_the_disk_at_once_and_ends_with_the_summary(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    log = MetricsLog(path, played(), warn=pytest.fail)
    for tick in range(100):
        log.tick(tick / 30)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(lines) == 4
    assert lines[0]["frames"] == 100
    log.close()
    log.close()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(lines) == 5
    assert lines[-1]["summary"]["frames"] == 100


def test_log_keeps_what_an_earlier_session_wrote(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    for _ in range(2):
        MetricsLog(path, played(), warn=pytest.fail).close()
    assert len(path.read_text().splitlines()) == 2


def test_a_log_that_was_moved_away_goes_on_in_a_new_file_of_its_own(tmp_path: Path) -> None:
    """Which is no program, and not at the other end of a link that was put in its place."""
    path, other, warnings = tmp_path / "m.jsonl", tmp_path / "other", list[str]()
    log = MetricsLog(path, played(), warn=warnings.append)
    path.rename(tmp_path / "m.1")
    log.tick(0.0)
    assert not path.stat().st_mode & 0o111
    path.unlink()
    path.symlink_to(other)
    log.tick(1.0)
    assert not other.exists()
    other.write_text("mine")
    log.close()
    assert other.read_text() == "mine"
    assert len(warnings) == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a disk that is always full")
def test_full_disk_warns_once_and_the_stream_goes_on() -> None:
    warnings: list[str] = []
    log = MetricsLog("/dev/full", played(), warn=warnings.append)
    for tick in range(10):
        log.tick(float(tick))
    log.close()
    assert len(warnings) == 1
    assert "/dev/full" in warnings[0]
    assert "\n" not in warnings[0]


def test_half_a_line_is_taken_back(tmp_path: Path) -> None:
    """The file may grow by 20 bytes more: the operating system itself then writes half a line."""
    resource = pytest.importorskip("resource", reason="limits are set by this module of POSIX systems")
    warnings: list[str] = []
    path = tmp_path / "m.jsonl"
    log = MetricsLog(path, played(), warn=warnings.append)
    log.tick(0)
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 20, usual[1]))
    try:
        log.tick(1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
    log.tick(2)
    assert [json.loads(line)["frames"] for line in path.read_text().splitlines()] == [100, 100]
    assert len(warnings) == 1


def test_log_that_cannot_be_opened_says_so_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="--metrics") as caught:
        MetricsLog(tmp_path / "missing" / "m.jsonl", played(), warn=pytest.fail)
    assert "\n" not in str(caught.value)


def test_a_prom_file_holds_the_newest_figures_whole(tmp_path: Path) -> None:
    path = tmp_path / "rtswap.prom"
    log = MetricsLog(path, played(), warn=pytest.fail)
    for second in range(3):
        log.tick(second)
        assert path.read_text() == prometheus(played()), "never half written, never appended to"
    log.close()
    assert sorted(tmp_path.iterdir()) == [path]
