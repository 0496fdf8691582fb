"""The models that the user has imported: where they lie, and the rows of their networks.

A model is a folder with a ``networks.toml`` and the ONNX files that its rows name, like the networks of a plugin
(``network_rows``). ``rtswap models add`` writes it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from rtswap.core.errors import ModelError
from rtswap.core.network_rows import FILE, read_rows
from rtswap.core.user_folders import user_folder

ONE_SHOT = "one-shot"
"""Family of the systems that ``rtswap train`` made for any source."""


def models_folder() -> Path:
    """Return the folder of the imported models: ``RTSWAP_MODELS``, or ``models`` in the user's data folder."""
    return Path(os.environ.get("RTSWAP_MODELS") or user_folder("data") / "models")


def model_rows() -> Mapping[str, Mapping[str, Any]]:
    """Return network name -> its row, with ``folder`` added, of all imported models. A model whose rows cannot be
    read is left out: it must not keep others from running (``rtswap models`` reports it)."""
    return _rows(models_folder())


def forget_model_rows() -> None:
    """Read the rows again when they are next asked for: a model was added or removed."""
    _rows.cache_clear()


def model_folders(root: Path) -> list[Path]:
    """Return the folder of each imported model below ``root``, sorted by name."""
    try:
        return sorted(path.parent for path in root.glob(f"*/{FILE}") if not path.parent.name.startswith("."))
    except OSError:
        return []


@cache
def _rows(root: Path) -> Mapping[str, Mapping[str, Any]]:
    rows: dict[str, Mapping[str, Any]] = {}
    for folder in model_folders(root):
        try:
            rows |= read_rows(folder)
        except ModelError:
            continue
    return MappingProxyType(rows)
