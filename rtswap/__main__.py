"""``python -m rtswap``."""

import sys

from rtswap.core.isolation import trusted

if __name__ == "__main__":
    sys.path[:] = trusted(sys.path)  # `python -m` put the working folder first: nothing may be imported before

    from rtswap.commands.main import run_process

    run_process()
