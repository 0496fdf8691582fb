"""The one file that imports torch, and only when somebody asks for it."""

from __future__ import annotations

from typing import Any

from rtswap.core.errors import EngineError, reason

INSTALL = 'pip install "rtswap[gpu]"'


def load_torch() -> Any:
    """The module. Raises EngineError where it is not installed or does not load."""
    try:
        import torch
    except (ImportError, OSError, RuntimeError) as error:
        raise EngineError("PyTorch is not installed", got=reason(error), do=f"Run: {INSTALL}") from error
    return torch


def copy_all(targets: list[Any], sources: list[Any]) -> None:
    """Each of ``sources`` into its target, with as few kernels as torch can do with; nobody waits."""
    import torch

    torch._foreach_copy_(targets, sources, non_blocking=True)
