"""``python -m rtswap``."""

import sys

from rtswap.isolated import trusted

if __name__ == "__main__":
    sys.path[:] = trusted(sys.path)  # `python -m` put the working folder first: nothing may be imported before

    from rtswap.cli import main

    sys.exit(main())
