"""The threads around the pipeline: one reads, one processes, one per output sends. No other thread waits.

::

    Input ─► Mailbox ─► Pipeline ─► Disclosure ─► Mailbox ─► Output      (a mailbox and a thread per output)

Live inputs drop stale frames in the mailboxes; files lose none. While no frame arrives (a lost camera, a stuck
network) the outputs get the last safe frame again. What fails within the pipeline ends nothing. The first failure of
the input or the outputs ends the session and ``run`` raises it. If one
of several outputs fails, only that one is closed, and ``run`` raises its failure at the end unless a worse one comes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from rtswap.core.errors import OutputError, described, reason
from rtswap.core.interrupts import Interrupts
from rtswap.core.protocols import Input, Output
from rtswap.core.types import Frame, MarkedImage
from rtswap.disclosure.stamp import Disclosure
from rtswap.runtime.budget import Budget
from rtswap.runtime.mailbox import Closed, Mailbox
from rtswap.runtime.metrics import Metrics
from rtswap.runtime.pipeline import Outcome, Pipeline
from rtswap.runtime.sender import Sender

TICK_S = 0.05
"""Interval at which the main thread handles keys and the status line."""
JOIN_S = 10.0
ANSWER_S = 1.0
"""Time for an input to end its last read, when the outputs are finished."""
HURRY_S = 1.5
"""Time to finish files after a second Ctrl-C."""
SLOW_S = 3.0
"""Seconds after which an output that is still taking one frame, or finishing, is reported once."""


class Session:
    """One run from an input to its outputs. ``run`` blocks; the other methods are thread-safe.

    ``window``: an output that the thread calling ``run`` must serve (desktop systems require it), or None. That
    thread calls ``on_tick`` about every ``TICK_S``. ``quality_budget`` None: always full quality. ``on_unswapped``:
    called with each frame in which no face was swapped, which is then not delivered; None: all frames are.
    """

    def __init__(
        self,
        input: Input,
        pipeline: Pipeline,
        disclosure: Disclosure,
        outputs: Sequence[Output],
        *,
        metrics: Metrics,
        quality_budget: Budget | None = None,
        window: Output | None = None,
        on_tick: Callable[[], None] = lambda: None,
        on_event: Callable[[str], None] = lambda text: None,
        on_unswapped: Callable[[Frame], None] | None = None,
    ) -> None:
        self.pipeline = pipeline
        self.metrics = metrics
        self.completed = False
        """True if the input ended by itself."""
        self._input = input
        self._live = input.info.live
        self._disclosure = disclosure
        self._budget = quality_budget or Budget(float("inf"))
        self._on_tick, self._listener, self._on_unswapped = on_tick, on_event, on_unswapped
        self._frames: Mailbox[Frame] = Mailbox(1 if self._live else 4, newest_wins=self._live)
        self._lock = threading.Lock()
        self._senders: list[Sender] = []
        self._ended: list[Sender] = []
        self._window = self._sender(window) if window is not None else None
        for output in outputs:
            self._sender(output)
        self._failure: BaseException | None = None
        self._output_failure: BaseException | None = None
        self._stopping = threading.Event()
        self._stopped_at = float("inf")
        self._ticked_at = 0.0
        self._last: MarkedImage | None = None
        self._unmarked = False
        """True while pictures cannot be marked."""

    def run(self) -> None:
        """Run until the input ends, ``stop`` is called, or something fails. Ctrl-C counts as ``stop``.

        Raises the first failure, after closing everything. A second Ctrl-C drops waiting frames; if the outputs are
        not closed within ``HURRY_S`` then, they are abandoned and KeyboardInterrupt is raised.
        """
        with Interrupts() as interrupts:
            self._run(interrupts)
        failure = self._failure or self._output_failure
        if failure is not None:
            raise failure

    def stop(self) -> None:
        """Stop soon, as if the input had ended."""
        self._stopped_at = min(self._stopped_at, time.perf_counter())
        self._stopping.set()
        self._frames.close()
        try:
            self._input.close()
        except Exception as error:  # noqa: BLE001 - raised by run, after closing the outputs
            self._failure = self._failure or error

    def add_output(self, output: Output) -> None:
        """Add an output. If the session has already ended, it is closed at once. Raises OutputError, with the
        output closed, if the system allows no more threads."""
        sender = self._sender(output)
        try:
            sender.start()
        except RuntimeError as error:  # the system allows no more threads
            self.remove_output(output)
            raise OutputError(f"cannot start {output.name}", got=reason(error)) from None
        if self._stopping.is_set():
            sender.finish(JOIN_S)

    def remove_output(self, output: Output) -> None:
        """Finish and close one output; the others continue."""
        with self._lock:
            ended = [sender for sender in self._senders if sender.output is output]
            self._senders = [sender for sender in self._senders if sender.output is not output]
        for sender in ended:
            sender.finish(JOIN_S)

    @property
    def dropped(self) -> int:
        with self._lock:
            return self._frames.dropped + sum(sender.box.dropped for sender in self._senders[:1])

    def _run(self, interrupts: Interrupts) -> None:
        parts = (("rtswap-input", self._read), ("rtswap-work", self._work))
        threads = [threading.Thread(target=work, name=name, daemon=True) for name, work in parts]
        try:
            for part in [sender for sender in self._all_senders() if sender is not self._window] + threads:
                part.start()
            while not self._overdue() and (any(thread.is_alive() for thread in threads) or self._window_waits()):
                if interrupts.count:
                    raise KeyboardInterrupt
                self._serve_main_thread(threads)
            self.completed = not self._stopping.is_set()
        except KeyboardInterrupt:
            interrupts.count = max(interrupts.count, 1)
            self._on_event("interrupted: finishing the recordings")
        except BaseException as error:  # noqa: BLE001 - raised by run
            self._fail(error)
        finally:
            self._wind_up(threads, interrupts)

    def _sender(self, output: Output) -> Sender:
        sender = Sender(output, live=self._live, repeat=self._again, sent=self._sent, failed=self._output_failed)
        with self._lock:
            self._senders.append(sender)
        return sender

    def _read(self) -> None:
        try:
            for frame in self._input.frames():
                if self._stopping.is_set():
                    break
                self._frames.put(frame)
        except Closed:
            return
        except BaseException as error:  # noqa: BLE001 - raised by run
            self._fail(error)
        finally:
            self._frames.close()

    def _work(self) -> None:
        try:
            for frame in self._frames:
                outcome = self.pipeline.process(frame, self._budget.quality)
                if self._on_unswapped is not None and not outcome.swapped:
                    self._on_unswapped(frame)
                    continue
                covered = outcome.covered or outcome.stamped is None
                self.metrics.add_outcome(swapped=outcome.swapped, covered=covered, reasons=outcome.reasons)
                marked = self._release(outcome, frame)
                if marked is None:
                    continue
                self._last = marked
                self._deliver(marked)
                if self._live:
                    self._budget.observe(time.perf_counter() - frame.captured_at)
        except Closed:
            return
        except BaseException as error:  # noqa: BLE001 - raised by run
            self._fail(error)
        finally:
            for sender in self._all_senders():
                sender.box.close()

    def _release(self, outcome: Outcome, frame: Frame) -> MarkedImage | None:
        """Return the frame that may leave; the last one again if this one may not, reported once in a row; None
        before the first."""
        try:
            marked = outcome.release(self._disclosure, frame, self._last)
            self._unmarked = self._unmarked and outcome.stamped is None
            return self._disclosure.lock(marked) if marked is not None else None
        except Exception as error:  # noqa: BLE001 - what cannot be marked does not leave
            if not self._unmarked:
                self._on_event(f"marking failed: {described(error)}")
            self._unmarked = True
        return replace(outcome, stamped=None).release(self._disclosure, frame, self._last)

    def _deliver(self, marked: MarkedImage) -> None:
        for sender in self._all_senders():
            try:
                sender.box.put(marked)
            except Closed:
                continue

    def _all_senders(self) -> list[Sender]:
        with self._lock:
            return list(self._senders)

    def _again(self, marked: MarkedImage) -> MarkedImage:
        return self._disclosure.repeat(marked, now=time.perf_counter())

    def _sent(self, sender: Sender, marked: MarkedImage) -> None:
        """Record the metrics at the first output."""
        with self._lock:
            first = bool(self._senders) and self._senders[0] is sender
        if first:
            self.metrics.record(
                marked.stages,
                captured_at=marked.captured_at,
                finished_at=time.perf_counter(),
                faces=marked.swapped,
                level=self._budget.level,
            )
            self.metrics.set_dropped(self.dropped)

    def _output_failed(self, sender: Sender, error: BaseException) -> None:
        with self._lock:
            if sender in self._senders:
                self._senders.remove(sender)
                self._ended.append(sender)
            left = len(self._senders)
        if left and isinstance(error, OutputError):
            self._on_event(f"{sender.name} failed and was closed, the others continue: {error}")
            self._output_failure = self._output_failure or error
        else:
            self._fail(error)

    def _serve_main_thread(self, threads: Sequence[threading.Thread]) -> None:
        self._serve_window(threads)
        if (now := time.perf_counter()) - self._ticked_at >= TICK_S:
            self._ticked_at = now
            self._tell_slow_outputs()
            self._on_tick()

    def _serve_window(self, threads: Sequence[threading.Thread]) -> None:
        """Or wait for the end of a thread, so that a picture is not kept waiting for a tick."""
        if self._window is not None:
            self._window.serve_once(TICK_S)
        elif working := [thread for thread in threads if thread.is_alive()]:
            working[-1].join(TICK_S)

    def _tell_slow_outputs(self) -> None:
        for sender in self._all_senders():
            if sender.newly_slow(SLOW_S):
                self._on_event(f"{sender.name} accepts no frames; waiting for it")

    def _window_waits(self) -> bool:
        return self._window is not None and not self._window.ended and bool(len(self._window.box))

    def _overdue(self) -> bool:
        """True if something still hangs long after the end."""
        return time.perf_counter() - self._stopped_at > JOIN_S

    def _on_event(self, text: str) -> None:
        """Tell it. What the listener raises ends the session as any failure does, and interrupts no closing."""
        try:
            self._listener(text)
        except BaseException as error:  # noqa: BLE001 - raised by run
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        self._failure = self._failure or error
        self.stop()

    def _wind_up(self, threads: Sequence[threading.Thread], interrupts: Interrupts) -> None:
        """Close everything, the window here and the rest in another thread, so that a second Ctrl-C ends the wait and
        interrupts no closing."""
        closing = threading.Thread(target=self._close_parts, args=(threads,), name="rtswap-closing", daemon=True)
        try:
            closing.start()
        except RuntimeError:  # the system allows no more threads
            self._close_parts(threads)
        began, hurried_at = time.perf_counter(), float("inf")
        slow_told, interrupt_told = False, interrupts.count > 0
        while closing.is_alive():
            if self._window is not None and not self._window.ended:
                self._window.serve_once(TICK_S)
            else:
                closing.join(TICK_S)
            now = time.perf_counter()
            if interrupts.count and not interrupt_told:
                interrupt_told = True
                self._on_event("interrupted: finishing the recordings")
            if not slow_told and now - began > SLOW_S:
                slow_told = True
                again = "; Ctrl-C again leaves them unfinished" if interrupts.count else ""
                self._on_event(f"still finishing the outputs{again}")
            if interrupts.count > 1 and hurried_at > now:
                hurried_at = now
                self._frames.discard()
                for sender in self._all_senders():
                    sender.box.discard()
            if now - hurried_at > HURRY_S or interrupts.count > 2:
                self._on_event("interrupted again: an unfinished recording keeps the name NAME.partial.SUFFIX")
                raise KeyboardInterrupt
        if self._window is not None:
            self._window.finish(JOIN_S)

    def _close_parts(self, threads: Sequence[threading.Thread]) -> None:
        complete = self._failure is None
        self.stop()
        reading, working = threads
        self._join(working, JOIN_S)
        with self._lock:
            senders = [*self._senders, *self._ended]
        for sender in senders:
            sender.box.close()
        for sender in senders:
            if sender is not self._window:
                sender.finish(JOIN_S, complete=complete, ended=self.completed)
        self._join(reading, ANSWER_S)  # last: a stream that is lost may answer only after its own time limit

    def _join(self, thread: threading.Thread, timeout_s: float) -> None:
        if thread.ident is None:
            return
        thread.join(0 if self._overdue() else timeout_s)
        if thread.is_alive():
            self._on_event(f"{thread.name.removeprefix('rtswap-')} does not respond, continuing without it")
