"""Which way is better, who is better, and what is worst: on figures made up for it."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from printed_output import Terminal, print_parts

from rtswap.app.console import open_rich, rendered
from rtswap.commands.evaluate.figures import Figure, compare, middle, round_row, summary, worst
from rtswap.commands.evaluate.speed import time_in_turn
from rtswap.commands.evaluate.table import figures_table, table_lines

MORE, LESS, ONE = Figure("m", "more", "more"), Figure("l", "less", "less"), Figure("o", "ratio", "near 1")
UNKNOWN = math.nan


@pytest.mark.parametrize(("figure", "better"), [(MORE, "B"), (LESS, "A")])
def test_the_better_one_is_better_by_more_than_its_error(figure: Figure, better: str) -> None:
    rng = np.random.default_rng(1)
    one = rng.standard_normal(50)
    noise = 0.1 * rng.standard_normal(50)
    assert compare(figure, one, one + 0.2 + noise).better == better
    assert compare(figure, one, one + 0.2 + noise).difference == pytest.approx(0.2, abs=0.05)
    assert compare(figure, one, one + noise - noise.mean()).better == "="
    assert compare(figure, one, one).better == "="


def test_ratios_are_better_the_nearer_they_are_to_1() -> None:
    low, high, near = np.array([0.5, 0.45]), np.array([2.0, 2.1]), np.array([1.1, 1.05])
    assert compare(ONE, low, near).better == "B"
    assert compare(ONE, near, high).better == "A"
    assert middle(ONE, np.array([1, 1, 9.0])) == 1, "a ratio's mean would be one of its outliers"


def test_unknown_values_decide_nothing() -> None:
    one, other = np.array([1.0, UNKNOWN, 2.0, 3.0]), np.array([2.0, 9.0, UNKNOWN, 4.1])
    assert compare(MORE, one, other).better == "B"
    assert compare(MORE, np.array([UNKNOWN]), np.array([1.0])).better == ""
    assert compare(MORE, np.array([1.0]), np.array([2.0])).better == "B", "single values as they are"
    assert math.isnan(middle(MORE, np.array([UNKNOWN])))


def test_the_worst_come_first_and_the_unknown_never() -> None:
    rows = [{"m": 3.0, "o": 1.0}, {"m": -1.0, "o": 0.2}, {"m": UNKNOWN, "o": 3.0}, {"m": 0.5}]
    assert worst(MORE, rows, 2) == [1, 3]
    assert worst(LESS, rows, 2) == []
    assert worst(ONE, rows, 9) == [1, 2, 0]


def test_a_summary_counts_the_known_values() -> None:
    rows = [{"m": float(n)} for n in range(11)] + [{"m": UNKNOWN}, {}]
    assert summary([MORE, LESS], rows) == {"m": {"mean": 5, "p10": 1, "p50": 5, "p90": 9, "count": 11}}
    assert round_row({"a": 0.123456, "b": UNKNOWN}) == {"a": 0.1235, "b": None}


def test_the_table_names_the_better_one_and_leaves_out_unknown_figures() -> None:
    ours = [{"m": 1.0, "o": 0.7}, {"m": 1.1, "o": 0.8}]
    theirs = [{"m": 0.2, "o": 1.0}, {"m": 0.1}]
    lines = table_lines([MORE, LESS, ONE], [ours, theirs])
    text = print_parts(figures_table(["ours", "theirs"], lines)).splitlines()
    assert text[0].split() == ["figure", "best", "ours", "theirs", "difference", "better"]
    assert text[1].split() == ["more", "high", "1.050", "0.150", "-0.900", "ours"]
    assert text[2].split() == ["ratio", "1", "0.750", "1.000", "+0.250", "theirs"]
    assert len(text) == 3
    alone = print_parts(figures_table(["ours"], table_lines([MORE], [ours]))).splitlines()
    assert alone[1].split() == ["more", "high", "1.050"]


def test_the_better_value_is_marked_for_the_eye() -> None:
    lines = table_lines([MORE], [[{"m": 1.0}, {"m": 1.1}], [{"m": 0.2}, {"m": 0.1}]])
    text = rendered([figures_table(["ours", "theirs"], lines)], open_rich(Terminal(), {"TERM": "xterm"}))
    assert re.search(r"\x1b\[32m *1\.050", text), "green"
    assert re.search(r"\x1b\[1;31m *0\.150", text), "bold red"


def test_times_are_taken_in_turn_and_the_first_ones_thrown_away(monkeypatch: pytest.MonkeyPatch) -> None:
    now, called = [0.0], []

    def work(name: str, seconds: float) -> None:
        called.append(name)
        now[0] += seconds * (100 if len(called) <= 4 else 1)

    monkeypatch.setattr("time.perf_counter", lambda: now[0])
    found = time_in_turn({"a": lambda: work("a", 0.002), "b": lambda: work("b", 0.005)}, runs=3, warm_up=2)
    assert called == ["a", "b"] * 5
    assert found["a"] == pytest.approx({"min_ms": 2, "median_ms": 2, "p10_ms": 2, "p90_ms": 2})
    assert found["b"]["min_ms"] == pytest.approx(5)
