"""One frame in, one picture out, in the order a pixel lives it:

track, and for each face crop, swap, finish, which is a `Renderer`'s work; what could not be swapped is covered, the
rest is pasted over it, and the picture is stamped. A face that is neither swapped nor covered does not leave.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from rtswap.compositing.renderer import LEAST_SIGHT, SEEN
from rtswap.core.errors import FaceLost, InputError, described
from rtswap.core.protocols import FrameRender, Lookout, Renderer, Tracker
from rtswap.core.types import Box, Frame, Head, Image, MarkedImage, Quality, Sighting, StampedImage, Swaps, Track
from rtswap.disclosure.badge_reader import BadgeReader
from rtswap.disclosure.stamp import Disclosure
from rtswap.runtime.guard import Guard, Reason
from rtswap.runtime.mapping import Role, SourceMapping
from rtswap.runtime.metrics import Spans
from rtswap.tracking.association import count_places

MORE_SIGHT = 0.1
"""Share of a face's landmarks that must be visible beyond ``LEAST_SIGHT`` before a hidden face is swapped again: swap
and cover shall not alternate."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What to do with a face that cannot be swapped."""

    on_failure: str = "blur"
    """blur, pixelate, hold or stop"""
    empty_after_s: float = 3.0
    pass_through: bool = False
    """True: show frames unchanged instead. The real face is visible."""
    others_shown: bool = False
    """True: people who are not to be swapped are shown unchanged while all those to be swapped are."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a frame."""

    stamped: StampedImage | None
    """None: hold the last safe picture."""
    swapped: int
    covered: int
    stages: dict[str, float]
    """Seconds per stage."""
    reasons: frozenset[Reason] = frozenset()
    """Why something is covered, or the last safe picture is held."""

    @property
    def image(self) -> Image | None:
        """The pixels, for inspection only: the stamp's receipt decides what may leave."""
        return self.stamped.image if self.stamped is not None else None

    def release(self, disclosure: Disclosure, frame: Frame, last: MarkedImage | None) -> MarkedImage | None:
        """Return the picture that may leave; the ``last`` one again if it is to be held; None if there is none.
        Raises ValueError for a stamp that is not from this ``disclosure``."""
        if self.stamped is None:
            return disclosure.again(last, frame=frame, reasons=self.reasons) if last is not None else None
        return disclosure.release(
            self.stamped,
            frame=frame,
            swapped=self.swapped,
            covered=self.covered,
            reasons=self.reasons,
            stages=self.stages,
        )


