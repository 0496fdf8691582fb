"""Torch for the engines, and what it says of the machine's GPU."""

from __future__ import annotations

from typing import Any

from rtswap.core.errors import EngineError, reason
from rtswap.gpu.driver import Gpu
from rtswap.gpu.torch_import import load_torch

__all__ = ["find_card", "load_torch"]

DEVICE = "cuda"
"""Where the engines for a GPU keep their tensors. Tests without a GPU put ``cpu`` here."""


def find_card(torch: Any) -> Gpu:
    """The card that torch would use. Raises EngineError with the reason where there is none."""
    if torch.version.cuda is None:
        raise EngineError(
            "this PyTorch was built without CUDA", got=str(torch.__version__), do="Install PyTorch for CUDA."
        )
    try:
        found = torch.cuda.get_device_properties(torch.cuda.current_device()) if torch.cuda.is_available() else None
    except (RuntimeError, AssertionError) as error:
        raise EngineError("CUDA does not start", got=reason(error)) from error
    if found is None:
        raise EngineError("PyTorch sees no CUDA GPU", do="`nvidia-smi` must list one; check the driver.")
    return Gpu(found.name, f"{found.major}.{found.minor}", found.total_memory / 2**30, str(torch.version.cuda))
