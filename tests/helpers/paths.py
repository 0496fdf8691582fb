"""Paths of the repository's files."""

from pathlib import Path

HELPERS = Path(__file__).resolve().parent
ROOT = HELPERS.parents[1]
ASSETS = ROOT / "rtswap" / "assets"
