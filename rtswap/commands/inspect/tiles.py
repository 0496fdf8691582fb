"""Draw the pictures of a contact sheet: an enlarged face with overlays, and the complete frame as an inset."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from rtswap.commands.inspect.overlay import draw_masks, draw_mesh, state_of
from rtswap.commands.inspect.probes import Probe
from rtswap.core.types import Box, Image
from rtswap.drawing.strokes import NIGHT, PAPER, STATES, FrameView, rectangle

SIDE = 240
SMALL = 76
"""Width of the inset with the complete frame."""
ROOM = 1.7
"""Side of the view, as a multiple of the longest side of the face's box."""
FAR = 1.5
"""If faces are farther apart than this many face sizes, show only the largest."""


@dataclass(slots=True)
class Tiles:
    """Stores the last box of each face, so that a lost face can be shown."""

    with_swap: bool
    _boxes: dict[int, Box] = field(default_factory=dict)

    def look(self, watch: Probe) -> None:
        """Store the boxes of the current frame; call once per frame."""
        if len(self._boxes) > 64:
            self._boxes.clear()
        for track in watch.tracks:
            self._boxes[track.id] = track.box

    def draw(
        self, before: Image, after: Image | None, watch: Probe, face: int | None, mark: Callable[[Image], None]
    ) -> Image:
        """Return (SIDE, SIDE, 3), or twice as wide with the swap beside it. ``face`` None: all faces near the
        largest. ``mark`` marks the part that shows a swap, in place."""
        view = self._view(before, watch, face)
        tile = view.picture(before)
        for track in watch.tracks:
            if track.id in watch.masks:
                draw_masks(tile, view, watch.masks[track.id])
            draw_mesh(tile, view, track, wires=False)
            rectangle(tile, view.box(track.box), STATES[state_of(watch, track)], 2)
        if face is not None and face in self._boxes and all(track.id != face for track in watch.tracks):
            rectangle(tile, view.box(self._boxes[face]), STATES["lost"], 2)
        _put_small(tile, before, view)
        if not self.with_swap:
            return tile
        swap = view.picture(after) if after is not None else np.full_like(tile, NIGHT)
        mark(swap)
        return np.hstack([tile, swap])

    def _view(self, frame: Image, watch: Probe, face: int | None) -> FrameView:
        shown = [track.box for track in watch.tracks if face is None or track.id == face]
        if not shown and face in self._boxes and face is not None:
            shown = [self._boxes[face]]
        height, width = frame.shape[:2]
        if not shown:
            return FrameView.around(np.array([width, height]) / 2, float(max(width, height)), (SIDE, SIDE))
        boxes = np.stack(shown)
        if float(np.ptp(boxes, axis=0).max()) > FAR * float((boxes[:, 2:] - boxes[:, :2]).max()):
            boxes = boxes[[int(np.argmax((boxes[:, 2:] - boxes[:, :2]).max(1)))]]
        low, high = boxes[:, :2].min(0), boxes[:, 2:].max(0)
        side = ROOM * float((high - low).max()) if len(boxes) == 1 else 1.25 * float((high - low).max())
        return FrameView.around((low + high) / 2, side, (SIDE, SIDE))


def _put_small(tile: Image, frame: Image, view: FrameView) -> None:
    """Draw the complete frame in the upper right corner, with a box around the tile's view."""
    height, width = frame.shape[:2]
    size = SMALL, max(8, round(SMALL * height / width))
    if size[1] > SIDE // 2:
        return
    whole = FrameView.whole((width, height), size)
    small = whole.picture(frame)
    corners = np.array([[0, 0], [SIDE, SIDE]], np.float32) - view.matrix[:, 2]
    rectangle(small, np.clip(whole.points(corners / view.matrix[0, 0]), 0, np.array(size) - 1).reshape(4), PAPER)
    tile[: size[1] + 2, SIDE - SMALL - 2 :] = PAPER
    tile[: size[1], SIDE - SMALL :] = small
