"""One frame in, one picture out, in the order a pixel lives it:

track, and for each face crop, swap, finish, which is a `Renderer`'s work; what could not be swapped is covered, the
rest is pasted over it, and the picture is stamped. A face that is neither swapped nor covered does not leave.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from rtswap.core.errors import FaceLost, InputError, RtswapError
from rtswap.core.protocols import FrameRender, Renderer, Tracker
from rtswap.core.types import Box, Frame, Image, Quality, StampedImage, Swaps, Track
from rtswap.runtime.guard import Guard
from rtswap.runtime.mapping import Role, SourceMapping
from rtswap.runtime.metrics import Spans

MAX_FAILURES = 60
"""Frames in a row that may fail before the session ends: two seconds at 30 fps."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What happens to a face that cannot be swapped."""

    on_failure: str = "blur"
    """blur, pixelate, hold or stop"""
    empty_after_s: float = 3.0
    pass_through: bool = False
    """True: the plain picture goes out instead. The real face shows."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a frame."""

    stamped: StampedImage | None
    """None: hold the last safe picture."""
    swapped: int
    covered: int
    stages: dict[str, float]
    """Seconds per stage."""

    @property
    def image(self) -> Image | None:
        """The pixels, to look at: what leaves is what the stamp's receipt is for."""
        return self.stamped.image if self.stamped is not None else None


class Pipeline:
    """One per session, used by one thread. ``renderer`` does the faces; ``mapping`` says who gets whose, without it
    everybody the first source's. ``on_event`` is told what went wrong. ``spans``: where the time of each stage is
    counted, if something else counts there too."""

    def __init__(
        self,
        tracker: Tracker,
        renderer: Renderer,
        *,
        policy: Policy,
        on_event: Callable[[str], None],
        mapping: SourceMapping | None = None,
        spans: Spans | None = None,
    ) -> None:
        self._tracker = tracker
        self._renderer = renderer
        self.mapping = mapping or SourceMapping()
        self._policy = policy
        self._on_event = on_event
        self._guard = Guard(empty_after_s=policy.empty_after_s)
        self._spans = spans or Spans()
        self._failures = 0
        self._shown = self._was_blind = False
        self._ids: set[int] = set()
        self._anew = False
        self.swapping = True
        """Off: faces are followed and covered (or shown, with pass-through)."""

    def follow_anew(self) -> None:
        """From the next frame on follow whoever is there, as if the stream had just begun."""
        self._anew = True

    def process(self, frame: Frame, quality: Quality) -> Outcome:
        """Raises FaceLost under ``stop``, InputError for what is no picture, and the cause when nothing has worked
        for ``MAX_FAILURES`` frames."""
        frame = _writable(frame)
        now = frame.captured_at if frame.time_s is None else frame.time_s
        size = frame.image.shape[1], frame.image.shape[0]
        render = self._renderer.begin(frame.image)
        if self._anew:
            self._anew = False
            self._reset()
        try:
            with self._spans("track"):
                tracks = list(self._tracker.update(frame, quality))
                roles = self.mapping.assign(frame.image, tracks, now)
        except Exception as error:  # noqa: BLE001 - whatever breaks, the picture must be covered
            self._note_failure("tracking failed", error)
            self._reset()
            outcome = self._compose(render, self._guard.fail(now, size), Swaps(), self.swapping)
        else:
            outcome = self._work(render, roles, quality, now, size)
            self._forget_ended(tracks)
        self._shown = self._shown or outcome.stamped is not None
        return outcome

    def _reset(self) -> None:
        """Nobody is known any more."""
        self._tracker.reset()
        self.mapping.reset()

    def _work(
        self, render: FrameRender, roles: Sequence[Role], quality: Quality, now: float, size: tuple[int, int]
    ) -> Outcome:
        """Swap, and cover what is bare. A verdict that comes with the picture may be that some swap is none: that
        picture does not leave, and the frame is done again without it."""
        swapping = self.swapping
        tracks = [track for track, _ in roles]
        pairs = [(track, source) for track, source in roles if source is not None and swapping]
        unswapped = [track.id for track, source in roles if source is None or not swapping]
        swaps = render.swap(pairs, quality=quality, now=now, stages=self._spans) if pairs else Swaps()
        self._tell_of(swaps)
        boxes = self._guard.judge(now, size, tracks, [*swaps.bare, *unswapped])
        self._tell_of_blindness()
        outcome = self._compose(render, boxes, swaps, swapping)
        if pairs and outcome.stamped is not None and (verdict := render.verdict()) != swaps:
            if verdict.failure is not swaps.failure:
                self._tell_of(verdict)
            swaps, boxes = verdict, self._guard.judge(now, size, tracks, [*verdict.bare, *unswapped])
            render.restart()
            outcome = self._compose(render, boxes, swaps, swapping)
        if swaps.failure is None:
            self._failures = 0
        return outcome

    def _compose(self, render: FrameRender, boxes: Sequence[Box], swaps: Swaps, swapping: bool) -> Outcome:
        """Cover first, then paste: where a swap lies on a doubtful place, what looks out beside it is covered."""
        covering = bool(boxes) and not self._policy.pass_through
        asked = self._policy.on_failure if swapping else "blur"  # switched off is no failure
        if covering and asked == "stop" and self._guard.lost:
            raise FaceLost("the face was lost", do="Without --on-failure stop it would be covered instead.")
        if covering and asked == "hold" and self._guard.watching and self._shown:
            return Outcome(None, 0, len(boxes), self._spans.take())
        if covering:
            with self._spans("cover"):
                style = "pixelate" if self._policy.on_failure == "pixelate" else "blur"
                for box in boxes:
                    render.cover(box, style)
        with self._spans("paste"):
            render.paste()
        with self._spans("deliver"):
            stamped = render.deliver()
        return Outcome(stamped, len(swaps.done), len(boxes) if covering else 0, self._spans.take())

    def _tell_of(self, swaps: Swaps) -> None:
        """One face that works is enough for a session to go on."""
        if swaps.failure is not None:
            self._failures = 0 if swaps.done else self._failures
            self._note_failure("swapping failed", swaps.failure)

    def _tell_of_blindness(self) -> None:
        """Say once in a row why the whole picture is covered."""
        if self._guard.blind and not self._was_blind and not self._policy.pass_through:
            self._on_event(
                "no face found yet: the whole picture is covered. With nobody there, plain frames pass after "
                f"{self._policy.empty_after_s:g} s (--empty-after)"
            )
        self._was_blind = self._guard.blind

    def _note_failure(self, what: str, error: Exception) -> None:
        """Told once per row of failures, counted for every frame."""
        self._failures += 1
        if self._failures == 1:
            self._on_event(f"{what}: {error}" if isinstance(error, RtswapError) else f"{what}: {error!r}")
        if self._failures >= MAX_FAILURES:
            raise error

    def _forget_ended(self, tracks: Sequence[Track]) -> None:
        ids = {track.id for track in tracks}
        for ended in self._ids - ids:
            self._renderer.forget(ended)
        self._ids = ids


def _writable(frame: Frame) -> Frame:
    """The frame with a picture that can be worked on in place: as it is, unless it is locked or turned about."""
    image = frame.image
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise InputError(
            "the input gave no picture",
            expected="uint8, height x width x 3",
            got=f"{image.dtype}, {' x '.join(map(str, image.shape))}",
        )
    usable = image.flags.writeable and image.strides[1:] == (3, 1) and image.strides[0] > 0
    return frame if usable else replace(frame, image=image.copy("C"))
