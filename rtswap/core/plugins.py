"""How parts are found: rtswap's own by the modules of a package, other people's by entry points."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, TypeVar

from rtswap.core.errors import UsageError
from rtswap.core.text import nearest

Spec = TypeVar("Spec")


def built_in(package: str, kind: type[Spec]) -> Iterator[Spec]:
    """The ``SPEC`` of each module of ``package`` that has one, in the order of their names. Where one file serves
    several names its ``SPEC`` is a tuple. ``*_gpu`` modules are left out: they are a part's GPU half."""
    for module in iter_modules(import_module(package).__path__):
        if module.name.endswith("_gpu"):
            continue
        found = getattr(import_module(f"{package}.{module.name}"), "SPEC", ())
        for spec in found if isinstance(found, tuple) else (found,):
            if isinstance(spec, kind):
                yield spec


def plugin_names(group: str) -> tuple[str, ...]:
    """What other packages offer. Imports none of them."""
    return tuple(sorted(point.name for point in _entry_points(group)))


def plugins(group: str, kind: type[Spec]) -> Iterator[Spec]:
    """Every part that other packages offer. Raises UsageError for one that does not load."""
    for name in plugin_names(group):
        yield plugin(group, name, kind)


def plugin(group: str, name: str, kind: type[Spec], *, built_in: Sequence[str] = ()) -> Spec:
    """Another package's part. ``built_in``: names of rtswap's own, for the message. Raises UsageError where there is
    none of that name, or it does not load."""
    for point in _entry_points(group):
        if point.name == name:
            return _load(point, group, kind)
    offered = (*built_in, *plugin_names(group))
    near = nearest(name, offered)
    raise UsageError(
        f"none of the {group.removeprefix('rtswap.')} is called {name!r}",
        expected=", ".join(offered) or "the name of an installed package's part",
        do=f"Did you mean {near}?" if near else "Install it into the environment that rtswap runs in.",
    )


def _load(point: Any, group: str, kind: type[Spec]) -> Spec:
    package = point.dist.name if point.dist else point.value
    try:
        spec = point.load()
    except Exception as error:
        got = f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"
        raise UsageError(f"the part {point.name} of the package {package} does not load", got=got) from error
    if not isinstance(spec, kind):
        raise UsageError(
            f"the part {point.name} of the package {package} has no {kind.__name__}",
            expected=f"an entry point of the group {group} that names a {kind.__name__}",
            got=type(spec).__name__,
        )
    return spec


def _entry_points(group: str) -> Any:
    from importlib.metadata import entry_points  # slow to import, and the help must come at once

    return entry_points(group=group)
