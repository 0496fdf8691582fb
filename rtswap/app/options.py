"""Declare an option once, as a dataclass field, for flags, ``rtswap.toml`` and the docs.

A ``Kind`` reads a value from text (a flag) or TOML and writes it as TOML. ``option`` creates a dataclass field with
it; ``options_of`` lists the fields of a dataclass as ``Option`` rows.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from types import MappingProxyType
from typing import Any

from rtswap.app.trust import never
from rtswap.core.text import toml_text

_TYPES: Mapping[type, str] = MappingProxyType(
    {str: "text", bool: "true or false", int: "a whole number", float: "a number", list: "a list", dict: "a table"}
)
"""What messages call a TOML value."""
_CLOCK = re.compile(r"(?:[0-9]+(?:(?::[0-5]?[0-9]){1,2})?)?(?:\.[0-9]+)?(?<=[0-9])")
_DURATION = re.compile(r"([0-9]*(?:\.[0-9]+)?(?<=[0-9])) ?(ms|s|min)")
MOST_VALUES = 100
"""In a list: a file of 1 MB has room for 60,000 outputs, each with a thread, and sources, which take hours."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A value type: how it is parsed and written."""

    expected: str
    """For messages: ``a duration such as 40ms or 2s``."""
    metavar: str
    """For the help: ``DURATION``."""
    parse: Callable[[Any], Any]
    """Text or a TOML value of one of ``types`` -> the value. Raises ValueError."""
    types: tuple[type, ...] = (str,)
    """Accepted TOML types."""
    write: Callable[[Any], str] = toml_text
    """The value -> TOML."""
    many: bool = False
    """A repeatable flag, an array in TOML, a tuple in the dataclass."""
    switch: bool = False
    """A flag without a value, a boolean in TOML."""
    choices: tuple[str, ...] = ()
    installed: Callable[[], tuple[str, ...]] = tuple
    """Looks up further names that are accepted: of imported models and installed plugins."""
    low: float | None = None
    """Least number; None for other values."""
    high: float | None = None
    aliases: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Deprecated names of choices -> the current name."""

    def from_toml(self, value: object) -> Any:
        """Convert a TOML value. Raises ValueError for a wrong type or value."""
        if self.many:
            items = value if isinstance(value, list) else [value]
            if len(items) > MOST_VALUES:
                raise ValueError(f"{len(items):,} of them, more than {MOST_VALUES}")
            return tuple(self._one_from_toml(item) for item in items)
        return self._one_from_toml(value)

    def _one_from_toml(self, value: object) -> Any:
        if not isinstance(value, self.types) or (isinstance(value, bool) and bool not in self.types):
            raise ValueError(_TYPES.get(type(value), f"a value of type {type(value).__name__}"))
        return self.parse(value)

    def to_toml(self, value: Any) -> str:
        if self.many:
            return "[" + ", ".join(self.write(item) for item in value) + "]"
        return self.write(value)


@dataclass(frozen=True, slots=True)
class Option:
    """One option: a field of a configuration dataclass with its flags, type and help."""

    section: str
    name: str
    default: Any
    kind: Kind
    flags: tuple[str, ...]
    help: str
    also: tuple[tuple[str, Kind, str], ...]
    """More flags for the same field, each with its own kind and help: ``--cam 0`` for ``--input 0``."""
    own: Callable[[Any], bool] = never
    """Whether a value is accepted only from flags and the user's own file, see ``trust.py``."""

    @property
    def word(self) -> str:
        """The field's name without its unit, since TOML values include the unit."""
        return self.name.removesuffix("_s").removesuffix("_px")

    @property
    def key(self) -> str:
        return f"{self.section}.{self.word}"


def option(
    default: Any,
    kind: Kind,
    *flags: str,
    help: str,
    also: Sequence[tuple[str, Kind, str]] = (),
    own: Callable[[Any], bool] = never,
) -> Any:  # Any, as for dataclasses.field: the field's annotation gives the type
    """Return a dataclass field that is also a flag and a key of ``rtswap.toml``."""
    metadata = {"kind": kind, "flags": flags, "help": help, "also": tuple(also), "own": own}
    return field(default=default, metadata=metadata)


def options_of(section: str, component: type) -> tuple[Option, ...]:
    """Return the options of a configuration dataclass, in order."""
    rows = []
    for item in fields(component):
        assert item.default is not MISSING, f"{component.__name__}.{item.name} needs a default"
        rows.append(Option(section, item.name, item.default, **item.metadata))
    return tuple(rows)


def text(metavar: str, expected: str) -> Kind:
    """A non-empty string."""

    def parse(value: str) -> str:
        if not value.strip() or "\0" in value:
            raise ValueError("nothing" if not value.strip() else "a NUL character")
        return value

    return Kind(expected, metavar, parse)


def texts(metavar: str, expected: str) -> Kind:
    """A repeatable flag of non-empty strings."""
    return Kind(expected, metavar, text(metavar, expected).parse, many=True)


def assignments(left: str, right: str, example: str) -> Kind:
    """Texts ``LEFT=RIGHT``, divided at the first sign."""

    def parse(value: str) -> str:
        first, _, second = value.partition("=")
        if not first.strip() or not second.strip() or "\0" in value:
            raise ValueError(repr(value))
        return value

    form = f"{left}={right}"
    return Kind(f"{form}, such as {example}", form, parse, many=True)


def integer(metavar: str, low: int, high: int) -> Kind:
    """An integer from ``low`` to ``high``, inclusive."""
    read, expected = _in_range(int, low, high), f"a whole number from {low} to {high}"
    return Kind(expected, metavar, read, types=(int,), write=str, low=low, high=high)


