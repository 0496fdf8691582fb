"""The keys of a running session: what each does, and the text that the preview shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rtswap.core.errors import OutputError
from rtswap.core.protocols import AdjustableSwapper, Output, Swapper
from rtswap.runtime.metrics import Metrics, status_line
from rtswap.runtime.pipeline import Pipeline
from rtswap.runtime.session import Session

KEYS = (
    ("?", "show or hide these keys"),
    ("q", "quit"),
    ("s", "swap on or off"),
    ("o", "show or hide the figures"),
    ("r", "record, or end the recording"),
    ("n", "follow the person in view now"),
    ("f", "fill the screen"),
    ("+ -", "stronger or weaker likeness"),
    ("> <", "more or less expression"),
)
SOURCES = ("1 to {}", "choose the source")
SPREAD = ("0", "one source for each person")
STEP = 0.1
MOST_EXPRESSION, MOST_STRENGTH = 1.5, 1.3
"""As ``--expression`` and ``--strength``."""


@dataclass
class Looks:
    """The settings that keys change: the bound swappers, one per source, and their values."""

    swappers: Sequence[Swapper] = ()
    expression: float = 1.0
    strength: float = 1.0


class Controls:
    """Implements the keys in ``KEYS``, but for ``f``, which is the window's, and ``1`` to ``9`` and ``0``. ``record``
    opens a new recording."""

    def __init__(
        self,
        pipeline: Pipeline,
        record: Callable[[], Output],
        metrics: Metrics,
        *,
        looks: Looks | None = None,
        on_event: Callable[[str], None],
    ) -> None:
        self._pipeline, self._record, self._metrics = pipeline, record, metrics
        self._looks = looks or Looks()
        self._on_event = on_event
        self._session: Session | None = None
        self._recording: Output | None = None
        self.recorded: list[str] = []
        """Names of the recordings that were started by key."""
        self._overlay = self._help = False

    def attach(self, session: Session) -> None:
        """Set the session that ``q`` ends and ``r`` records."""
        self._session = session

    def press(self, key: str) -> None:
        """Handle a key; unknown keys are ignored."""
        actions: dict[str, Callable[[], None]] = {
            "q": self._quit,
            "s": self._toggle_swap,
            "o": self._toggle_overlay,
            "?": self._toggle_help,
            "r": self._toggle_recording,
            "n": self._follow_anew,
        }
        mapping = self._pipeline.mapping
        if key in actions:
            actions[key]()
        elif key and key in "+=-_":
            self._change(strength=STEP if key in "+=" else -STEP)
        elif key and key in ">.<,":
            self._change(expression=STEP if key in ">." else -STEP)
        elif key == "0" and mapping.spread:
            mapping.select(None)
            self._on_event(SPREAD[1])
        elif key.isdecimal() and 1 <= int(key) <= mapping.choices:
            mapping.select(int(key) - 1)
            self._on_event(f"source {key}")

    def overlay(self) -> Sequence[str]:
        """Return the lines that the preview draws; no other output shows them."""
        if not self._overlay and not self._help:
            return ()
        lines: list[str] = []
        if self._overlay:
            recording = f"recording {self._recording.name}" if self._recording is not None else ""
            off = "" if self._pipeline.swapping else "swap off"
            lines = [line for line in (*status_line(self._metrics, stages=True).split(" | "), recording, off) if line]
        if self._help:
            lines += [f"{key}\t{does}" for key, does in self._keys()]
        return lines

    def _keys(self) -> list[tuple[str, str]]:
        mapping = self._pipeline.mapping
        sources = [(SOURCES[0].format(mapping.choices), SOURCES[1])] if mapping.choices > 1 else []
        return [*KEYS, *sources, *([SPREAD] if mapping.spread else [])]

    def _change(self, *, expression: float = 0.0, strength: float = 0.0) -> None:
        looks = self._looks
        swappers = [swapper for swapper in looks.swappers if isinstance(swapper, AdjustableSwapper)]
        if len(swappers) < len(looks.swappers) or not swappers:
            self._on_event("this swapper cannot change while it runs: use --strength and --expression")
            return
        looks.expression = round(min(max(looks.expression + expression, 0.0), MOST_EXPRESSION), 2)
        looks.strength = round(min(max(looks.strength + strength, 0.0), MOST_STRENGTH), 2)
        changes = [one.adjust(expression=looks.expression, strength=looks.strength) for one in swappers]
        with self._pipeline.lock:
            for apply in changes:
                apply()
        self._on_event(f"expression {looks.expression:g}" if expression else f"strength {looks.strength:g}")

    def _follow_anew(self) -> None:
        self._pipeline.follow_anew()
        self._on_event("following the person in view now")

    def _quit(self) -> None:
        if self._session is not None:
            self._session.stop()

    def _toggle_swap(self) -> None:
        self._pipeline.swapping = not self._pipeline.swapping
        self._on_event(f"swap {'on' if self._pipeline.swapping else 'off'}")

    def _toggle_overlay(self) -> None:
        self._overlay = not self._overlay

    def _toggle_help(self) -> None:
        self._help = not self._help

    def _toggle_recording(self) -> None:
        if self._session is None:
            return
        if self._recording is not None:
            self._session.remove_output(self._recording)
            self._on_event(f"recorded {self._recording.name}")
            self._recording = None
            return
        try:
            recording = self._record()
            self._session.add_output(recording)
        except OutputError as error:
            self._on_event(f"cannot record: {error}")
            return
        self._recording = recording
        self.recorded.append(self._recording.name)
        self._on_event(f"recording {self._recording.name}")
