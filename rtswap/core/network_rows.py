"""The rows of all networks: those of ``assets/networks.toml`` and those of installed plugins.

A plugin adds networks by an entry point of the group ``rtswap.networks`` whose value is a package with a
``networks.toml`` of its own. Files that its rows name as ``asset`` lie beside it. The package is not imported, but
for those around it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from rtswap.core.errors import ModelError, reason
from rtswap.core.files import read_regular
from rtswap.core.plugins import plugin_folders

GROUP = "rtswap.networks"
"""Entry point group for networks of other packages."""
FILE = "networks.toml"


@cache
def network_rows() -> Mapping[str, Mapping[str, Any]]:
    """Return network name -> its row, with ``folder`` added: where its asset lies. Raises ModelError, UsageError."""
    rows: dict[str, Mapping[str, Any]] = {}
    for folder in _folders():
        for name, row in read_rows(folder).items():
            if name in rows:
                raise ModelError(
                    f"the network {name} is listed twice", got=f"{rows[name]['folder'] / FILE} and {folder / FILE}"
                )
            rows[name] = row
    return rows


def read_rows(folder: Path) -> dict[str, Mapping[str, Any]]:
    """Return the rows of the ``networks.toml`` in ``folder``. Raises ModelError."""
    path = folder / FILE
    try:
        tables = tomllib.loads(read_regular(path).decode())
        return {name: {**table, "folder": folder} for name, table in tables.items()}
    except (OSError, ValueError, TypeError) as error:
        raise ModelError(f"cannot read the networks in {path}", got=reason(error)) from error


def _folders() -> Iterator[Path]:
    yield Path(str(resources.files("rtswap").joinpath("assets")))
    yield from plugin_folders(GROUP)
