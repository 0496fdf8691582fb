"""``python -m rtswap``, and the command ``rtswap``."""

import sys

from rtswap.core.isolation import leave_working_folder, trusted


def run() -> None:
    """Run the command of this process and exit; also where Ctrl-C comes while its modules are read."""
    leave_working_folder()
    try:
        from rtswap.commands.main import run_process
    except KeyboardInterrupt:
        sys.exit(130)
    run_process()


if __name__ == "__main__":
    sys.path[:] = trusted(sys.path)  # `python -m` put the working folder first: nothing may be imported before
    run()
