"""Where things are, for tests that read files of the repository."""

from pathlib import Path

HELPERS = Path(__file__).resolve().parent
ROOT = HELPERS.parents[1]
ASSETS = ROOT / "rtswap" / "assets"
