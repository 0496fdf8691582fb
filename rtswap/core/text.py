"""Format numbers, sizes and durations for messages, and suggest corrections for mistyped words."""

from __future__ import annotations

import json
from collections.abc import Iterable

LIKELY = 0.75
"""Least share of letters (difflib's ratio) that a mistyped word has in common with what was meant."""


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the known word that ``word`` is likely a misspelling of, or an empty string. Leading dashes of flags do
    not count."""
    import difflib  # imported only for a mistyped word: --help must be fast

    names = {name.lstrip("-"): name for name in known}
    return names.get(next(iter(difflib.get_close_matches(word.lstrip("-"), names, 1, LIKELY)), ""), "")


def suggestion(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """``Did you mean X?`` with the nearest known word; ``otherwise`` where none is near."""
    near = nearest(word, known)
    return f"Did you mean {near}?" if near else otherwise


def plural(count: int, noun: str) -> str:
    """``1 face``, ``2 faces``, ``1,200 frames``"""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def duration(seconds: float) -> str:
    """``0.04 s``, ``8.5 s``, ``1 min 5 s``, ``2 h 3 min``"""
    if 0 < seconds < 0.1:
        return f"{seconds:.2f} s"
    if round(seconds, 1) < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [(hours, "h"), (minutes, "min"), (0 if hours else rest, "s")]
    return " ".join(f"{count} {unit}" for count, unit in parts if count)


def size(count: float) -> str:
    """Bytes as ``640 bytes``, ``12 kB``, ``3.4 MB``, ``1.2 GB``"""
    if count < 1000:
        return plural(round(count), "byte")
    for power, unit in ((1e3, "kB"), (1e6, "MB"), (1e9, "GB")):
        if count < 999.5 * power or unit == "GB":
            break
    value = count / power
    return f"{value:.1f} {unit}" if unit != "kB" and value < 100 else f"{value:.0f} {unit}"


def clock(seconds: float, digits: int = 0) -> str:
    """A position in a clip, or the remaining time: ``1:05``, ``1:05.23``, ``1:02:05``"""
    units = round(max(0.0, seconds) * 10**digits)
    whole, part = divmod(units, 10**digits)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    front = f"{hours}:{minutes:02}" if hours else f"{minutes}"
    return f"{front}:{rest:02}" + (f".{part:0{digits}}" if digits else "")


def printable(text: str) -> str:
    """Return the text on one line, without terminal control characters: spaces for line breaks, ``?`` for the rest.
    File and device names are untrusted."""
    return "".join(letter if letter.isprintable() else " " if letter.isspace() else "?" for letter in text)


def toml_text(value: object) -> str:
    """Return a text, a number or a switch in TOML: as JSON, which escapes the same characters, but with DEL escaped,
    and others than these as they are: TOML has no surrogate pairs."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def as_argument(path: object) -> str:
    """Return a path as a word of a command that people copy into their shell. Names of files and folders are
    untrusted: in ``mkdir -p $(x)`` the shell would run x."""
    import shlex

    return shlex.quote(printable(str(path)))
