"""The one file that imports torch, and only when somebody asks for it."""

from __future__ import annotations

from typing import Any

from rtswap.core.errors import EngineError

INSTALL = 'pip install "rtswap[gpu]"'


def load_torch() -> Any:
    """The module. Raises EngineError where it is not installed or does not load."""
    try:
        import torch
    except (ImportError, OSError, RuntimeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise EngineError("PyTorch is not installed", got=reason, do=f"Run: {INSTALL}") from error
    return torch
