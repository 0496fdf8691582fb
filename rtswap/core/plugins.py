"""Discover parts: built-in ones as modules of a package, plugins through entry points.

A plugin is code of somebody else: whatever it raises, at any call, becomes one error that names it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from functools import wraps
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules
from threading import current_thread, main_thread
from typing import Any, TypeVar

from rtswap.core.errors import InputError, ModelError, OutputError, RtswapError, UsageError, reason
from rtswap.core.interrupts import time_limit
from rtswap.core.text import nearest

Spec = TypeVar("Spec")
BUILDERS = ("build", "build_gpu", "bind", "open")
"""What returns an object that is called in turn."""
LOADING_S = 60.0
"""A plugin may take so long to be imported."""


def built_in(package: str, kind: type[Spec]) -> Iterator[Spec]:
    """Yield the ``SPEC`` of each module of ``package`` that has one, sorted by module name. A module that defines
    several parts has a tuple as its ``SPEC``. ``*_gpu`` modules are skipped: they hold a part's GPU code."""
    for module in iter_modules(import_module(package).__path__):
        if module.name.endswith("_gpu"):
            continue
        found = getattr(import_module(f"{package}.{module.name}"), "SPEC", ())
        for spec in found if isinstance(found, tuple) else (found,):
            if isinstance(spec, kind):
                yield spec


def plugin_names(group: str) -> tuple[str, ...]:
    """Return the names of all plugins in a group, sorted, without importing them."""
    return tuple(sorted(point.name for point in _entry_points(group)))


def plugin_folders(group: str) -> Iterator[Path]:
    """Yield the folders of the packages that a group points to, without importing them, but for the packages around
    one with a dotted name. Raises UsageError for one that cannot be loaded."""
    points = {point.value: point for point in _entry_points(group)}
    for value in sorted(points):
        with _loading(points[value]):
            spec = find_spec(value)
        yield from map(Path, (spec.submodule_search_locations or ()) if spec is not None else ())


def plugins(group: str, kind: type[Spec]) -> Iterator[Spec]:
    """Yield every plugin's spec. Raises UsageError for one that cannot be loaded."""
    for name in plugin_names(group):
        yield plugin(group, name, kind)


def plugin(group: str, name: str, kind: type[Spec], *, built_in: Sequence[str] = ()) -> Spec:
    """Return the spec of a plugin. ``built_in``: names of built-in parts, for the error message. Raises UsageError
    when no plugin has that name or it cannot be loaded."""
    for point in _entry_points(group):
        if point.name == name:
            return _load(point, group, kind)
    offered = (*built_in, *plugin_names(group))
    near = nearest(name, offered)
    raise UsageError(
        f"unknown name {name!r} in {group.removeprefix('rtswap.')}",
        expected=", ".join(offered) or "the name of an installed plugin",
        do=f"Did you mean {near}?" if near else "Install the plugin into the environment that rtswap runs in.",
    )


@contextmanager
def _loading(point: Any) -> Iterator[str]:
    """Import a plugin in the block, which is given its name. Raises UsageError for whatever its code raises."""
    package = point.dist.name if point.dist else point.value
    name = f"the plugin {point.name} of the package {package}"
    try:
        with time_limit(LOADING_S):
            yield name
    except (Exception, SystemExit) as error:
        raise UsageError(f"cannot load {name}", got=_kind_and_reason(error)) from error


def _load(point: Any, group: str, kind: type[Spec]) -> Spec:
    with _loading(point) as name:
        spec = point.load()
    if not isinstance(spec, kind):
        raise UsageError(
            f"{name} is not a {kind.__name__}",
            expected=f"an entry point of the group {group} whose value is a {kind.__name__}",
            got=type(spec).__name__,
        )
    own = _Named(name, {"rtswap.inputs": InputError, "rtswap.outputs": OutputError}.get(group, ModelError))
    parts = {field.name: getattr(spec, field.name) for field in fields(spec)}  # type: ignore[arg-type]
    called = {name: own.call(name, value) for name, value in parts.items() if callable(value)}
    return replace(spec, **called)  # type: ignore[type-var]


@dataclass(frozen=True)
class _Named:
    """Wraps what a plugin consists of, so that its failures name it."""

    name: str
    error: type[RtswapError]

    @contextmanager
    def failing(self, what: str) -> Iterator[None]:
        """Raise ``error`` for whatever the block raises, but for errors that are messages already and Ctrl-C."""
        try:
            yield
        except RtswapError:
            raise
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            if isinstance(error, KeyboardInterrupt) and current_thread() is main_thread():
                raise  # Ctrl-C reaches the main thread alone
            do = "Run again with --debug for a traceback."
            raise self.error(f"{self.name} failed in {what}", got=_kind_and_reason(error), do=do) from error

    def call(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """``function``; what it builds is wrapped, too."""

        @wraps(function)
        def called(*given: Any, **options: Any) -> Any:
            with self.failing(name):
                found = function(*given, **options)
                if name in BUILDERS and found is None:
                    raise TypeError("it returned None")
                if name == "frames":
                    return self.frames(iter(found))
            return self.part(found) if name in BUILDERS else found

        return called

    def part(self, part: Any) -> Any:
        """An object with the same public names, which its own class knows as one of its own. They are real
        attributes, as the protocols of parts ask for them."""

        def read(name: str) -> Any:
            with self.failing(name):
                value = getattr(part, name)
            return self.call(name, value) if callable(value) else value

        def other(_: object, name: str) -> Any:
            if not hasattr(part, name):
                missing: Any = type("Missing", (self.error, AttributeError), {})  # so that hasattr says no
                raise missing(f"{self.name} does not work", got=f"a {type(part).__name__} without {name}")
            return read(name)

        def member(name: str) -> property:
            return property(lambda _: read(name), lambda _, value: setattr(part, name, value))

        members: dict[str, Any] = {name: member(name) for name in dir(part) if not name.startswith("_")}
        members |= {"__getattr__": other, "__class__": property(lambda _: type(part))}
        return type(type(part).__name__, (), members)()

    def frames(self, given: Iterator[Any]) -> Iterator[Any]:
        """The frames of an input."""
        from rtswap.core.own_pictures import own  # slow to import, and --help must be fast
        from rtswap.core.types import Frame

        end = object()
        while True:
            with self.failing("frames"):
                frame = next(given, end)
                if not isinstance(frame, Frame) and frame is not end:
                    raise TypeError(f"expected a Frame, got a {type(frame).__name__}")
            if not isinstance(frame, Frame):
                return
            yield own(frame)


def _kind_and_reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {reason(error)}"


def _entry_points(group: str) -> Any:
    from importlib.metadata import entry_points  # slow to import, and --help must be fast

    return entry_points(group=group)
