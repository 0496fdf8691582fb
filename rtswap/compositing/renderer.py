"""Render the faces of a frame in host memory, one after the other or, if a method can, in one run of its network:
crop, swap, finish, and check the result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtswap.core.protocols import BatchSwapper, Canvas, Finish, Stages, Stamp, Swapper
from rtswap.core.types import (
    Box,
    Image,
    Mask,
    Matrix,
    Pair,
    Points,
    Quality,
    StampedImage,
    SwappedFace,
    Swaps,
    Target,
    Track,
    View,
)
from rtswap.vision.geometry import scale_of, transform

LARGEST_FACE = 3.0
"""Maximum length of a face, in longest sides of the picture: a longer mesh is wrong, and would take seconds."""
LEAST_REPLACED = 0.45
"""Share of a face's landmarks that a swap must replace, at least by half. Less would be the target with make-up.
After the finishes it applies to the visible landmarks: those that the landmark network also considers hidden may
stay, those that only a mask considers hidden may not."""
SEEN = 0.5
"""Visibility from which a landmark counts as visible."""
LEAST_SEEN = 0.75
"""Share of a face's landmarks that are visible when it faces the camera, hardly turned."""
LEAST_SIGHT = 0.4
"""Minimum share of visible landmarks: with fewer, the mesh is guessed."""
EVERY_ROW = 16
"""Every n-th row of a crop is compared with the target's, the middle one among them."""


class TooHidden(Exception):
    """So much of the face is hidden that almost nothing would be replaced. A cup in front of it is not an error."""


class HostRenderer:
    """Implements ``protocols.Renderer``. ``swappers``: one per source. ``canvas`` creates a canvas from a frame's
    picture. ``stamp`` marks the delivered frames. ``finishes``: the steps between swap and paste, in order.
    ``partial``: the user wants parts of the target's own face to show."""

    def __init__(
        self,
        swappers: Sequence[Swapper],
        *,
        canvas: Callable[[Image], Canvas],
        stamp: Stamp,
        finishes: Sequence[Finish] = (),
        partial: bool = False,
    ) -> None:
        self.swappers, self.finishes, self.partial = list(swappers), list(finishes), partial
        self.stamp, self._canvas = stamp, canvas

    def begin(self, image: Image) -> HostFrameRender:
        return HostFrameRender(self, self._canvas(image), LARGEST_FACE * max(image.shape[:2]))

    def forget(self, track_id: int) -> None:
        """Drop the state of a track that has ended."""
        for swapper in self.swappers:
            swapper.forget(track_id)
        for step in self.finishes:
            step.forget(track_id)


class HostFrameRender:
    """Implements ``protocols.FrameRender``."""

    def __init__(self, renderer: HostRenderer, canvas: Canvas, largest_px: float) -> None:
        self._renderer, self._canvas, self._largest_px = renderer, canvas, largest_px
        self._faces: list[tuple[SwappedFace, Matrix]] = []
        self._swaps = Swaps()

    def swap(self, pairs: Sequence[Pair], *, quality: Quality, now: float, stages: Stages) -> Swaps:
        """As ``protocols.FrameRender``."""
        done: list[int] = []
        bare: list[int] = []
        failure = None
        early = self._swap_together(pairs, quality, now, stages) if len(pairs) > 1 else {}
        for track, source in pairs:
            try:
                swapper = self._renderer.swappers[source]
                view, target, face = early.get(track.id) or (*self._cut(swapper, track, quality, now, stages), None)
                face = self._swap_one(swapper, target, face, quality, stages)
                self._faces.append((_own(face) if len(pairs) > 1 else face, view.matrix))
                done.append(track.id)
            except TooHidden:
                bare.append(track.id)
            except Exception as error:  # noqa: BLE001 - whatever breaks, the face must be covered
                failure = error
                bare.append(track.id)
        self._swaps = Swaps(tuple(done), tuple(bare), failure)
        return self._swaps

    def _cut(
        self, swapper: Swapper, track: Track, quality: Quality, now: float, stages: Stages
    ) -> tuple[View, Target]:
        check_landmarks(track.landmarks, self._largest_px)
        view = check_view(View(*swapper.view(track.landmarks, quality.max_face_px)))
        with stages("crop"):
            crop = self._canvas.crop(*view)
        landmarks = transform(view.matrix, track.landmarks)
        crop, landmarks, visibility = _read_only(crop), _read_only(landmarks), _read_only(track.visibility)
        return view, Target(track.id, crop, landmarks, visibility, now)

    def _swap_together(
        self, pairs: Sequence[Pair], quality: Quality, now: float, stages: Stages
    ) -> dict[int, tuple[View, Target, SwappedFace]]:
        """Return by track the faces that share runs of a network. If a run fails, each missing face is swapped on its
        own, so that only the faulty one fails."""
        early: dict[int, tuple[View, Target, SwappedFace]] = {}
        try:
            groups: dict[int, list[tuple[BatchSwapper, Track]]] = {}
            for track, source in pairs:
                swapper = self._renderer.swappers[source]
                if isinstance(swapper, BatchSwapper) and swapper.batch is not None:
                    groups.setdefault(id(swapper.batch), []).append((swapper, track))
            for group in (group for group in groups.values() if len(group) > 1):
                cut = [self._cut(swapper, track, quality, now, stages) for swapper, track in group]
                targets = [target for _, target in cut]
                with stages("swap"):
                    swappers = [swapper for swapper, _ in group]
                    faces = swappers[0].swap_together(list(zip(swappers, targets, strict=True)), quality)
                for (view, target), face in zip(cut, faces, strict=True):
                    early[target.track_id] = view, target, _own(face)
        except Exception:  # noqa: BLE001 - each is tried again on its own, and covered if that fails
            return early
        return early

    def _swap_one(
        self, swapper: Swapper, target: Target, face: SwappedFace | None, quality: Quality, stages: Stages
    ) -> SwappedFace:
        """``face``: the result, if it was swapped together with others; None: still to be swapped."""
        if face is None:
            with stages("swap"):
                face = swapper.swap(target, quality)
        _check_form(face, target)
        check_replaced(_share_replaced(face.mask, target.landmarks), target.visibility)
        if self._renderer.finishes:
            with stages("finish"):
                for step in self._renderer.finishes:
                    face = step.apply(face, target, quality)
            _check_form(face, target)
            if not self._renderer.partial:
                check_shown(_share_replaced(face.mask, at_stake(target.landmarks, target.visibility)))
        return face

    def cover(self, box: Box, style: str) -> None:
        """As ``protocols.Canvas``."""
        self._canvas.cover(box, style)

    def paste(self) -> None:
        """As ``protocols.FrameRender``."""
        for face, matrix in self._faces:
            self._canvas.paste(face.crop, face.mask, matrix)

    def deliver(self) -> StampedImage:
        """As ``protocols.FrameRender``."""
        return self._renderer.stamp.apply(self._canvas.image())

    def verdict(self) -> Swaps:
        """Return the result of ``swap``, which has checked all pixels."""
        return self._swaps

    def restart(self) -> None:
        """Never called."""


