"""``python -m rtswap``."""

import sys

from rtswap.cli import main

if __name__ == "__main__":
    sys.exit(main())
