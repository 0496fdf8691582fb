"""What the user sees while it runs: one status line that rewrites itself, events above it, a summary at the end.

Everything for people goes to stderr; stdout carries only what was asked for as data (``--json``). When stderr
is closed or its reader has gone, the console falls silent and the work goes on.
"""

from __future__ import annotations

import json as json_module
import math
import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, TextIO

PLAIN_EVERY_S = 10.0
"""Seconds between status lines where there is no terminal."""
REDRAW_EVERY_S = 0.1
BAR_CELLS = 24
_CLEAR = "\r\x1b[K"


class Console:
    """Prints for one run. The methods may be called from any thread: each makes a single write.

    ``quiet`` silences everything but errors and the JSON summary; ``json`` prints the summary as one JSON
    object on stdout. ``clock`` gives seconds.
    """

    def __init__(
        self,
        quiet: bool = False,
        json: bool = False,
        *,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.perf_counter,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self.quiet, self.json = quiet, json
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._live = _is_terminal(self._stream) and environ.get("TERM") != "dumb"
        self._color = self._live and not environ.get("NO_COLOR")
        self._line = ""
        self._last_event = ""
        self._drawn_at = -math.inf
        self._began_at: float | None = None

    def event(self, text: str) -> None:
        """Something that happened, on a line of its own above the status line; not repeated when it repeats."""
        text = printable(text)
        if self.quiet or text == self._last_event:
            return
        self._last_event = text
        if self._live:
            self._write(f"{_CLEAR}{text}\n{self._line}")
        else:
            self._write(f"{text}\n")

    def status(self, line: str) -> None:
        """Replace the status line. Call it as often as you like; without a terminal every 10 s are printed."""
        line, now = printable(line), self._clock()
        if self.quiet or now - self._drawn_at < (REDRAW_EVERY_S if self._live else PLAIN_EVERY_S):
            return
        self._drawn_at = now
        self._draw(line)

    def progress(self, done: int, total: int | None, line: str = "") -> None:
        """Like ``status``, with a bar and the time that is left. ``total`` None: not known beforehand."""
        now = self._clock()
        if self._began_at is None:
            self._began_at = now
        if not total:
            self.status(f"{done} frames  {line}")
            return
        share = min(1.0, done / total)
        text = f"{_bar(share)} {share:4.0%}  {done}/{total}{_remaining(now - self._began_at, share)}  {line}"
        if done >= total:
            self._drawn_at = -math.inf
        self.status(text.rstrip())

    def summary(self, result: Mapping[str, Any]) -> None:
        """What a run came to: JSON on stdout if asked for, otherwise lines for people."""
        self.finish()
        if self.json:
            print(json_module.dumps(_plain(result), ensure_ascii=False), flush=True)
        elif not self.quiet:
            rows = _flat(result)
            width = max((len(name) for name, _ in rows), default=0)
            self._write("".join(f"{name:<{width}}  {value}\n" for name, value in rows))

    def finish(self) -> None:
        """Leave the status line standing and go to the next one."""
        if self._live and self._line:
            self._write("\n")
        self._line = ""

    def _draw(self, line: str) -> None:
        if not self._live:
            self._write(f"{line}\n")
            return
        room = _columns(self._stream) - 1
        shown = line if len(line) <= room else line[: max(0, room - 3)] + "..."
        self._line = f"\x1b[2m{shown}\x1b[0m" if self._color else shown
        self._write(_CLEAR + self._line)

    def _write(self, text: str) -> None:
        if self._stream is None:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except UnicodeEncodeError:
            self._write(text.encode("ascii", "replace").decode())
        except (OSError, ValueError):
            self._stream = None
            self._live = False


def _is_terminal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except (OSError, ValueError):
        return False


def _columns(stream: TextIO | None) -> int:
    """Width of the terminal: COLUMNS if set, else what the terminal says, else 80."""
    if os.environ.get("COLUMNS", "").isdecimal():
        return int(os.environ["COLUMNS"])
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80 if stream is not None else 80
    except (OSError, ValueError):
        return 80


def _bar(share: float) -> str:
    full = int(share * BAR_CELLS)
    return "[" + "#" * full + "-" * (BAR_CELLS - full) + "]"


def _remaining(spent_s: float, share: float) -> str:
    """``  ETA 1:05``, once there is something to judge by."""
    if share >= 1 or share <= 0 or spent_s < 0.5:
        return ""
    left = round(spent_s * (1 - share) / share)
    minutes, seconds = divmod(left, 60)
    hours, minutes = divmod(minutes, 60)
    return f"  ETA {hours}:{minutes:02}:{seconds:02}" if hours else f"  ETA {minutes}:{seconds:02}"


def _flat(result: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for name, value in result.items():
        if isinstance(value, Mapping):
            rows += _flat(value, f"{prefix}{name}.")
        else:
            rows.append((f"{prefix}{name}", f"{value:.4g}" if isinstance(value, float) else str(value)))
    return rows


def _plain(value: Any) -> Any:
    """As JSON knows it: no NaN or infinity, no tuples, no NumPy numbers, text for anything else."""
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in value]
    if isinstance(value, (bool, int, str)) or value is None:
        return value
    if hasattr(value, "item"):  # NumPy
        return _plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return str(value)


def printable(text: str) -> str:
    """A file's name must not steer the terminal: control characters and broken text become ``?``."""
    return "".join(character if character.isprintable() else "?" for character in text)
