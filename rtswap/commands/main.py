"""The command line: flags become a ``Config``, which goes to ``assemble``. No logic, and nothing slow is imported
before it is needed.

Exit codes: 0 done (also when Ctrl-C or SIGTERM ended a run: the files are complete), 1 it went wrong while
running, 2 what was asked for cannot be meant, 130 interrupted before anything ran, 141 nobody reads stdout.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from types import TracebackType

from rtswap.commands import COMMANDS
from rtswap.core.errors import RtswapError

EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. Every RtswapError becomes one line on stderr."""
    args = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in args
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # file names may hold bytes that are no UTF-8; in JSON it stays JSON
            stream.reconfigure(errors="backslashreplace")
    if not debug:
        sys.excepthook = _defect
    try:
        code = _dispatch(args)
        if sys.stdout is not None:
            sys.stdout.flush()
    except RtswapError as error:
        _say(f"rtswap: {error}", _trace() if debug else "")
        return error.exit_code
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return EXIT_BROKEN_PIPE
    return code


def _dispatch(args: list[str]) -> int:
    for number in (signal.SIGINT, signal.SIGTERM):  # SIGINT too: a shell's background jobs start with it ignored
        signal.signal(number, signal.default_int_handler)
    # OpenCV waits 10 s for an unplugged camera otherwise; it reads this when it is first imported.
    os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "2")
    if args and args[0] in COMMANDS:
        command, rest = COMMANDS[args[0]], args[1:]
    else:
        command, rest = COMMANDS[""], args
    parser = command.parser()
    try:
        flags = parser.read(rest)
    except SystemExit as done:  # --help and --version
        return int(done.code or 0)
    return command.run(flags)


def _trace() -> str:
    import traceback

    return traceback.format_exc()


def _defect(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """An error of ours, not of the user's: one line, and how to see more."""
    line = str(error).splitlines()[0] if str(error) else "no message"
    _say(f"rtswap: internal error: {kind.__name__}: {line}. This is a defect; run again with --debug to see where.")


def _say(line: str, trace: str = "") -> None:
    from rtswap.app.console import print_error

    print_error(line, trace)
