"""The steps between swap and paste: a file each, with one ``SPEC``; its GPU half beside it, in ``*_gpu.py``."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import get_args

from rtswap.core.parts import BuildContext, FinishSpec, Stage
from rtswap.core.plugins import built_in, plugin, plugin_names

GROUP = "rtswap.finishes"
"""Entry points of other packages' finishes."""


@cache
def built_in_finishes() -> tuple[FinishSpec, ...]:
    """Those that come with rtswap."""
    return tuple(built_in("rtswap.compositing.finishes", FinishSpec))


def finish_names() -> tuple[str, ...]:
    """All that ``--finish`` takes. Imports none of them."""
    return plugin_names(GROUP)


def enabled_finishes(context: BuildContext, named: Sequence[str | FinishSpec] = ()) -> tuple[FinishSpec, ...]:
    """Those that the settings turn on and those ``named``, in the order in which they are applied: by stage, then
    rtswap's own before others, then by name. Raises UsageError for a name that nobody offers."""
    own = [spec for spec in built_in_finishes() if spec.enabled is not None and spec.enabled(context)]
    others = [spec if isinstance(spec, FinishSpec) else plugin(GROUP, spec, FinishSpec) for spec in named]
    stages = get_args(Stage)
    return tuple(sorted((*own, *others), key=lambda spec: stages.index(spec.stage)))