def number(metavar: str, low: float, high: float) -> Kind:
    """A finite number from ``low`` to ``high``, inclusive."""
    read, expected = _in_range(float, low, high), f"a number from {low:.9g} to {high:.9g}"
    return Kind(expected, metavar, read, (int, float), write=lambda value: repr(float(value)), low=low, high=high)


def choice(*names: str, metavar: str = "") -> Kind:
    """One of the names. ``metavar``: for the help, if they are too many to list as the flag's value."""

    def parse(value: str) -> str:
        if value not in names:
            raise ValueError(repr(value))
        return value

    shown = metavar or "{" + ",".join(names) + "}"
    expected = " or ".join(names) if len(names) == 2 else "one of " + ", ".join(names)
    return Kind(expected, shown, parse, choices=names)


def choices(*names: str) -> Kind:
    """A subset of the names, written ``models,mouth``; an array in TOML."""

    def parse(value: str | list[str]) -> tuple[str, ...]:
        words = [str(word).strip() for word in (value.split(",") if isinstance(value, str) else value)]
        words = [word for word in words if word]
        if unknown := [word for word in words if word not in names]:
            raise ValueError(repr(unknown[0]))
        return tuple(dict.fromkeys(words))

    expected = f"a comma-separated list of {', '.join(names)}"
    write = lambda value: f"[{', '.join(map(toml_text, value))}]"  # noqa: E731
    return Kind(expected, "NAME[,NAME...]", parse, (str, list), write=write, choices=names)


def switch() -> Kind:
    """A boolean flag."""
    return Kind("true or false", "", bool, types=(bool,), switch=True)


def duration(high_s: float) -> Kind:
    """Seconds, written ``40ms``, ``2s`` or ``1min``; ``0`` is 0."""

    def parse(value: str | int) -> float:
        found = _DURATION.fullmatch(str(value).strip())
        seconds = _seconds(found[1], found[2]) if found else 0.0
        if (found is None and str(value).strip() != "0") or seconds > high_s:
            raise ValueError(repr(value))
        return seconds

    expected = f"a duration such as 40ms or 2s, at most {_duration(high_s)}"
    return Kind(expected, "DURATION", parse, (str, int), write=lambda s: toml_text(_duration(s)))


def moment(high_s: float = 360_000) -> Kind:
    """A position in a clip, or a length, in seconds: written ``1:23``, ``0:01:23.5``, ``83`` or ``83s``."""

    def parse(value: str | float) -> float:
        text = str(value).strip()
        found = _DURATION.fullmatch(text)
        if found:
            seconds = _seconds(found[1], found[2])
        elif _CLOCK.fullmatch(text):
            seconds = 0.0
            for part in text.split(":"):
                seconds = seconds * 60 + float(part)
        else:
            raise ValueError(repr(value))
        if seconds > high_s:
            raise ValueError(repr(value))
        return seconds

    expected = "a time such as 1:23, 83.5 or 90s"
    return Kind(expected, "TIME", parse, (str, int, float), write=lambda s: toml_text(_duration(s)))


def bitrate() -> Kind:
    """Bits per second, written ``4M``, ``800k`` or ``4000000``."""

    def parse(value: str | int) -> int:
        found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) ?([kKmM]?)(?:bit/s|bps)?", str(value).strip())
        rate = round(float(found[1]) * {"": 1, "k": 1000, "m": 1_000_000}[found[2].lower()]) if found else 0
        if not 1000 <= rate <= 1_000_000_000:
            raise ValueError(repr(value))
        return rate

    return Kind("a bit rate such as 4M or 800k", "RATE", parse, (str, int), write=str)


def size() -> Kind:
    """(width, height) in pixels, written ``1280x720``."""

    def parse(value: str) -> tuple[int, int]:
        found = re.fullmatch(r"([0-9]{2,5})[xX*]([0-9]{2,5})", value.strip())
        if not found or not all(16 <= int(side) <= 16384 for side in found.groups()):
            raise ValueError(repr(value))
        return int(found[1]), int(found[2])

    return Kind("a size such as 1280x720", "WxH", parse, write=lambda v: toml_text(f"{v[0]}x{v[1]}"))


def thresholds(count: int) -> Kind:
    """``count`` numbers 0..1, written ``0.6,0.7,0.8``."""
    share = _in_range(float, 0, 1)

    def parse(value: str) -> tuple[float, ...]:
        numbers = tuple(map(share, value.split(",")))
        if len(numbers) != count:
            raise ValueError(repr(value))
        return numbers

    expected = f"{count} numbers from 0 to 1 such as 0.6,0.7,0.8"
    return Kind(expected, ",".join("T" * count), parse, write=lambda v: toml_text(",".join(f"{n:g}" for n in v)))


def _in_range(convert: type[int] | type[float], low: float, high: float) -> Callable[[Any], Any]:
    def parse(value: str | float) -> float:
        try:
            found = convert(value)
        except (ValueError, OverflowError):
            raise ValueError(repr(value)) from None
        if not math.isfinite(found) or not low <= found <= high:
            raise ValueError(repr(value))
        return found

    return parse


def _seconds(digits: str, unit: str) -> float:
    """Exact: 33.3ms is 0.0333."""
    return float(f"{digits}e-3") if unit == "ms" else float(digits) * (60 if unit == "min" else 1)


def _duration(seconds: float) -> str:
    return f"{seconds * 1000:g}ms" if 0 < seconds < 1 else f"{seconds:g}s"
