"""Torch for the engines, and what it says of the machine's GPU."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rtswap.core.errors import EngineError, reason
from rtswap.gpu.torch_import import load_torch

__all__ = ["Card", "find_card", "load_torch"]

DEVICE = "cuda"
"""Where the engines for a GPU keep their tensors. Tests without a GPU put ``cpu`` here."""


@dataclass(frozen=True, slots=True)
class Card:
    """The GPU that torch would use."""

    name: str
    capability: str
    """``8.9``"""
    memory_gib: float
    cuda: str
    """Version of CUDA that torch was built for."""

    def __str__(self) -> str:
        return f"{self.name}, compute capability {self.capability}"


def find_card(torch: Any) -> Card:
    """The current CUDA device. Raises EngineError with the reason where there is none."""
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
    return Card(found.name, f"{found.major}.{found.minor}", found.total_memory / 2**30, str(torch.version.cuda))
