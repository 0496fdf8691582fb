"""TensorBoard logs of a training, where TensorBoard is installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def open_board(folder: Path) -> Any:
    """A ``SummaryWriter`` into ``folder``; None without TensorBoard."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder))
