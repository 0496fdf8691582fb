"""Pad batches to a power of two and split those larger than a plan's maximum."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from rtswap.core.errors import EngineError
from rtswap.core.types import Tensor

Run = Callable[[Sequence[Tensor]], dict[str, Tensor]]


def run_in_pieces(tensors: Sequence[Tensor], least: int, most: int, run: Run) -> dict[str, Tensor]:
    """Run a batch of any size with ``run``, which is called only with batch sizes from ``batch_rung``.

    Padding repeats the last row and is removed from the results. Raises EngineError if the inputs' batch sizes
    differ.
    """
    count = tensors[0].shape[0]
    if any(tensor.shape[0] != count for tensor in tensors):
        raise EngineError(
            "the network's inputs have different batch sizes", got=" and ".join(str(one.shape[0]) for one in tensors)
        )
    pieces = []
    for first in range(0, count, most):
        found = _run_padded([tensor[first : first + most] for tensor in tensors], least, most, run)
        # the next piece may overwrite the same memory
        pieces.append({name: value.copy() for name, value in found.items()} if count > most else found)
    if len(pieces) == 1:
        return pieces[0]
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}


def batch_rung(count: int, least: int, most: int) -> int:
    """Return the batch size to run for ``count`` rows: the next power of two, within ``least`` and ``most``."""
    return min(most, max(least, 1 << (count - 1).bit_length()))


def _run_padded(tensors: Sequence[Tensor], least: int, most: int, run: Run) -> dict[str, Tensor]:
    count = tensors[0].shape[0]
    missing = batch_rung(count, least, most) - count
    if missing:
        tensors = [np.concatenate([one, np.repeat(one[-1:], missing, axis=0)]) for one in tensors]
    return {name: value[:count] for name, value in run(tensors).items()}
