"""How one setting is declared: once, in a dataclass field, for flags, for ``rtswap.toml`` and for the docs.

A ``Kind`` reads a value from text (a flag) or from TOML and writes it back as TOML. ``option`` makes a
dataclass field of it; ``options_of`` lists the fields of a dataclass as ``Option`` rows.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from types import MappingProxyType
from typing import Any

from rtswap.app.trust import never

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?(ms|s|min)")


@dataclass(frozen=True, slots=True)
class Kind:
    """How a value is read and written."""

    expected: str
    """For messages: ``a duration such as 40ms or 2s``."""
    metavar: str
    """For the help: ``DURATION``."""
    parse: Callable[[Any], Any]
    """Text or a TOML value of one of ``types`` -> the value. Raises ValueError."""
    types: tuple[type, ...] = (str,)
    """What TOML may hold."""
    write: Callable[[Any], str] = json.dumps
    """The value -> TOML."""
    many: bool = False
    """A repeatable flag, an array in TOML, a tuple in the dataclass."""
    switch: bool = False
    """A flag without a value, a boolean in TOML."""
    choices: tuple[str, ...] = ()
    aliases: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Former names of choices -> the name."""

    def from_toml(self, value: object) -> Any:
        """Raises ValueError where TOML holds something of another type."""
        if self.many:
            items = value if isinstance(value, list) else [value]
            return tuple(self._one_from_toml(item) for item in items)
        return self._one_from_toml(value)

    def _one_from_toml(self, value: object) -> Any:
        if not isinstance(value, self.types) or (isinstance(value, bool) and bool not in self.types):
            raise ValueError(f"a value of type {type(value).__name__}")
        return self.parse(value)

    def to_toml(self, value: Any) -> str:
        if self.many:
            return "[" + ", ".join(self.write(item) for item in value) + "]"
        return self.write(value)


@dataclass(frozen=True, slots=True)
class Option:
    """One row of the table: a field of a configuration dataclass with everything said about it."""

    section: str
    name: str
    default: Any
    kind: Kind
    flags: tuple[str, ...]
    help: str
    also: tuple[tuple[str, Kind, str], ...]
    """Further flags for the same field, each with its own kind and help: ``--cam 0`` for ``--input 0``."""
    own: Callable[[Any], bool] = never
    """Whether a value is taken from flags and the user's own file alone, see ``foreign``."""

    @property
    def word(self) -> str:
        """The field's name without its unit: the values written in TOML carry their own."""
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
) -> Any:  # Any, as dataclasses.field: the annotation of the field is what counts
    """A dataclass field that is also a flag and a key of ``rtswap.toml``."""
    metadata = {"kind": kind, "flags": flags, "help": help, "also": tuple(also), "own": own}
    return field(default=default, metadata=metadata)


def options_of(section: str, component: type) -> tuple[Option, ...]:
    """The rows of one configuration dataclass, in order."""
    rows = []
    for item in fields(component):
        assert item.default is not MISSING, f"{component.__name__}.{item.name} needs a default"
        rows.append(Option(section, item.name, item.default, **item.metadata))
    return tuple(rows)


def text(metavar: str, expected: str) -> Kind:
    """Any text but an empty one."""

    def parse(value: str) -> str:
        if not value.strip() or "\0" in value:
            raise ValueError("nothing" if not value.strip() else "a NUL character")
        return value

    return Kind(expected, metavar, parse, write=_quote)


def texts(metavar: str, expected: str) -> Kind:
    """Several of them: a repeatable flag."""
    return Kind(expected, metavar, text(metavar, expected).parse, write=_quote, many=True)


def assignments(left: str, right: str, example: str) -> Kind:
    """Texts ``LEFT=RIGHT``, divided at the first sign."""

    def parse(value: str) -> str:
        first, _, second = value.partition("=")
        if not first.strip() or not second.strip() or "\0" in value:
            raise ValueError(repr(value))
        return value

    form = f"{left}={right}"
    return Kind(f"{form}, such as {example}", form, parse, write=_quote, many=True)


def integer(metavar: str, low: int, high: int) -> Kind:
    """From ``low`` to ``high``, both included."""
    return Kind(f"a whole number from {low} to {high}", metavar, _bounded(int, low, high), types=(int,), write=str)


def number(metavar: str, low: float, high: float) -> Kind:
    """From ``low`` to ``high``, both included; finite."""
    return Kind(
        f"a number from {low:g} to {high:g}", metavar, _bounded(float, low, high), (int, float), write=_number
    )


def choice(*names: str) -> Kind:
    """One of the names."""

    def parse(value: str) -> str:
        if value not in names:
            raise ValueError(repr(value))
        return value

    return Kind("one of " + ", ".join(names), "{" + ",".join(names) + "}", parse, write=_quote, choices=names)


def choices(*names: str) -> Kind:
    """Some of the names, written ``models,mouth``; an array in TOML."""

    def parse(value: str | list[str]) -> tuple[str, ...]:
        words = [str(word).strip() for word in (value.split(",") if isinstance(value, str) else value)]
        words = [word for word in words if word]
        if unknown := [word for word in words if word not in names]:
            raise ValueError(repr(unknown[0]))
        return tuple(dict.fromkeys(words))

    expected = f"some of {', '.join(names)}, with commas between"
    return Kind(expected, "NAME,...", parse, (str, list), write=lambda v: f"[{', '.join(map(_quote, v))}]")


def switch() -> Kind:
    """On or off."""
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
    return Kind(expected, "DURATION", parse, (str, int), write=lambda s: _quote(_duration(s)))


def size() -> Kind:
    """(width, height) in pixels, written ``1280x720``."""

    def parse(value: str) -> tuple[int, int]:
        found = re.fullmatch(r"([0-9]{2,5})[xX*]([0-9]{2,5})", value.strip())
        if not found or not all(16 <= int(side) <= 16384 for side in found.groups()):
            raise ValueError(repr(value))
        return int(found[1]), int(found[2])

    return Kind("a size such as 1280x720", "WxH", parse, write=lambda v: _quote(f"{v[0]}x{v[1]}"))


def thresholds(count: int) -> Kind:
    """``count`` numbers 0..1, written ``0.6,0.7,0.8``."""

    def parse(value: str) -> tuple[float, ...]:
        numbers = tuple(float(part) for part in value.split(","))
        if len(numbers) != count or not all(0 <= n <= 1 for n in numbers):
            raise ValueError(repr(value))
        return numbers

    expected = f"{count} numbers from 0 to 1 such as 0.6,0.7,0.8"
    return Kind(expected, ",".join("T" * count), parse, write=lambda v: _quote(",".join(f"{n:g}" for n in v)))


def _bounded(convert: type[int] | type[float], low: float, high: float) -> Callable[[Any], Any]:
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


def _number(value: float) -> str:
    return repr(float(value))


def _quote(value: str) -> str:
    """A TOML basic string: as JSON, which escapes the same characters, but with DEL escaped too."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
