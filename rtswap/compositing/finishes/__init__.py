"""Steps between swap and paste: one file each, exporting one ``SPEC``; GPU versions are in ``*_gpu.py``."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import get_args

from rtswap.core.parts import BuildContext, FinishSpec, Stage
from rtswap.core.plugins import built_in, plugin

GROUP = "rtswap.finishes"
"""Entry point group for finishes of other packages."""


@cache
def built_in_finishes() -> tuple[FinishSpec, ...]:
    """The finishes that come with rtswap."""
    return tuple(built_in("rtswap.compositing.finishes", FinishSpec))


def optional_finishes() -> dict[str, FinishSpec]:
    """The finishes that come with rtswap and that no setting but ``--finish NAME`` turns on, by name."""
    return {spec.name: spec for spec in built_in_finishes() if spec.enabled is None}


def find_finishes(named: Sequence[str | FinishSpec]) -> tuple[FinishSpec, ...]:
    """Finishes by the names that ``--finish`` takes; specs are returned unchanged. Raises UsageError for an unknown
    name."""
    return tuple(spec if isinstance(spec, FinishSpec) else _find(spec) for spec in named)


def _find(name: str) -> FinishSpec:
    ours = optional_finishes()
    return ours[name] if name in ours else plugin(GROUP, name, FinishSpec, built_in=tuple(ours))


def enabled_finishes(context: BuildContext, others: Sequence[FinishSpec] = ()) -> tuple[FinishSpec, ...]:
    """The finishes that the settings enable, and the ``others``, in order of application: by stage, those that the
    settings enable first."""
    own = [spec for spec in built_in_finishes() if spec.enabled is not None and spec.enabled(context)]
    stages = get_args(Stage)
    return tuple(sorted((*own, *others), key=lambda spec: stages.index(spec.stage)))
