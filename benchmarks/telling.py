"""What a benchmark found, on the screen and in a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def tell(figures: Mapping[str, Any], path: Path | None, *, unprinted: str = "") -> None:
    """Everything goes to ``path``, where there is one; all but ``unprinted`` to the screen."""
    print(json.dumps({name: value for name, value in figures.items() if name != unprinted}, indent=1))
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
