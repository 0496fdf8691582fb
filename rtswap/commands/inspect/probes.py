"""Wrappers around parts of the loop that record their data, so that the loop runs exactly as in a live session."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from rtswap.core.protocols import Canvas, Finish, LandmarkModel, Swapper, Tracker
from rtswap.core.types import (
    Box,
    Frame,
    Image,
    Mask,
    Matrix,
    Mesh,
    Points,
    Quality,
    Sighting,
    SwappedFace,
    Target,
    Track,
)


@dataclass(slots=True)
class SeenMasks:
    """The masks of one face's swap, all (H, W) in pixels of its crop."""

    matrix: Matrix
    """Frame -> crop."""
    hull: Mask
    """The inside of the face's outline."""
    after: list[tuple[str, Mask]]
    """The mask after each step, in order: the swapper's ``skin``, then every finish by name."""

    @property
    def final(self) -> Mask:
        return self.after[-1][1]

    def share(self, mask: Mask) -> float:
        """Return ``mask`` as a share of the hull, 0..1."""
        whole = int(self.hull.sum(dtype=np.int64))
        return min(1.0, float(mask.sum(dtype=np.int64)) / whole) if whole else 0.0

    def lost(self) -> dict[str, float]:
        """Return step -> share of the hull that it removed."""
        before = [1.0, *(self.share(mask) for _, mask in self.after)]
        return {name: max(0.0, before[n] - before[n + 1]) for n, (name, _) in enumerate(self.after)}


@dataclass(slots=True)
class Probe:
    """The observations of the current frame."""

    meshes: list[Mesh] = field(default_factory=list)
    """Meshes from the landmark network, before smoothing."""
    tracks: list[Track] = field(default_factory=list)
    masks: dict[int, SeenMasks] = field(default_factory=dict)
    """Track id -> masks."""
    covered: list[Box] = field(default_factory=list)
    """Boxes that would be covered because no swap hides the face."""
    pasted: list[Matrix] = field(default_factory=list)
    """Matrices of the crops that were pasted."""

    def clear(self) -> None:
        for part in (self.meshes, self.tracks, self.masks, self.covered, self.pasted):
            part.clear()

    def swapped(self, track: Track) -> bool:
        """Tell whether the swap of this face was pasted; if not, the face was covered."""
        seen = self.masks.get(track.id)
        return seen is not None and any(matrix is seen.matrix for matrix in self.pasted)

    def raw(self, track: Track) -> Mesh | None:
        """Return the unsmoothed mesh of a measured track: the nearest one of the latest pass; None without one."""
        if not track.measured or not self.meshes:
            return None
        off = [float(np.abs(mesh.points[:, :2] - track.landmarks[:, :2]).mean()) for mesh in reversed(self.meshes)]
        nearest = int(np.argmin(off))
        limit = 0.5 * float(np.ptp(track.landmarks[:, 0]))
        return self.meshes[-1 - nearest] if off[nearest] < limit else None


class LandmarkProbe:
    """A LandmarkModel that records its meshes."""

    def __init__(self, inner: LandmarkModel, watch: Probe) -> None:
        self._inner, self._watch = inner, watch

    def find(self, image: Image, faces: Sequence[Points]) -> list[Mesh]:
        """See ``protocols.LandmarkModel``."""
        found = self._inner.find(image, faces)
        self._watch.meshes += found
        return found


class TrackerProbe:
    """A Tracker that records its tracks."""

    def __init__(self, inner: Tracker, watch: Probe) -> None:
        self._inner, self._watch = inner, watch

    def update(self, frame: Frame, quality: Quality, sighting: Sighting | None = None) -> list[Track]:
        """See ``protocols.Tracker``."""
        tracks = self._inner.update(frame, quality, sighting)
        self._watch.tracks[:] = tracks
        return tracks

    @property
    def others(self) -> Sequence[Box]:
        """See ``protocols.Tracker``."""
        return self._inner.others

    def reset(self) -> None:
        """See ``protocols.Tracker``."""
        self._inner.reset()


class SwapperProbe:
    """A Swapper that records its masks. ``plain``: the same swapper without the skin mask, to find what that mask
    removes; None if there is no skin mask."""

    def __init__(self, inner: Swapper, plain: Swapper | None, watch: Probe) -> None:
        self._inner, self._plain, self._watch = inner, plain, watch
        self._matrix: Matrix = np.eye(2, 3, dtype=np.float32)

    def view(self, landmarks: Points, max_px: int) -> tuple[Matrix, tuple[int, int]]:
        """See ``protocols.Swapper``."""
        self._matrix, size = self._inner.view(landmarks, max_px)
        return self._matrix, size

    def swap(self, face: Target, quality: Quality) -> SwappedFace:
        """See ``protocols.Swapper``."""
        swapped = self._inner.swap(face, quality)
        own = swapped.mask.copy()
        hull = self._plain.swap(face, quality).mask.copy() if self._plain is not None else own
        self._watch.masks[face.track_id] = SeenMasks(self._matrix, hull, [("skin", own)])
        return swapped

    def forget(self, track_id: int) -> None:
        """See ``protocols.Swapper``."""
        for part in (self._inner, self._plain):
            if part is not None:
                part.forget(track_id)


class FinishProbe:
    """A Finish that records its mask under ``name`` if it changes the mask."""

    def __init__(self, inner: Finish, name: str, watch: Probe) -> None:
        self._inner, self._name, self._watch = inner, name, watch

    def apply(self, swapped: SwappedFace, target: Target, quality: Quality) -> SwappedFace:
        """See ``protocols.Finish``."""
        finished = self._inner.apply(swapped, target, quality)
        seen = self._watch.masks.get(target.track_id)
        if seen is not None and not np.array_equal(seen.final, finished.mask):
            seen.after.append((self._name, finished.mask.copy()))
        return finished

    def forget(self, track_id: int) -> None:
        """See ``protocols.Finish``."""
        self._inner.forget(track_id)


class CanvasProbe:
    """A Canvas that records pastes and covers."""

    def __init__(self, inner: Canvas, watch: Probe) -> None:
        self._inner, self._watch = inner, watch

    def crop(self, matrix: Matrix, size: tuple[int, int]) -> Image:
        """See ``protocols.Canvas``."""
        return self._inner.crop(matrix, size)

    def paste(self, crop: Image, mask: Mask, matrix: Matrix) -> None:
        """See ``protocols.Canvas``."""
        self._watch.pasted.append(matrix)
        self._inner.paste(crop, mask, matrix)

    def cover(self, box: Box, style: str) -> None:
        """See ``protocols.Canvas``."""
        self._watch.covered.append(box)
        self._inner.cover(box, style)

    def image(self) -> Image:
        """See ``protocols.Canvas``."""
        return self._inner.image()
