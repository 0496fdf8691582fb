"""Run a command without a network: ``python tests/helpers/offline.py COMMAND ...``.

It gets a network namespace with a loopback device alone, so that whatever asks for another machine fails at once.
Where the kernel lends none, it says so and runs the command as it is.
"""

from __future__ import annotations

import os
import sys

from wire import enter


def main() -> None:
    try:
        enter(routed=False)
    except (OSError, AttributeError) as error:  # AttributeError: not Linux
        print(f"running with the network, since the kernel lends no namespace without: {error}", file=sys.stderr)
    os.execvp(sys.argv[1], sys.argv[1:])


if __name__ == "__main__":
    main()
