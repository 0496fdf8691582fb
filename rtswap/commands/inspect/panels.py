"""Draw a frame of the annotated clip: the frame, the swap beside it, close-ups of faces, and their figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rtswap.commands.inspect.figures import FaceFigures
from rtswap.commands.inspect.overlay import draw_boxes, draw_masks, draw_mesh, state_of
from rtswap.commands.inspect.probes import Probe
from rtswap.core.text import clock
from rtswap.core.types import Image, Track
from rtswap.drawing.strokes import (
    AMBER,
    BOLD,
    GREY,
    NIGHT,
    PALE,
    PAPER,
    STATES,
    TEAL,
    VIOLET,
    FrameView,
    label,
    text,
)

LOWEST, HIGHEST, HIGHEST_OF_TWO = 480, 720, 540
"""Minimum and maximum height of the frame in the annotated clip, px; the last one with the swap beside it."""
HEAD, LINE = 32, 26
CLOSE = 1.9
"""Side of a close-up, as a multiple of the longest side of the face's box."""
FOLLOW = 0.15
"""Share of the distance that a close-up moves per frame: slow, so that jitter stays visible."""


@dataclass(slots=True)
class CloseUp:
    """A view that follows one face smoothly."""

    middle: NDArray[np.float64] | None = None
    side: float = 100.0

    def view(self, track: Track | None, size: int) -> FrameView | None:
        """Return the view around the face, or its last place; None before the first face."""
        if track is not None:
            box = track.box.astype(np.float64)
            middle, side = (box[:2] + box[2:]) / 2, CLOSE * float((box[2:] - box[:2]).max())
            if self.middle is None or np.abs(middle - self.middle).max() > 0.25 * self.side:
                self.middle, self.side = middle, side
            self.middle = self.middle + FOLLOW * (middle - self.middle)
            self.side += FOLLOW * (side - self.side)
        return FrameView.around(self.middle, self.side, (size, size)) if self.middle is not None else None


@dataclass(slots=True)
class Panels:
    """Draws the frames of one clip, all of one size. ``faces``: number of close-ups and lines of figures."""

    frame_size: tuple[int, int]
    clip: str
    faces: int
    with_swap: bool
    _close: dict[int, CloseUp] = field(default_factory=dict)

    def draw(
        self,
        before: Image,
        after: Image | None,
        watch: Probe,
        figures: Sequence[FaceFigures],
        *,
        index: int,
        time_s: float,
        mark: Callable[[Image], None],
    ) -> Image:
        """Return the annotated frame, (H, W, 3) BGR uint8. ``mark`` marks the part that shows a swap, in place."""
        wide, high = self._panel()
        half = high // 2
        count = 2 if self.with_swap else 1
        picture = np.full((HEAD + high + LINE * self.faces + 6, wide * count + half * self.faces, 3), NIGHT, np.uint8)
        view = FrameView.whole((before.shape[1], before.shape[0]), (wide, high))
        shown = view.picture(before)
        for track in watch.tracks:
            draw_mesh(shown, view, track, wires=False)
        draw_boxes(shown, view, watch)
        picture[HEAD : HEAD + high, :wide] = shown
        if self.with_swap:
            swap = view.picture(after) if after is not None else np.full_like(shown, NIGHT)
            mark(swap)
            picture[HEAD : HEAD + high, wide : 2 * wide] = swap
        for column in range(self.faces):
            left = wide * count + half * column
            self._close_ups(picture[HEAD : HEAD + high, left : left + half], before, watch, column)
        self._words(picture, watch, figures, index, time_s)
        return picture

    def _panel(self) -> tuple[int, int]:
        """Return (width, height) of the frame's panel, both multiples of 4."""
        width, height = self.frame_size
        high = min(max(height, LOWEST), HIGHEST_OF_TWO if self.with_swap else HIGHEST)
        wide = min(round(high * width / height), 2 * high)
        return wide // 4 * 4, high // 4 * 4

    def _close_ups(self, region: Image, before: Image, watch: Probe, column: int) -> None:
        """Draw the close-ups of one face: the mesh above, the mask below."""
        half = region.shape[1]
        track = faces_to_show(watch.tracks, self.faces).get(column)
        view = self._close.setdefault(column, CloseUp()).view(track, half)
        if view is None:
            return
        upper, lower = view.picture(before), view.picture(before)
        if track is not None:
            draw_mesh(upper, view, track)
            if track.id in watch.masks:
                draw_masks(lower, view, watch.masks[track.id])
        region[:half], region[half : 2 * half] = upper, lower
        region[half - 1 : half + 1] = NIGHT
        region[:, :1] = NIGHT
        name = f"id {track.id}" if track is not None else "gone"
        label(region[:half], f"{name}: mesh", (0, half), NIGHT, 12)
        label(region[half : 2 * half], "mask", (0, half), NIGHT, 12)

    def _words(self, picture: Image, watch: Probe, figures: Sequence[FaceFigures], index: int, time_s: float) -> None:
        x = 12 + text(picture, self.clip, (12, 22), color=PAPER, weight=BOLD)
        x += 16 + text(picture, f"{clock(time_s, 2)}   frame {index}", (x + 16, 22), color=PALE)
        for word, color in (("swap shows", TEAL), ("in front of it", AMBER), ("photo's hair", VIOLET)):
            if word == "photo's hair" and not self.with_swap:
                continue
            x += 22
            picture[12:24, x : x + 12] = color
            x += 18 + text(picture, word, (x + 18, 22), size=13, color=PALE)
        top = picture.shape[0] - LINE * self.faces - 4
        by_id = {int(row.id): row for row in figures}
        for column, track in faces_to_show(watch.tracks, self.faces).items():
            y = top + LINE * (column + 1) - 8
            state = state_of(watch, track)
            x = 12 + text(picture, f"id {track.id}  {state}", (12, y), color=STATES[state], weight=BOLD)
            text(picture, words_of(by_id[track.id]), (max(x + 18, 150), y), size=14, color=PALE)
        if not watch.tracks:
            text(picture, "no face tracked", (12, top + LINE - 8), color=GREY, weight=BOLD)


def faces_to_show(tracks: Sequence[Track], most: int) -> dict[int, Track]:
    """Return column -> face: the ``most`` largest faces in the order of their ids."""
    largest = sorted(tracks, key=lambda track: -float(np.ptp(track.landmarks[:, 0])))[:most]
    return dict(enumerate(sorted(largest, key=lambda track: track.id)))


def words_of(row: FaceFigures) -> str:
    """Return one face's figures as a line of text."""
    parts = [
        f"confidence {row.confidence:.2f}",
        f"presence {row.presence:.2f}" if row.presence == row.presence else "",
        f"visible {row.visible:.0%}",
        f"mask {row.mask:.0%}" if row.mask == row.mask else "",
        f"yaw {row.yaw:+.0f}°  pitch {row.pitch:+.0f}°  roll {row.roll:+.0f}°",
        f"jitter {row.jitter:.1%}" if row.jitter == row.jitter else "",
    ]
    return "   ".join(part for part in parts if part)
