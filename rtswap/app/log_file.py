"""The log file of a run, ``--log FILE``: what is printed, with the time, and the traceback of an internal error."""

from __future__ import annotations

import platform
import re
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from rtswap.core.errors import OutputError, RtswapError, reason
from rtswap.core.files import open_to_append
from rtswap.core.text import printable
from rtswap.core.urls import hide_secrets
from rtswap.core.version import __version__

_OURS = re.compile(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ")
"""How a line of a log begins."""


class LogFile:
    """Appends lines to a file, each complete at once. A full disk gives one warning and stops nothing. Raises
    OutputError if the file cannot be opened, or is not a log."""

    def __init__(self, path: Path, *, warn: Callable[[str], None], given: Sequence[str] = ()) -> None:
        """``given``: what may hold addresses, whose secrets are not written."""
        self._path, self._warn, self._given = path, warn, given
        try:
            self._file = open_to_append(path, _OURS, "a log of rtswap")
        except OSError as error:
            raise OutputError(
                f"cannot write the log {path}", got=reason(error), do="Choose another file for --log."
            ) from None
        self.write(f"rtswap {__version__}, Python {platform.python_version()}, {platform.platform()}")

    def write(self, text: str) -> None:
        """Append one line with the local date and time; line breaks in ``text`` become further lines."""
        at = time.strftime("%Y-%m-%d %H:%M:%S")
        lines = "".join(f"{at} {printable(line)}\n" for line in hide_secrets(text, self._given).split("\n"))
        try:
            if not self._file.closed:
                self._file.write(lines.encode(errors="backslashreplace"))
        except OSError as error:
            self._file.close()
            self._warn(f"cannot write the log {self._path} ({reason(error)}); continuing without it")

    def end(self, error: BaseException | None) -> None:
        """Append what ended the run, and close the file."""
        if isinstance(error, RtswapError):
            self.write(f"error: {error}")
        elif isinstance(error, KeyboardInterrupt):
            self.write("interrupted")
        elif error is not None:
            self.write("".join(traceback.format_exception(error)).rstrip())
        self._file.close()
