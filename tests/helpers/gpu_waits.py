"""Detect operations that would make the host wait for a GPU, without a GPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

COPIES = {name: getattr(torch.Tensor, name) for name in ("cpu", "tolist")}


def refuse(*_: Any, **__: Any) -> None:
    raise AssertionError("a copy to the host waits for the GPU")


@contextmanager
def forbid_waiting() -> Iterator[None]:
    """Raises where the host would wait for a GPU."""
    with NoNumbers(), pytest.MonkeyPatch.context() as patch:
        for name in COPIES:
            patch.setattr(torch.Tensor, name, refuse)
        yield


class NoNumbers(TorchDispatchMode):
    """Raises at operations whose result the host needs: a number, or a shape that depends on values."""

    WAITING = ("_local_scalar_dense", "nonzero", "masked_select", "is_nonzero", "equal", "unique", "_linalg")

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = str(func)
        indices = args[1] if name.startswith("aten.index") and len(args) > 1 else ()
        by_mask = isinstance(indices, list) and any(one is not None and one.dtype == torch.bool for one in indices)
        if by_mask or any(word in name for word in self.WAITING):
            raise AssertionError(f"{name} waits for the GPU")
        return func(*args, **(kwargs or {}))