class Pipeline:
    """One per session, used by one thread at a time. ``lookout`` detects heads that must be covered; ``renderer``
    swaps the faces; ``mapping`` assigns sources to people, by default the first source to everybody. ``on_event``
    receives messages about failures. ``separate``: creates a tracker for each frame, if every frame is a picture by
    itself. ``spans``: collects the time of each stage, if other code adds to it too."""

    def __init__(
        self,
        tracker: Tracker,
        renderer: Renderer,
        *,
        lookout: Lookout,
        policy: Policy,
        on_event: Callable[[str], None],
        mapping: SourceMapping | None = None,
        separate: Callable[[], Tracker] | None = None,
        spans: Spans | None = None,
    ) -> None:
        self._tracker = tracker
        self._lookout = lookout
        self._badges = BadgeReader()
        self._renderer = renderer
        self.mapping = mapping or SourceMapping()
        self._policy = policy
        self._on_event = on_event
        self.separate = separate
        self.lock = threading.RLock()
        """Held while a frame is processed. Its holder may change the parts and run their networks."""
        self._guard = self._new_guard()
        self._spans = spans or Spans()
        self._failed = self._failed_before = False
        self._told_of_doubt = False
        self._shown = self._was_blind = False
        self._ids: set[int] = set()
        self._settled: list[Box] = []
        """Where faces were swapped in the last frame."""
        self._hidden: set[int] = set()
        """Who was hidden in the last frame."""
        self._anew = False
        self.people: tuple[Role, ...] = ()
        """Who was followed in the last frame, and the number of the source each got."""
        self.swapping = True
        """False: faces are tracked and covered (or shown, with pass-through)."""

    def follow_anew(self) -> None:
        """Forget the followed person from the next frame on, as if the stream had just begun."""
        self._anew = True

    def use(
        self,
        renderer: Renderer | None = None,
        mapping: SourceMapping | None = None,
        policy: Policy | None = None,
    ) -> None:
        """Use another renderer, mapping or policy from the next frame on (None: the same); whoever is followed
        stays followed."""
        with self.lock:
            self._renderer, self.mapping = renderer or self._renderer, mapping or self.mapping
            self._policy = policy or self._policy
            self._guard.use(empty_after_s=self._policy.empty_after_s, others_shown=self._policy.others_shown)

    def end(self) -> None:
        """Forget everybody, so that the swappers can be used for another stream."""
        self._forget_ended(set())

    def process(self, frame: Frame, quality: Quality) -> Outcome:
        """Process a frame. Raises FaceLost with ``stop``, and InputError for anything but a picture. After any other
        failure the picture is covered, or the last safe one held."""
        with self.lock:
            return self._process(_writable(frame), quality)

    def _process(self, frame: Frame, quality: Quality) -> Outcome:
        now = frame.captured_at if frame.time_s is None else frame.time_s
        size = frame.image.shape[1], frame.image.shape[0]
        if self.separate is not None:
            self._begin(self.separate())
        if self._anew:
            self._anew = False
            self._reset()
        self._failed = False
        settled, self._settled = self._settled, []
        try:
            with self._spans("look"):
                sighting = self._lookout.look(frame.image, settled)
                badges = self._badges_among(frame.image, sighting.heads)
                sighting = replace(sighting, heads=_without(sighting.heads, badges))
            with self._spans("track"):
                tracks = list(self._tracker.update(frame, quality, sighting))
                others = list(self._tracker.others)
                roles = self.mapping.assign(frame.image, tracks, now)
            with self._spans("look"):
                followed = [track for track in tracks if track.measured]
                sighting = self._lookout.look_beside(frame.image, followed)
                badges += self._badges_among(frame.image, sighting.beside)
                heads, beside = (_without(heads, badges) for heads in (sighting.heads, sighting.beside))
                sighting = replace(sighting, heads=heads, beside=beside)
        except Exception as error:  # noqa: BLE001 - whatever breaks, the picture must be covered
            self._note_failure("tracking failed", error)
            self._reset()
            self.people = ()
            boxes, swapping = self._guard.fail(now, size), self.swapping
            outcome = self._render(frame, lambda render: self._compose(render, boxes, Swaps(), swapping))
        else:
            self.people = tuple(roles)
            outcome = self._render(
                frame, lambda render: self._work(render, roles, quality, now, size, sighting, others)
            )
            self._forget_ended({track.id for track in tracks})
        self._shown = self._shown or outcome.stamped is not None
        self._failed_before = self._failed
        return outcome

    def _badges_among(self, image: Image, heads: Sequence[Head]) -> list[Box]:
        return [head.box for head in heads if self._badges.is_badge(image, head.box)]

    def _begin(self, tracker: Tracker) -> None:
        """Reset, as if no frame had been processed."""
        self._tracker = tracker  # a new one: ids begin at 1 again, and so does the grain that goes by them
        self._reset()
        self._forget_ended(set())
        self._guard, self._shown, self._settled = self._new_guard(), False, []

    def _new_guard(self) -> Guard:
        policy, photos = self._policy, self.separate is not None
        return Guard(empty_after_s=policy.empty_after_s, others_shown=policy.others_shown, photos=photos)

    def _reset(self) -> None:
        """Forget every person."""
        self._tracker.reset()
        self._lookout.reset()
        self.mapping.reset()

    def _render(self, frame: Frame, work: Callable[[FrameRender], Outcome]) -> Outcome:
        """Return the result of ``work`` on a frame. If that fails, the whole frame is covered; if that fails too, the
        last safe picture is held."""
        try:
            return work(self._renderer.begin(frame.image))
        except FaceLost:
            raise
        except Exception as error:  # noqa: BLE001 - nothing leaves that is half done
            self._note_failure("rendering failed", error)
        reasons = frozenset({Reason.FAILURE})
        if self._policy.on_failure == "stop" and self._guard.watching:
            raise FaceLost("the face was lost", do="Leave out --on-failure stop to cover the face instead.")
        try:
            render = self._renderer.begin(frame.image)
            height, width = frame.image.shape[:2]
            render.cover(np.array([0, 0, width, height], np.float32), "blur")
            return Outcome(render.deliver(), 0, 1, self._spans.take(), reasons)
        except Exception as error:  # noqa: BLE001 - as above
            self._note_failure("covering failed", error)
        return Outcome(None, 0, 1, self._spans.take(), reasons)

    def _work(
        self,
        render: FrameRender,
        roles: Sequence[Role],
        quality: Quality,
        now: float,
        size: tuple[int, int],
        sighting: Sighting,
        others: Sequence[Box],
    ) -> Outcome:
        """Swap, and cover what is bare. The verdict that comes with the picture may reject a swap: that picture is
        not output, and the frame is processed again without it."""
        swapping = self.swapping
        tracks = [track for track, _ in roles]
        self._hidden = _hidden(tracks, self._hidden)
        meant = [(track, source) for track, source in roles if source is not None and swapping]
        pairs = [(track, source) for track, source in meant if track.id not in self._hidden]
        unswapped = {track.id: Reason.OTHERS if swapping else Reason.OFF for track, _ in roles}
        unswapped |= {track.id: Reason.HIDDEN for track, _ in meant}
        for track, _ in pairs:
            unswapped.pop(track.id, None)  # a faulty tracker may give one face twice

        def judged(swaps: Swaps) -> list[Box]:
            why = Reason.HIDDEN if swaps.failure is None else Reason.FAILURE
            return self._guard.judge(now, size, tracks, dict.fromkeys(swaps.bare, why) | unswapped, sighting, others)

        swaps = render.swap(pairs, quality=quality, now=now, stages=self._spans) if pairs else Swaps()
        self._tell_of(swaps)
        boxes = judged(swaps)
        self._tell_of_covers()
        outcome = self._compose(render, boxes, swaps, swapping)
        if pairs and outcome.stamped is not None and (verdict := render.verdict()) != swaps:
            if verdict.failure is not swaps.failure:
                self._tell_of(verdict)
            swaps, boxes = verdict, judged(verdict)
            render.restart()
            outcome = self._compose(render, boxes, swaps, swapping)
        self._settled = [track.box for track in tracks if track.measured and track.id in swaps.done]
        return outcome

    def _compose(self, render: FrameRender, boxes: Sequence[Box], swaps: Swaps, swapping: bool) -> Outcome:
        """Cover first, then paste: next to a swap, what a doubtful place shows is covered."""
        covering = bool(boxes) and not self._policy.pass_through
        asked = self._policy.on_failure if swapping else "blur"  # switched off is no failure
        reasons = self._guard.reasons if covering else frozenset()
        if covering and asked == "stop" and self._guard.lost:
            raise FaceLost("the face was lost", do="Leave out --on-failure stop to cover the face instead.")
        if asked == "hold" and self._guard.watching and self._shown and reasons - {Reason.OTHERS, Reason.DOUBT}:
            return Outcome(None, 0, count_places(boxes), self._spans.take(), reasons)
        if covering:
            with self._spans("cover"):
                style = "pixelate" if self._policy.on_failure == "pixelate" else "blur"
                for box in boxes:
                    render.cover(box, style)
        with self._spans("paste"):
            render.paste()
        with self._spans("deliver"):
            stamped = render.deliver()
        covered = count_places(boxes) if covering else 0
        return Outcome(stamped, len(swaps.done), covered, self._spans.take(), reasons)

    def _tell_of(self, swaps: Swaps) -> None:
        if swaps.failure is not None:
            self._note_failure("swapping failed", swaps.failure)

    def _tell_of_covers(self) -> None:
        """Report once in a row why the whole picture is covered, and once that another head is. Nothing is reported
        while the swap is switched off."""
        if self._policy.pass_through or not self.swapping:
            return
        if self._guard.blind and not self._was_blind and self.separate is None:
            self._on_event(
                "no face found yet: the whole picture is covered. If nobody is in view, frames are shown unchanged "
                f"after {self._policy.empty_after_s:g} s (--empty-after)"
            )
        self._was_blind = self._guard.blind
        if not self._told_of_doubt and self._guard.reasons & {Reason.OTHERS, Reason.DOUBT}:
            self._told_of_doubt = True
            hint = "" if self.mapping.everyone else "--faces all swaps everybody, "
            self._on_event(f"a head that is not swapped is covered. {hint}--others show shows others")

    def _note_failure(self, what: str, error: Exception) -> None:
        """Report a failure once per row of failing frames."""
        if not self._failed and not self._failed_before:
            self._on_event(f"{what}: {described(error)}")
        self._failed = True

    def _forget_ended(self, ids: set[int]) -> None:
        for ended in self._ids - ids:
            self._renderer.forget(ended)
        self._ids = ids


def _hidden(tracks: Sequence[Track], before: set[int]) -> set[int]:
    """Ids of the faces of which too little is seen; of those that were hidden ``before`` more must be."""
    seen = {track.id: np.count_nonzero(track.visibility >= SEEN) / len(track.visibility) for track in tracks}
    return {id_ for id_, share in seen.items() if share < LEAST_SIGHT + MORE_SIGHT * (id_ in before)}


def _without(heads: Sequence[Head], boxes: Sequence[Box]) -> tuple[Head, ...]:
    return tuple(head for head in heads if not any(np.array_equal(head.box, box) for box in boxes))


def _writable(frame: Frame) -> Frame:
    """Return the frame with a picture that can be changed in place: itself, or a copy if it is read-only or not
    contiguous."""
    image = frame.image
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise InputError(
            "the input gave no picture",
            expected="uint8, height x width x 3",
            got=f"{image.dtype}, {' x '.join(map(str, image.shape))}",
        )
    usable = image.flags.writeable and image.strides[1:] == (3, 1) and image.strides[0] > 0
    return frame if usable else replace(frame, image=image.copy("C"))
