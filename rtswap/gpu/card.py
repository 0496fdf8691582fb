"""Find the GPU that torch uses."""

from __future__ import annotations

from typing import Any

from rtswap.core.errors import EngineError, reason
from rtswap.gpu.driver import Gpu
from rtswap.gpu.torch_import import load_torch

__all__ = ["find_card", "load_torch"]

DEVICE = "cuda"
"""The torch device of the GPU engines. Tests without a GPU set it to ``cpu``."""


def find_card(torch: Any) -> Gpu:
    """Return the GPU that torch uses. Raises EngineError with the reason if there is none."""
    if torch.version.cuda is None:
        raise EngineError(
            "this PyTorch was built without CUDA", got=str(torch.__version__), do="Install PyTorch for CUDA."
        )
    try:
        found = torch.cuda.get_device_properties(torch.cuda.current_device()) if torch.cuda.is_available() else None
    except (RuntimeError, AssertionError) as error:
        raise EngineError("cannot initialise CUDA", got=reason(error)) from error
    if found is None:
        raise EngineError("PyTorch finds no CUDA GPU", do="Check the driver: `nvidia-smi` must list a GPU.")
    return Gpu(found.name, f"{found.major}.{found.minor}", found.total_memory / 2**30, str(torch.version.cuda))
