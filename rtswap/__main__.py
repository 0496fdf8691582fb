"""``python -m rtswap``."""

import sys

from rtswap.commands.main import main

if __name__ == "__main__":
    sys.exit(main())
