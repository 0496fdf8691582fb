"""Import torch on demand; no other module imports it directly."""

from __future__ import annotations

from typing import Any

from rtswap.core.errors import EngineError, reason
from rtswap.core.interrupts import hold_interrupts
from rtswap.core.isolation import pip_install

INSTALL = pip_install("rtswap[gpu]")


def load_torch() -> Any:
    """Return the torch module. Raises EngineError if it is not installed or cannot be loaded."""
    try:
        with hold_interrupts():
            import torch
    except (ImportError, OSError, RuntimeError) as error:
        raise EngineError("PyTorch is not installed", got=reason(error), do=f"Run: {INSTALL}") from error
    return torch


def copy_all(targets: list[Any], sources: list[Any]) -> None:
    """Copy each source into its target, asynchronously and with as few kernels as possible."""
    import torch

    torch._foreach_copy_(targets, sources, non_blocking=True)
