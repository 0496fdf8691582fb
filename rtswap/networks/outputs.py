"""Check what rtswap's own networks return."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rtswap.core.errors import ModelError
from rtswap.core.types import Tensor


def check_output(
    outputs: Mapping[str, Tensor], name: str, shape: tuple[int, ...], *, of: str, recipe: str, varied: bool = False
) -> Tensor:
    """One output of a network. ``of``: the network, for messages; ``recipe``: the folder in ``training/`` that
    exports it; ``varied``: the same value everywhere in a map (1, C, H, W) is wrong. Raises ModelError."""
    found = outputs.get(name)
    if found is None:
        got = "nothing"
    elif found.shape != shape:
        got = str(found.shape)
    elif not np.isfinite(found).all():
        got = "values that are not finite"
    elif varied and found[0, 0].size > 1 and np.ptp(found[0].reshape(shape[1], -1), axis=1).max() == 0:
        got = "one value everywhere"
    else:
        return found
    raise ModelError(
        f"{of}'s output {name!r} is wrong",
        expected=f"finite values{' that differ' if varied else ''}, {shape}",
        got=got,
        do=f"Reinstall rtswap, or export the network again with python -m training.{recipe}.export.",
    )
