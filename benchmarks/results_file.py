"""Print the results of a benchmark and write them to a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def tell(figures: Mapping[str, Any], path: Path | None, *, unprinted: str = "") -> None:
    """Write all results to ``path``, if given; print all but ``unprinted``."""
    print(json.dumps({name: value for name, value in figures.items() if name != unprinted}, indent=1))
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
