"""Discover parts: built-in ones as modules of a package, plugins through entry points."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, TypeVar

from rtswap.core.errors import UsageError
from rtswap.core.text import nearest

Spec = TypeVar("Spec")


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


def plugin_values(group: str) -> tuple[str, ...]:
    """Return what the entry points of a group point to, sorted, without importing it."""
    return tuple(sorted({point.value for point in _entry_points(group)}))


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


def _load(point: Any, group: str, kind: type[Spec]) -> Spec:
    package = point.dist.name if point.dist else point.value
    try:
        spec = point.load()
    except Exception as error:
        got = f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"
        raise UsageError(f"cannot load the plugin {point.name} of the package {package}", got=got) from error
    if not isinstance(spec, kind):
        raise UsageError(
            f"the plugin {point.name} of the package {package} is not a {kind.__name__}",
            expected=f"an entry point of the group {group} whose value is a {kind.__name__}",
            got=type(spec).__name__,
        )
    return spec


def _entry_points(group: str) -> Any:
    from importlib.metadata import entry_points  # slow to import, and --help must be fast

    return entry_points(group=group)
