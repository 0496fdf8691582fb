"""One frame in, one picture out, in the order a pixel lives it:

track, and for each face crop, swap, paste; what could not be swapped is covered before anything leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from rtswap.errors import FaceLost, InputError, RtswapError
from rtswap.geometry import scale_of, transform
from rtswap.guard import Guard
from rtswap.metrics import Spans
from rtswap.protocols import Canvas, Finish, Swapper, Tracker
from rtswap.types import AlignedFace, Box, Frame, Image, Mask, Matrix, Points, Quality, SwappedFace, Track

MAX_FAILURES = 60
"""Frames in a row that may fail before the session ends: two seconds at 30 fps."""
LARGEST_FACE = 3.0
"""Longest sides of the picture that a face may be long: beyond it a mesh has gone wild, and would take seconds."""
LEAST_REPLACED = 0.25
"""Share of a face's landmarks that a swap must replace, at least by half. Less would be the target with make-up.
After the finishes it is asked of the landmarks that can be seen: what the landmark network too takes for hidden may
stay, what only a mask takes for hidden may not."""
SEEN = 0.5
"""Visibility from which a landmark counts as seen."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What happens to a face that cannot be swapped."""

    on_failure: str = "blur"
    """blur, pixelate, hold or stop"""
    empty_after_s: float = 3.0
    pass_through: bool = False
    """True: the plain picture goes out instead. The real face shows."""
    partial: bool = False
    """True: the user wants parts of the target's own face to show."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a frame."""

    image: Image | None
    """None: hold the last safe picture."""
    swapped: int
    covered: int
    stages: dict[str, float]
    """Seconds per stage."""


class Pipeline:
    """One per session, used by one thread. ``swappers``: one per source; ``select`` chooses. ``finishes``: the steps
    between swap and paste, in order.

    ``canvas`` makes a Canvas of a frame's picture. ``on_event`` is told what went wrong. ``spans``: where
    the time of each stage is counted, if something else counts there too.
    """

    def __init__(
        self,
        tracker: Tracker,
        swappers: Sequence[Swapper],
        *,
        canvas: Callable[[Image], Canvas],
        policy: Policy,
        on_event: Callable[[str], None],
        finishes: Sequence[Finish] = (),
        spans: Spans | None = None,
    ) -> None:
        self._tracker = tracker
        self._swappers = list(swappers)
        self._swapper = self._swappers[0]
        self._finishes = list(finishes)
        self._canvas = canvas
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

    @property
    def source_count(self) -> int:
        return len(self._swappers)

    def select(self, index: int) -> None:
        """Put on the face of source ``index`` from the next frame on."""
        self._swapper = self._swappers[index]

    def follow_anew(self) -> None:
        """From the next frame on follow whoever is there, as if the stream had just begun."""
        self._anew = True

    def process(self, frame: Frame, quality: Quality) -> Outcome:
        """Raises FaceLost under ``stop``, InputError for what is no picture, and the cause when nothing has worked
        for ``MAX_FAILURES`` frames."""
        frame = _writable(frame)
        swapper = self._swapper if self.swapping else None
        now = frame.captured_at if frame.time_s is None else frame.time_s
        height, width = frame.image.shape[:2]
        canvas = self._canvas(frame.image)
        if self._anew:
            self._anew = False
            self._tracker.reset()
        try:
            with self._spans("track"):
                tracks = list(self._tracker.update(frame, quality))
        except Exception as error:  # noqa: BLE001 - whatever breaks, the picture must be covered
            self._note_failure("tracking failed", error)
            self._tracker.reset()
            return self._compose(canvas, self._guard.fail(now, (width, height)), [], swapper)
        pasted, bare, failure = self._swap(
            swapper, canvas, tracks, quality, now, largest_px=LARGEST_FACE * max(width, height)
        )
        boxes = self._guard.judge(now, (width, height), tracks, bare)
        self._tell_of_blindness()
        if failure is None or pasted:
            self._failures = 0
        if failure is not None:
            self._note_failure("swapping failed", failure)
        self._forget_ended(tracks)
        return self._compose(canvas, boxes, pasted, swapper)

    def _swap(
        self,
        swapper: Swapper | None,
        canvas: Canvas,
        tracks: Sequence[Track],
        quality: Quality,
        now: float,
        *,
        largest_px: float,
    ) -> tuple[list[tuple[SwappedFace, Matrix]], list[int], Exception | None]:
        """What to paste, the ids of the faces that cannot be swapped, and the error if one was the reason."""
        if swapper is None:
            return [], [track.id for track in tracks], None
        pasted: list[tuple[SwappedFace, Matrix]] = []
        bare: list[int] = []
        failure = None
        for track in tracks:
            try:
                _check_landmarks(track.landmarks, largest_px)
                pasted.append(self._swap_one(swapper, canvas, track, quality, now))
            except _TooHidden:
                bare.append(track.id)  # a cup before the face is no fault of ours, however long it stays there
            except Exception as error:  # noqa: BLE001 - whatever breaks, the face must be covered
                failure = error
                bare.append(track.id)
        return pasted, bare, failure

    def _swap_one(
        self, swapper: Swapper, canvas: Canvas, track: Track, quality: Quality, now: float
    ) -> tuple[SwappedFace, Matrix]:
        matrix, size = swapper.view(track.landmarks, quality.max_face_px)
        if not scale_of(matrix) > 0:
            raise ValueError("a view from which there is no way back")
        with self._spans("crop"):
            crop = canvas.crop(matrix, size)
        with self._spans("swap"):
            landmarks = transform(matrix, track.landmarks)
            target = AlignedFace(track.id, crop, landmarks, track.visibility, now)
            face = swapper.swap(target, quality)
        _check(face, target)
        if self._finishes:
            with self._spans("finish"):
                for step in self._finishes:
                    face = step.apply(face, target, quality)
            self._check_finished(face, target)
        return face, matrix

    def _check_finished(self, face: SwappedFace, target: AlignedFace) -> None:
        """The finishes may leave to the target what it hides itself, and what the user wants to keep."""
        _check_form(face, target)
        at_stake = target.landmarks[target.visibility >= SEEN]
        if not self._policy.partial and _share_replaced(face.mask, at_stake) < LEAST_REPLACED:
            raise _TooHidden

    def _compose(
        self,
        canvas: Canvas,
        boxes: Sequence[Box],
        pasted: Sequence[tuple[SwappedFace, Matrix]],
        swapper: Swapper | None,
    ) -> Outcome:
        """Cover first, then paste: where a swap lies on a doubtful place, what looks out beside it is covered."""
        covering = bool(boxes) and not self._policy.pass_through
        asked = self._policy.on_failure if swapper is not None else "blur"  # switched off is no failure
        if covering and asked == "stop" and self._guard.lost:
            raise FaceLost("the face was lost", do="Without --on-failure stop it would be covered instead.")
        if covering and asked == "hold" and self._guard.watching and self._shown:
            return Outcome(None, 0, len(boxes), self._spans.take())
        if covering:
            with self._spans("cover"):
                style = "pixelate" if self._policy.on_failure == "pixelate" else "blur"
                for box in boxes:
                    canvas.cover(box, style)
        with self._spans("paste"):
            for face, matrix in pasted:
                canvas.paste(face.crop, face.mask, matrix)
        self._shown = True
        return Outcome(canvas.image(), len(pasted), len(boxes) if covering else 0, self._spans.take())

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
            for swapper in self._swappers:
                swapper.forget(ended)
            for step in self._finishes:
                step.forget(ended)
        self._ids = ids


