"""Counts, durations and sizes as text."""

from __future__ import annotations

import re

import pytest
from paths import ROOT

from rtswap.core.text import clock, duration, plural, printable, size


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 faces"), (1, "1 face"), (2, "2 faces"), (1200, "1,200 faces"), (1_000_000, "1,000,000 faces")],
)
def test_plural(count: int, text: str) -> None:
    assert plural(count, "face") == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (0.04, "0.04 s"),
        (8.46, "8.5 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min"),
        (65.2, "1 min 5 s"),
        (3599.7, "1 h"),
        (3600, "1 h"),
        (7384, "2 h 3 min"),
    ],
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1 kB"),
        (640_400, "640 kB"),
        (999_600, "1.0 MB"),
        (3_440_000, "3.4 MB"),
        (128_000_000, "128 MB"),
        (1.24e9, "1.2 GB"),
        (5e12, "5000 GB"),
    ],
)
def test_size(count: float, text: str) -> None:
    assert size(count) == text


@pytest.mark.parametrize(
    ("seconds", "digits", "text"),
    [
        (0, 1, "0:00.0"),
        (59.96, 1, "1:00.0"),
        (65.24, 1, "1:05.2"),
        (3725, 1, "1:02:05.0"),
        (-1, 1, "0:00.0"),
        (62.367, 2, "1:02.37"),
        (59.6, 0, "1:00"),
    ],
)
def test_clock(seconds: float, digits: int, text: str) -> None:
    assert clock(seconds, digits) == text


@pytest.mark.parametrize(
    ("text", "shown"), [("plain é 漢", "plain é 漢"), ("a\tb\nc", "a b c"), ("\x1b[31m\x07\udcff", "?[31m??")]
)
def test_printable(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_causes_are_told_without_errno_and_in_one_line() -> None:
    """By ``reason``: ``str`` of an OSError is "[Errno 13] Permission denied: 'x'", that of others may be a page."""
    plain = re.compile(r"got=str\(error\)|got=f\"\{error\}")
    assert [str(path) for path in (ROOT / "rtswap").rglob("*.py") if plain.search(path.read_text())] == []