def check_landmarks(landmarks: Points, largest_px: float) -> None:
    """Raises ValueError for a mesh that is out of bounds."""
    if not np.isfinite(landmarks).all():
        raise ValueError("landmarks that are not finite")
    if np.ptp(landmarks[:, :2], axis=0).max() > largest_px:
        raise ValueError("a face far larger than the picture")


def check_view(view: View) -> View:
    """Raises ValueError if nothing can be pasted back from the view."""
    if not scale_of(view.matrix) > 0:
        raise ValueError("a view matrix that cannot be inverted")
    return view


def check_replaced(share: float, visibility: NDArray[np.float32]) -> None:
    """``share``: of all landmarks, after the swap; ``visibility``: theirs. Raises TooHidden if so little of the face
    is visible that little can be replaced, or its position is unknown; otherwise ValueError: the target would be left
    bare."""
    seen = np.count_nonzero(visibility >= SEEN)
    if seen < LEAST_SIGHT * len(visibility):
        raise TooHidden
    if not share >= LEAST_REPLACED:
        if seen < LEAST_SEEN * len(visibility):
            raise TooHidden
        raise ValueError(
            "the swapper's mask covers too little of the face; train it longer, or use another --swapper"
        )


def check_shown(share: float) -> None:
    """``share``: of the visible landmarks, after the finishes, which may leave hidden places to the target. Raises
    TooHidden."""
    if share < LEAST_REPLACED:
        raise TooHidden


def check_changed(changed: bool) -> None:
    """Raises ValueError if a swapped face is the target's own."""
    if not changed:
        raise ValueError("the target's own face, not swapped")


def at_stake(landmarks: Points, visibility: NDArray[np.float32]) -> Points:
    """Return the visible landmarks."""
    return np.asarray(landmarks[visibility >= SEEN], np.float32)


def first_row(height: int) -> int:
    """Return the rows that are compared."""
    return height // 2 % EVERY_ROW


def pixels_of(landmarks: Points, size: tuple[int, int]) -> tuple[NDArray[np.intp], NDArray[np.intp], int]:
    """Return columns and rows of every other landmark that lies in a crop of ``size``, and the number of landmarks
    considered."""
    x, y = landmarks[::2, :2].T
    inside = (x >= 0) & (y >= 0) & (x < size[0]) & (y < size[1])
    return x[inside].astype(np.intp), y[inside].astype(np.intp), len(x)


def share_of(replaced: int, asked: int) -> float:
    """Return the share; 1 if no landmark is considered."""
    return replaced / asked if asked else 1.0


def _own(face: SwappedFace) -> SwappedFace:
    """A face whose memory nobody uses for the next one, as a network or a plugin may."""
    return SwappedFace(np.array(face.crop), np.array(face.mask))


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    """What the swapper left of a target would be compared with what it gives back."""
    view = array.view()
    view.flags.writeable = False
    return view


def _check_form(face: SwappedFace, target: Target) -> None:
    shape = target.crop.shape
    if face.crop.dtype != np.uint8 or face.crop.shape != shape:
        raise ValueError(f"a swapped face of {face.crop.dtype} {face.crop.shape}, expected uint8 {shape}")
    if face.mask.dtype != np.uint8 or face.mask.shape != shape[:2]:
        raise ValueError(f"a mask of {face.mask.dtype} {face.mask.shape}, expected uint8 {shape[:2]}")
    rows = slice(first_row(shape[0]), None, EVERY_ROW)
    check_changed(not np.array_equal(face.crop[rows], target.crop[rows]))


def _share_replaced(mask: Mask, landmarks: Points) -> float:
    """Return the share of the landmarks at which the mask replaces the target at least by half."""
    x, y, asked = pixels_of(landmarks, (mask.shape[1], mask.shape[0]))
    return share_of(int(np.count_nonzero(mask[y, x] >= 128)), asked)
