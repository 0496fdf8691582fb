"""Build TensorRT plans, as ``rtswap build`` does: ``python scripts/build_engines.py --help``."""

from __future__ import annotations

import sys

from rtswap.cli import main

if __name__ == "__main__":
    sys.exit(main(["build", *sys.argv[1:]]))
