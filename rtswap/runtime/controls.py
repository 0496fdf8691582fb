"""The keys of a running session: what each does, and what the preview says of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rtswap.core.errors import OutputError
from rtswap.core.protocols import Output
from rtswap.runtime.metrics import Metrics, status_line
from rtswap.runtime.pipeline import Pipeline
from rtswap.runtime.session import Session


class Controls:
    """``q`` quit, ``s`` swap on or off, ``o`` overlay, ``r`` record, ``n`` follow whoever is there now, ``1`` to
    ``9`` choose the source.

    ``record`` opens a new recording.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        record: Callable[[], Output],
        metrics: Metrics,
        *,
        on_event: Callable[[str], None],
    ) -> None:
        self._pipeline = pipeline
        self._record = record
        self._metrics = metrics
        self._on_event = on_event
        self._session: Session | None = None
        self._recording: Output | None = None
        self._overlay = False

    def attach(self, session: Session) -> None:
        """The session that ``q`` ends and ``r`` records."""
        self._session = session

    def press(self, key: str) -> None:
        """What a key does; other keys do nothing."""
        actions = {
            "q": self._quit,
            "s": self._toggle_swap,
            "o": self._toggle_overlay,
            "r": self._toggle_recording,
            "n": self._follow_anew,
        }
        if key in actions:
            actions[key]()
        elif key.isdecimal() and 1 <= int(key) <= self._pipeline.mapping.choices:
            self._pipeline.mapping.select(int(key) - 1)
            self._on_event(f"source {key}")

    def overlay(self) -> Sequence[str]:
        """The lines that the preview draws, and nobody else sees."""
        if not self._overlay:
            return ()
        recording = f"recording {self._recording.name}" if self._recording is not None else ""
        off = "" if self._pipeline.swapping else "swap off"
        return [line for line in (*status_line(self._metrics, stages=True).split(" | "), recording, off) if line]

    def _follow_anew(self) -> None:
        self._pipeline.follow_anew()
        self._on_event("following whoever is there now")

    def _quit(self) -> None:
        if self._session is not None:
            self._session.stop()

    def _toggle_swap(self) -> None:
        self._pipeline.swapping = not self._pipeline.swapping
        self._on_event(f"swap {'on' if self._pipeline.swapping else 'off'}")

    def _toggle_overlay(self) -> None:
        self._overlay = not self._overlay

    def _toggle_recording(self) -> None:
        if self._session is None:
            return
        if self._recording is not None:
            self._session.remove_output(self._recording)
            self._on_event(f"recorded {self._recording.name}")
            self._recording = None
            return
        try:
            self._recording = self._record()
        except OutputError as error:
            self._on_event(f"cannot record: {error}")
            return
        self._session.add_output(self._recording)
        self._on_event(f"recording {self._recording.name}")
