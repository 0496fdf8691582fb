"""The flags that benchmarks with a landmark judge share."""

from __future__ import annotations

import argparse
from pathlib import Path


def arguments_of(doc: str | None) -> argparse.Namespace:
    """Parse ``clips``, ``source``, ``teacher`` and ``out`` of a benchmark with this docstring."""
    parser = argparse.ArgumentParser(description=(doc or "").split("\n")[0])
    parser.add_argument("--clips", type=Path, required=True)
    parser.add_argument("--source", type=Path, nargs="+", required=True)
    parser.add_argument("--teacher", type=Path)
    parser.add_argument("--out", type=Path)
    return parser.parse_args()
