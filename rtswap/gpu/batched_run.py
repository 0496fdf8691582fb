"""Run a network on device tensors in batches of faces, without synchronising with the host."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from rtswap.core.errors import ModelError
from rtswap.core.protocols import Engine
from rtswap.gpu.resample import Tensor, uploaded
from rtswap.gpu.torch_import import load_torch

torch = load_torch()

MOST = 16
"""Maximum batch size, in faces; the largest that plans are built for."""

Run = Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]]


def run_of(engine: Engine) -> Run:
    """Return the engine's ``run_on_device``; if it has none, a function that copies the tensors to the host and back,
    which synchronises."""
    there: Run | None = getattr(engine, "run_on_device", None)
    if there is not None:
        return there

    def over_the_host(inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        device = next(iter(inputs.values())).device
        given = {name: np.ascontiguousarray(tensor.cpu().numpy()) for name, tensor in inputs.items()}
        return {name: uploaded(values, device) for name, values in engine.run(given).items()}

    return over_the_host


def run_batched(network: str, run: Run, inputs: Mapping[str, Tensor], output: str, shape: Sequence[int]) -> Tensor:
    """Return the network's ``output`` (N, *``shape``) for ``inputs`` (N, ...), valid until its next run. Batches are
    padded to powers of two, so that few shapes occur. Raises ModelError if ``output`` has another shape, and
    EngineError."""
    total, found = len(next(iter(inputs.values()))), []
    for begin in range(0, total, MOST):
        count = min(MOST, total - begin)
        rows = [min(row, count - 1) + begin for row in range(1 << (count - 1).bit_length())]  # the last one repeated
        batch = inputs
        if rows != list(range(total)):
            batch = {name: torch.stack([one[row] for row in rows]) for name, one in inputs.items()}
        said, expected = run(batch).get(output), (len(rows), *shape)
        if said is None or tuple(said.shape) != expected:
            got = "nothing" if said is None else str(tuple(said.shape))
            what = f"the {network} network's output '{output}' has the wrong shape"
            raise ModelError(what, expected=str(expected), got=got)
        found.append(said[:count] if total <= MOST else said[:count].clone())
    return found[0] if len(found) == 1 else torch.cat(found)
