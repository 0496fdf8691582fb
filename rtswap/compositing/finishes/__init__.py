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


def find_finishes(named: Sequence[str | FinishSpec]) -> tuple[FinishSpec, ...]:
    """Finishes of other packages by name; specs are returned unchanged. Raises UsageError for an unknown name."""
    return tuple(spec if isinstance(spec, FinishSpec) else plugin(GROUP, spec, FinishSpec) for spec in named)


def enabled_finishes(context: BuildContext, others: Sequence[FinishSpec] = ()) -> tuple[FinishSpec, ...]:
    """The finishes that the settings enable, and the ``others``, in order of application: by stage, rtswap's own
    first."""
    own = [spec for spec in built_in_finishes() if spec.enabled is not None and spec.enabled(context)]
    stages = get_args(Stage)
    return tuple(sorted((*own, *others), key=lambda spec: stages.index(spec.stage)))