def _check_landmarks(landmarks: Points, largest_px: float) -> None:
    if not np.isfinite(landmarks).all():
        raise ValueError("landmarks that are no numbers")
    if np.ptp(landmarks[:, :2], axis=0).max() > largest_px:
        raise ValueError("a face far larger than the picture")


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


class _TooHidden(Exception):
    """So much is before the face that next to nothing of it would be replaced."""


def _check(face: SwappedFace, target: AlignedFace) -> None:
    """A swapper's answer that cannot be pasted, or that would leave the target bare, is a failure, not a picture."""
    _check_form(face, target)
    if not _share_replaced(face.mask, target.landmarks) >= LEAST_REPLACED:
        raise ValueError("a mask that leaves the face bare")


def _check_form(face: SwappedFace, target: AlignedFace) -> None:
    shape = target.crop.shape
    if face.crop.dtype != np.uint8 or face.crop.shape != shape:
        raise ValueError(f"a swapped face of {face.crop.dtype} {face.crop.shape}, expected uint8 {shape}")
    if face.mask.dtype != np.uint8 or face.mask.shape != shape[:2]:
        raise ValueError(f"a mask of {face.mask.dtype} {face.mask.shape}, expected uint8 {shape[:2]}")
    rows = slice(shape[0] // 2 % 16, None, 16)  # every 16th, the middle one among them
    if np.array_equal(face.crop[rows], target.crop[rows]):
        raise ValueError("the target's own face, not swapped")


def _share_replaced(mask: Mask, landmarks: Points) -> float:
    """Share of the landmarks that lie where the mask replaces the target; 1 where there are none."""
    if not len(landmarks):
        return 1.0
    height, width = mask.shape
    x, y = landmarks[::2, :2].T
    inside = (x >= 0) & (y >= 0) & (x < width) & (y < height)
    replaced = mask[y[inside].astype(int), x[inside].astype(int)] >= 128
    return float(np.count_nonzero(replaced)) / len(x)
