"""The steps between swap and paste: a file each, with one ``SPEC``; its GPU half beside it, in ``*_gpu.py``."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import get_args

from rtswap.core.parts import BuildContext, FinishSpec, Stage
from rtswap.core.plugins import built_in, plugin

GROUP = "rtswap.finishes"
"""Entry points of other packages' finishes."""


@cache
def built_in_finishes() -> tuple[FinishSpec, ...]:
    """Those that come with rtswap."""
    return tuple(built_in("rtswap.compositing.finishes", FinishSpec))


def named_finishes(named: Sequence[str | FinishSpec]) -> tuple[FinishSpec, ...]:
    """Other packages' finishes by name; a spec stands for itself. Raises UsageError for a name that nobody offers."""
    return tuple(spec if isinstance(spec, FinishSpec) else plugin(GROUP, spec, FinishSpec) for spec in named)


def enabled_finishes(context: BuildContext, others: Sequence[FinishSpec] = ()) -> tuple[FinishSpec, ...]:
    """Those that the settings turn on and the ``others``, in the order in which they are applied: by stage, rtswap's
    own first."""
    own = [spec for spec in built_in_finishes() if spec.enabled is not None and spec.enabled(context)]
    stages = get_args(Stage)
    return tuple(sorted((*own, *others), key=lambda spec: stages.index(spec.stage)))
