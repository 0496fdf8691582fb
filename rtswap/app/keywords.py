"""The arguments of the Python API: sources, and settings as keyword arguments.

A keyword is a flag of the command line with ``_`` for ``-``: ``--on-failure hold`` is ``on_failure="hold"``. It takes
the same values, checked the same way.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, TypeAlias, TypedDict

import numpy as np

from rtswap.app.config import OPTIONS, Config
from rtswap.app.marking import list_photos
from rtswap.app.options import Option
from rtswap.app.pictures import Picture, is_path, is_picture, pixels
from rtswap.core.errors import ConfigError, SourceError, reason
from rtswap.core.parts import FinishSpec, SwapperSpec
from rtswap.core.protocols import SwapModel
from rtswap.core.text import suggestion
from rtswap.core.types import Image

Photos: TypeAlias = "Picture | Sequence[Picture]"
"""One photo of the source, or several of one person. A folder means the photos in it, ``persona:NAME`` a built-in
persona."""


class Changes(TypedDict, total=False):
    """Settings that may also change while pictures are swapped."""

    swap: Mapping[str, Picture]
    """Person (left, right, largest, a number from the left, a photo of the person) -> the source they get."""
    source_face: int
    """Which face of a source photo that shows several: 1 is the leftmost, 0 the largest."""
    swapper: str | os.PathLike[str] | SwapperSpec | SwapModel
    expression: float
    """0..1.5: share of the target's expression to keep."""
    strength: float
    """0..1.3: below 1 goes towards an average face, above 1 exaggerates the source's."""
    color: str
    detail: str
    blend: str
    finish: Sequence[str | FinishSpec]
    mask: Sequence[str]
    parts: Sequence[str]
    keep: Sequence[str]


class Settings(Changes, total=False):
    """All settings. docs/usage.md describes their flags."""

    faces: str
    follow: str
    min_face: int
    """Pixels."""
    thresholds: Sequence[float] | str
    """0..1 each: of the three detector stages."""
    kalman_noise: float
    box_average: float
    """0..0.99: share of the previous place, per frame at 30 a second."""
    detector: str
    boost: int
    """1..4: times an imported swapper's resolution."""
    morph: float
    """0..1: how far a DFM's face replaces the target's shape."""
    coverage: float
    """0.3..1: how much of the face an imported or trained model swaps."""
    enhance: str
    """Name of an imported enhancer, or ``none``."""
    enhance_weight: float
    enhance_blend: float
    enhance_every: int
    """Frames."""
    on_failure: str
    empty_after: float | str
    """Seconds, or text such as ``500ms``."""
    others: str
    pass_through: bool
    badge: str
    badge_language: str
    no_badge: bool
    budget: float | str
    """Seconds, or text such as ``40ms``."""
    engine: str
    threads: int


@dataclass(frozen=True, slots=True)
class Request:
    """The configuration with what no file or flag can hold: arrays and objects."""

    config: Config
    pictures: Mapping[str, Image] = field(default_factory=dict)
    """Pixels of sources by their names in ``config``."""
    swapper: SwapperSpec | SwapModel | None = None
    finishes: tuple[FinishSpec, ...] = ()

    def with_settings(self, source: Photos | None, settings: Mapping[str, Any]) -> Request:
        """The request with another source (None: the same) and other settings. Raises UsageError, ConfigError,
        SourceError, InputError."""
        config, pictures, values = self.config, dict(self.pictures), dict(settings)
        if source is not None:
            names = tuple(_name(photo, pictures) for photo in _as_list(source))
            config = replace(config, source=replace(config.source, photos=names))
        if "swap" in values:
            values["swap"] = _rules(values["swap"], pictures)
        swapper, finishes = self.swapper, self.finishes
        if "swapper" in values:
            named = isinstance(values["swapper"], str) or not hasattr(values["swapper"], "bind")
            swapper = None if named and not isinstance(values["swapper"], SwapperSpec) else values.pop("swapper")
        if "finish" in values:
            given = _several("finish", values["finish"])
            finishes = tuple(part for part in given if isinstance(part, FinishSpec))
            values["finish"] = [part for part in given if not isinstance(part, FinishSpec)]
        config = _set(config, values)
        used = list_photos(config)
        return Request(config, {name: pictures[name] for name in used if name in pictures}, swapper, finishes)


def _as_list(source: Photos) -> list[Picture]:
    photos = [source] if is_picture(source) else list(source)  # type: ignore[arg-type]
    if not photos:
        raise SourceError("no source given", expected="a photo of the face to use")
    return photos  # type: ignore[return-value]


def _name(photo: Picture, pictures: dict[str, Image]) -> str:
    """A photo's name in the configuration: its path, or one that is new in ``pictures``."""
    if is_path(photo):
        if not str(photo).strip():  # as a path it would be the working folder
            raise SourceError("no source given", expected="a photo of the face to use", got="an empty name")
        return str(photo)
    image = pixels(photo, "the source")
    name = next(name for number in count(1) if (name := f"<picture {number}>") not in pictures)
    pictures[name] = image
    return name


def _rules(swap: object, pictures: dict[str, Image]) -> list[str]:
    if not isinstance(swap, Mapping):
        expected = 'a mapping of people to photos such as {"left": "me.jpg"}'
        raise ConfigError("wrong value for swap", expected=expected, got=type(swap).__name__)
    return [f"{person}={_name(photo, pictures)}" for person, photo in swap.items()]


def _set(config: Config, settings: Mapping[str, Any]) -> Config:
    rows = {flag.lstrip("-").replace("-", "_"): row for row in OPTIONS for flag in row.flags}
    for name, value in settings.items():
        if name not in Settings.__annotations__:
            raise ConfigError(
                f"no setting called {name}",
                expected=", ".join(sorted(Settings.__annotations__)),
                do=suggestion(name, Settings.__annotations__),
            )
        row = rows[name]
        section = replace(getattr(config, row.section), **{row.name: _value(name, row, value)})
        config = replace(config, **{row.section: section})
    return config


def _value(name: str, row: Option, value: Any) -> Any:
    """The checked value. Raises ConfigError."""
    if isinstance(value, np.generic):
        value = value.item()
    if row.kind.many or (list in row.kind.types and not isinstance(value, str)):
        value = _several(name, value)
    elif row.name.endswith("_s") and isinstance(value, int | float) and not isinstance(value, bool):
        value = f"{value}s" if math.isfinite(value) else str(value)
    elif isinstance(value, list | tuple) and row.kind.types == (str,):
        value = ",".join(map(str, value))
    elif isinstance(value, os.PathLike):
        value = os.fspath(value)
    try:
        return row.kind.from_toml(value)
    except ValueError as error:
        raise ConfigError(f"wrong value for {name}", expected=row.kind.expected, got=reason(error)) from None


def _several(name: str, value: Any) -> list[Any]:
    if isinstance(value, str | FinishSpec):
        return [value]
    if isinstance(value, list | tuple | set | frozenset):
        return list(value)
    raise ConfigError(f"wrong value for {name}", expected="a list", got=type(value).__name__)
