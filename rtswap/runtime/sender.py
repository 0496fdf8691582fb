"""Send frames to one output at its own pace, so that a slow output does not delay the others."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from rtswap.core.errors import OutputError
from rtswap.core.protocols import Output, OutputWithSound, RecordingOutput
from rtswap.core.types import MarkedImage
from rtswap.runtime.mailbox import Closed, Mailbox

REPEAT_AFTER_S = 0.2
"""Without a new frame for this long, live outputs get the last one again."""


class Sender:
    """One output with its mailbox and thread: its own thread after ``start``, otherwise the caller's.

    ``repeat`` creates a frame that may be sent again; ``sent`` and ``failed`` are callbacks.
    """

    def __init__(
        self,
        output: Output,
        *,
        live: bool,
        repeat: Callable[[MarkedImage], MarkedImage],
        sent: Callable[[Sender, MarkedImage], None],
        failed: Callable[[Sender, BaseException], None],
    ) -> None:
        self.output, self.name = output, output.name
        self.box: Mailbox[MarkedImage] = Mailbox(1 if live else 4, newest_wins=live)
        self.ended = False
        self._closed = False
        self._live = live
        self._repeat, self._sent, self._failed = repeat, sent, failed
        self._last: MarkedImage | None = None
        self._sent_at = 0.0
        self._busy_since = float("inf")
        self._told = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        thread = threading.Thread(target=self._serve, name=f"rtswap-{self.name}", daemon=True)
        thread.start()
        self._thread = thread

    def serve_once(self, timeout_s: float) -> None:
        """Send the next frame, or repeat the last one if none has come for a while."""
        if self.ended:
            time.sleep(timeout_s)
            return
        try:
            marked = self.box.get(timeout_s)
        except TimeoutError:
            marked = None
        except Closed:
            self.ended = True
            return
        try:
            if marked is not None:
                self._send(marked, marked)
                self._sent(self, marked)
            elif self._live and self._last is not None and time.perf_counter() - self._sent_at >= REPEAT_AFTER_S:
                self._send(self._repeat(self._last), self._last)
        except BaseException as error:
            if self._thread is None and isinstance(error, KeyboardInterrupt):
                raise
            self._give_up(error)

    def newly_slow(self, seconds: float) -> bool:
        """True once if the output has been taking one frame for longer than this."""
        slow = not self._told and time.perf_counter() - self._busy_since > seconds
        self._told = self._told or slow
        return slow

    def finish(self, timeout_s: float, *, complete: bool = True, ended: bool = False) -> None:
        """Send waiting frames, then close the output. An output that hangs in ``send`` is abandoned. ``complete``
        False: the session failed, and recordings say so by their name. ``ended``: the input has ended by itself."""
        self.box.close()
        if ended and isinstance(self.output, OutputWithSound):
            self.output.play_out()
        if not complete and isinstance(self.output, RecordingOutput):
            self.output.mark_incomplete()
        while self._thread is None and not self.ended:
            self.serve_once(0.0)
        if self._thread is not None:
            self._thread.join(timeout_s)
            if self._thread.is_alive():
                self._failed(self, OutputError(f"{self.name} does not respond", got=f"no answer for {timeout_s:g} s"))
                return
        self._close()

    def _serve(self) -> None:
        while not self.ended:
            self.serve_once(REPEAT_AFTER_S)

    def _send(self, marked: MarkedImage, last: MarkedImage) -> None:
        self._busy_since = time.perf_counter()
        try:
            self.output.send(marked)
        finally:
            self._busy_since = float("inf")
        self._last, self._sent_at = last, time.perf_counter()

    def _give_up(self, error: BaseException) -> None:
        self.ended = True
        self.box.close()
        self._failed(self, error)
        self._close()

    def _close(self) -> None:
        """Close once. An output that cannot finish its file has failed."""
        if self._closed:
            return
        self._closed = True
        try:
            self.output.close()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - raised by run
            self._failed(self, error)
