"""Parse the command line, run the command and turn errors into exit codes.

Exit codes: 0 done (also when Ctrl-C, SIGTERM or SIGHUP ended a run: the files are complete), 1 an error while
running, 2 invalid flag, configuration or photo, 130 interrupted before anything ran or a second time, 141 the reader
of stdout went away.
"""

from __future__ import annotations

import errno
import os
import sys
import threading
import warnings
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from io import TextIOWrapper
from itertools import pairwise
from types import TracebackType
from typing import NoReturn

from rtswap.commands import COMMANDS
from rtswap.core.errors import RtswapError, UsageError
from rtswap.core.interrupts import ignore_signals, raise_on_signals
from rtswap.core.isolation import PICTURE_LIMIT
from rtswap.core.memory import limit_memory
from rtswap.core.text import nearest
from rtswap.core.urls import hide_secrets
from rtswap.runtime.second_signal import end_at_second_signal

EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. Print every RtswapError as one line on stderr."""
    args = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in args
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # file names may hold bytes that are no UTF-8; in JSON it stays JSON
            stream.reconfigure(errors="backslashreplace")
    sys.excepthook = partial(_defect, args)
    try:
        code = _dispatch(args)
        if sys.stdout is not None:
            sys.stdout.flush()
    except RtswapError as error:
        given, trace = _given(args), _trace() if debug else ""
        _say(hide_secrets(f"rtswap: {error}", given), hide_secrets(trace, given))
        return error.exit_code
    except (MemoryError, BlockingIOError, RuntimeError) as error:  # the last two where no thread can be started
        if isinstance(error.__cause__, KeyboardInterrupt):  # while a class was made, as Python before 3.12 says it
            return EXIT_INTERRUPTED
        if isinstance(error, RuntimeError) and "start new thread" not in str(error):
            raise
        _say("rtswap: the system gives no more memory or threads. Close other programs.", _trace() if debug else "")
        return 1
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return EXIT_BROKEN_PIPE
    except OSError as error:
        if error.errno not in (errno.EMFILE, errno.ENFILE):
            raise
        _say("rtswap: the system opens no more files. Raise the limit: ulimit -n 1024", _trace() if debug else "")
        return 1
    return code


def run_process() -> NoReturn:
    """Run the command of this process and exit.

    A thread that hangs in native code cannot be ended: Python would abort at its exit (SIGABRT, before 3.14). So the
    process then ends without Python's clean-up, after what it does in order has been done.
    """
    _fill_closed_handles()
    os.environ.pop("PYTHONINSPECT", None)  # with it a child would run what is left in its standard input
    if not sys.warnoptions:  # a picture makes Pillow say 80,000 lines
        warnings.simplefilter("ignore")
    limit_memory()
    end_at_second_signal(EXIT_INTERRUPTED)
    try:
        code = main()
    except KeyboardInterrupt:
        code = EXIT_INTERRUPTED
    ignore_signals()
    eval("None")  # clears an interrupt in exec(), as of dataclasses, for which CPython would end by SIGINT
    hangs = any(thread.name.startswith("rtswap-") for thread in threading.enumerate())
    if not hangs and not sys.flags.inspect:  # with PYTHONINSPECT Python would go on with a prompt, and lose the code
        sys.exit(code)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)


def _fill_closed_handles() -> None:
    """Open the standard handles that whoever started this program has closed: else the next file gets the number, and
    what native code prints goes into it."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free


def _dispatch(args: list[str]) -> int:
    raise_on_signals()
    _check_folder()
    # Without it OpenCV waits 10 s for an unplugged camera; it reads the variable on first import.
    os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "2")
    os.environ.update([PICTURE_LIMIT])  # many have set another one for all programs
    if args and args[0] in ("help", "version") and not os.path.exists(args[0]):
        args = ["--version"] if args[0] == "version" else [*_command_named(args[1:]), "--help"]
    if args[:1] in (["-h"], ["--help"]) and args[1:2] and args[1] in COMMANDS:
        args = [args[1], "--help"]
    if args and args[0] and args[0] in COMMANDS:
        command, rest = COMMANDS[args[0]], args[1:]
    else:
        command, rest = COMMANDS[""], args
    parser = command.parser()
    try:
        flags = parser.read(rest)
    except SystemExit as done:  # --help and --version
        return int(done.code or 0)
    return command.run(flags)


def _check_folder() -> None:
    """Raise UsageError if the working folder was deleted: no path could be made of a name."""
    try:
        os.getcwd()
    except OSError:
        raise UsageError("the working folder no longer exists", do="Change to another one: cd ~") from None


def _command_named(words: list[str]) -> list[str]:
    """Return ``words``; none for ``help`` itself. Raises UsageError if they name no command."""
    if words[:1] in (["help"], ["version"]):
        return []
    if words and words[0] not in COMMANDS and not words[0].startswith("-"):
        near = nearest(words[0], COMMANDS)
        raise UsageError(
            f"no such command: {words[0]!r}", do=f"Did you mean {near}?" if near else "`rtswap help` lists them."
        )
    return words


def _trace(error: BaseException | None = None) -> str:
    import traceback

    return traceback.format_exc() if error is None else "".join(traceback.format_exception(error))


def _defect(args: list[str], kind: type[BaseException], error: BaseException, _: TracebackType | None) -> None:
    """Report an internal error in one line, with the traceback or how to see it."""
    line = str(error).splitlines()[0] if str(error) else "no message"
    line = f"rtswap: internal error: {kind.__name__}: {line}. This is a bug"
    given = _given(args)
    if "--debug" in args:
        _say(hide_secrets(f"{line}.", given), hide_secrets(_trace(error), given))
    else:
        _say(hide_secrets(f"{line}; run again with --debug for a traceback.", given))


def _given(args: list[str]) -> list[str]:
    """What may hold addresses with secrets: arguments, and what the settings' files say."""
    from rtswap.app.config_file import files_read, texts_in

    named = [after for word, after in pairwise(args) if word == "--config"]
    named += [word.removeprefix("--config=") for word in args if word.startswith("--config=")]
    with suppress(OSError, ValueError, RtswapError):  # the last for a user without a home
        return [*args, *texts_in(files_read(named[-1] if named else None))]
    return args


def _say(line: str, trace: str = "") -> None:
    from rtswap.app.console import print_error

    print_error(line, trace)
