"""Terminal output: a status line that is updated in place, events above it, results at the end.

Results of commands go to stdout, everything else to stderr. If stderr is closed, output stops and the run continues.
Prints through rich, which is imported on first use.
"""

from __future__ import annotations

import json as json_module
import math
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any, TextIO, TypeAlias, cast

from rtswap.app.log_file import LogFile
from rtswap.core.errors import OutputError, reason
from rtswap.core.text import clock as minutes_and_seconds
from rtswap.core.text import plural, printable
from rtswap.core.urls import hide_secrets

if TYPE_CHECKING:
    from rich.console import Console as RichConsole
    from rich.console import RenderableType
    from rich.live import Live

Shown: TypeAlias = "RenderableType"
"""A line of text, or a table (``commands.reports.table``). On a terminal text wraps between words, unless it starts
with two spaces: those lines are commands to copy."""
PLAIN_EVERY_S = 10.0
"""Seconds before the first and between status lines without a terminal."""
REDRAW_EVERY_S = 0.1
BAR_CELLS, GREEN = 24, "green"
PLAIN_WIDTH = 100_000
"""Columns without a terminal, so that nothing wraps."""


class Console:
    """Prints for one run; the end of a ``with`` block leaves the last status line on screen. Any thread may call it.

    ``quiet`` suppresses everything but errors and JSON; ``json`` prints the result as one JSON object on stdout;
    ``stats``: print all figures. ``given``: what may hold addresses, whose secrets are neither printed nor logged.
    ``clock`` returns seconds.
    """

    def __init__(
        self,
        quiet: bool = False,
        json: bool = False,
        stats: bool = False,
        *,
        given: Sequence[str] = (),
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.perf_counter,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self.quiet, self.json, self.stats = quiet, json, stats
        self._given = given
        self._stream = sys.stderr if stream is None else stream
        self._clock, self._environ = clock, environ
        self._last_event = ""
        self._drawn_at: float | None = None
        self._began_at: float | None = None
        self._complete = False
        self._live: Live | None = None
        self._log: LogFile | None = None

    def __enter__(self) -> Console:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self.finish()
        if self._log is not None:
            self._log.end(error)
            self._log = None

    def open_log(self, path: Path) -> None:
        """Also write events, the summary, and what ends the ``with`` block to this file. Raises OutputError."""
        self._log = LogFile(path, warn=self._print, given=self._given)

    def event(self, text: str) -> None:
        """Print an event on its own line above the status line, unless it equals the previous event."""
        if text == self._last_event:
            return
        self._last_event = text
        if self._log is not None:
            self._log.write(text)
        self._print(text)

    def _print(self, text: str) -> None:
        if not self.quiet:
            self._rich.print(printable(hide_secrets(text, self._given)), soft_wrap=True)

    def status(self, line: str) -> None:
        """Replace the status line. May be called at any rate; without a terminal a line is printed every 10 s."""
        if self._due():
            self._draw(line)

    def progress(self, done: int, total: int | None, line: str = "", *, unit: str = "") -> None:
        """Like ``status``, with a progress bar and the remaining time. ``total`` None: unknown. ``unit``: of both
        numbers, if they count nothing."""
        if self._began_at is None:
            self._began_at = self._clock()
        complete = bool(total) and done >= (total or 0)
        if (complete and self._complete) or not self._due(now=complete):
            return
        self._complete = complete
        if not total:
            self._draw(f"{plural(done, 'frame')}  {line}".rstrip())
            return
        share = min(1.0, done / total)
        words = f"{math.floor(100 * share):3}%  {done}/{total}{unit}{self._remaining(share)}  {line}"
        self._draw(words.rstrip(), share)

    def summary(self, result: Mapping[str, Any], *shown: Shown) -> None:
        """Print the result of a run: with ``json`` ``result`` as JSON on stdout, otherwise ``shown`` on stderr."""
        self.finish()
        if self._log is not None:
            self._log.write("\n".join(part for part in shown if isinstance(part, str)))
        if self.json:
            self.answer(result)
        elif not self.quiet:
            self._rich.file.write(rendered(shown, self._rich))

    def answer(self, result: Any, *shown: Shown) -> None:
        """Like ``summary``, for commands whose purpose is the printed result: ``shown`` goes to stdout too. Raises
        OutputError if it cannot be written."""
        self.finish()
        if sys.stdout is None or (self.quiet and not self.json):
            return
        text = rendered(shown, open_rich(sys.stdout, self._environ))
        try:
            _write(sys.stdout, _json(result) + "\n" if self.json else text)
        except BrokenPipeError:
            raise
        except (OSError, ValueError) as error:
            raise OutputError("cannot write to standard output", got=reason(error)) from None

    def finish(self) -> None:
        """Leave the status line on screen and continue below it."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    @cached_property
    def _rich(self) -> RichConsole:
        return open_rich(self._stream, self._environ)

    def _due(self, *, now: bool = False) -> bool:
        """Whether another status line is due. ``now``: ignore the interval."""
        if self.quiet:
            return False
        at, every_s = self._clock(), REDRAW_EVERY_S if self._rich.is_terminal else PLAIN_EVERY_S
        if self._drawn_at is None and not self._rich.is_terminal:
            self._drawn_at = at
        if not now and self._drawn_at is not None and at - self._drawn_at < every_s:
            return False
        self._drawn_at = at
        return True

    def _draw(self, line: str, share: float | None = None) -> None:
        """Draw the status line. ``share``: 0..1, drawn as a bar before the line."""
        from rich.live import Live
        from rich.progress_bar import ProgressBar
        from rich.text import Text

        rich = self._rich
        if not rich.is_terminal:
            rich.print(printable(line).strip(), soft_wrap=True)
            return
        length = min(BAR_CELLS, rich.width * 3 // 10)
        shown = Text(no_wrap=True, overflow="ellipsis", end="")
        if share is not None:
            bar = ProgressBar(1.0, share, length, style="bright_black", complete_style=GREEN, finished_style=GREEN)
            cells = [piece for piece in rich.render(bar) if piece.text != "\n"]
            shown.append_tokens((piece.text, piece.style) for piece in cells)
            shown.append(" " * (length - len(shown) + 1))
        shown.append(printable(line), style="" if share is not None else "dim")
        if self._live is None:
            self._live = Live(console=rich, auto_refresh=False, redirect_stdout=False, redirect_stderr=False)
            self._live.start()
        self._live.update(shown, refresh=True)

    def _remaining(self, share: float) -> str:
        """Return ``  ETA 1:05``; empty in the first 0.5 s."""
        spent_s = self._clock() - (self._began_at or 0.0)
        if share >= 1 or share <= 0 or spent_s < 0.5:
            return ""
        return f"  ETA {minutes_and_seconds(spent_s * (1 - share) / share)}"


def open_rich(stream: TextIO | None, environ: Mapping[str, str] = os.environ) -> RichConsole:
    """Return a rich console: with colours on a terminal unless NO_COLOR is set, else plain text without wrapping."""
    from rich.console import Console as RichConsole

    terminal = _is_terminal(stream) and environ.get("TERM") != "dumb"
    return RichConsole(
        file=cast(TextIO, _SafeStream(stream)),
        force_terminal=terminal,
        force_interactive=terminal,
        force_jupyter=False,
        color_system="auto" if terminal and not environ.get("NO_COLOR") else None,
        width=None if terminal else PLAIN_WIDTH,
        highlight=False,
        markup=False,
        emoji=False,
    )


def print_error(message: str, trace: str = "") -> None:
    """Print an error in one line on stderr, without wrapping, after the traceback ``trace``."""
    from rich.text import Text

    to = open_rich(sys.stderr)
    to.file.write("\n".join(map(printable, trace.split("\n"))))
    name, _, rest = printable(message).partition(": ")
    to.print(Text.assemble((f"{name}: ", "bold red"), rest), soft_wrap=True)


class _SafeStream:
    """A text stream that discards its text once its reader has closed it."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            if self._stream is not None:
                _write(self._stream, text)
        except (OSError, ValueError):
            self._stream = None
        return len(text)

    def flush(self) -> None:
        """Do nothing: every write is flushed."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _write(stream: TextIO, text: str) -> None:
    """Write the text; characters that the stream cannot encode become question marks."""
    try:
        stream.write(text)
    except UnicodeEncodeError:
        stream.write(text.encode("ascii", "replace").decode())
    stream.flush()


def _is_terminal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except (OSError, ValueError):
        return False


def rendered(parts: Sequence[Shown], to: RichConsole) -> str:
    """Return the parts as text: each string is a line; tables have no rules without a terminal. In one that is too
    narrow for a table nothing is cut off: 555 MB would become 55."""
    from rich.measure import Measurement
    from rich.table import Table

    with to.capture() as captured:
        for part in parts:
            if isinstance(part, Table):
                if not to.is_terminal:
                    part.box, part.padding = None, (0, 2, 0, 0)
                least = Measurement.get(to, to.options.update(width=PLAIN_WIDTH), part).minimum
                part.width = least if least > to.width else None
            if isinstance(part, str):
                width = to.width if to.is_terminal and not part.startswith("  ") else PLAIN_WIDTH
                to.print(fill(printable(part), width, break_long_words=False, break_on_hyphens=False), soft_wrap=True)
            else:
                to.print(part, crop=False)
    return "\n".join(line.rstrip() for line in captured.get().split("\n"))


def _json(result: Any) -> str:
    """Return JSON that people can read, and in which nothing steers a terminal: also what JSON itself need not
    escape, such as changes of direction."""
    text = json_module.dumps(_plain(result), ensure_ascii=False)
    return "".join(sign if sign.isprintable() else json_module.dumps(sign)[1:-1] for sign in text)


def _plain(value: Any) -> Any:
    """Convert a value to JSON types: NaN and infinity become null, tuples lists, NumPy values plain numbers, other
    types strings."""
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
