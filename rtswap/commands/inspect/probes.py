"""Parts of the loop that note what passes through them, so that the loop itself runs exactly as it does live."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from rtswap.core.protocols import Canvas, Finish, LandmarkModel, Swapper, Tracker
from rtswap.core.types import Box, Frame, Image, Mask, Matrix, Mesh, Points, Quality, SwappedFace, Target, Track


@dataclass(slots=True)
class SeenMasks:
    """Where one face's swap would show, all (H, W) in the pixels of its crop."""

    matrix: Matrix
    """Frame -> crop."""
    hull: Mask
    """Inside the face's outline."""
    after: list[tuple[str, Mask]]
    """What is left after each step, in order: the swapper's ``skin``, then every finish under its name."""

    @property
    def final(self) -> Mask:
        return self.after[-1][1]

    def share(self, mask: Mask) -> float:
        """Of the hull, 0..1."""
        whole = int(self.hull.sum(dtype=np.int64))
        return min(1.0, float(mask.sum(dtype=np.int64)) / whole) if whole else 0.0

    def lost(self) -> dict[str, float]:
        """Step -> share of the hull that it took away."""
        before = [1.0, *(self.share(mask) for _, mask in self.after)]
        return {name: max(0.0, before[n] - before[n + 1]) for n, (name, _) in enumerate(self.after)}


@dataclass(slots=True)
class Probe:
    """Everything noted of the frame that is being worked on."""

    meshes: list[Mesh] = field(default_factory=list)
    """As the landmark network gave them, before any smoothing."""
    tracks: list[Track] = field(default_factory=list)
    masks: dict[int, SeenMasks] = field(default_factory=dict)
    """Track id -> masks."""
    covered: list[Box] = field(default_factory=list)
    """What would be blurred, since no swap hides it."""
    pasted: list[Matrix] = field(default_factory=list)
    """By which crops were put back."""

    def clear(self) -> None:
        for part in (self.meshes, self.tracks, self.masks, self.covered, self.pasted):
            part.clear()

    def swapped(self, track: Track) -> bool:
        """False: the loop would not take this face's swap, and covered it."""
        seen = self.masks.get(track.id)
        return seen is not None and any(matrix is seen.matrix for matrix in self.pasted)

    def raw(self, track: Track) -> Mesh | None:
        """The network's own mesh behind a track that was measured: the nearest one, of the latest pass."""
        if not track.measured or not self.meshes:
            return None
        off = [float(np.abs(mesh.points[:, :2] - track.landmarks[:, :2]).mean()) for mesh in reversed(self.meshes)]
        nearest = int(np.argmin(off))
        limit = 0.5 * float(np.ptp(track.landmarks[:, 0]))
        return self.meshes[-1 - nearest] if off[nearest] < limit else None


class LandmarkProbe:
    """A LandmarkModel."""

    def __init__(self, inner: LandmarkModel, watch: Probe) -> None:
        self._inner, self._watch = inner, watch

    def find(self, image: Image, faces: Sequence[Points]) -> list[Mesh]:
        """See ``protocols.LandmarkModel``."""
        found = self._inner.find(image, faces)
        self._watch.meshes += found
        return found


class TrackerProbe:
    """A Tracker."""

    def __init__(self, inner: Tracker, watch: Probe) -> None:
        self._inner, self._watch = inner, watch

    def update(self, frame: Frame, quality: Quality) -> list[Track]:
        """See ``protocols.Tracker``."""
        tracks = self._inner.update(frame, quality)
        self._watch.tracks[:] = tracks
        return tracks

    def reset(self) -> None:
        """See ``protocols.Tracker``."""
        self._inner.reset()


class SwapperProbe:
    """A Swapper. ``plain``: the same without the skin mask, which tells what the skin mask takes away; None where
    there is none."""

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
    """A Finish, known by ``name``. Only a step that changes the mask is noted."""

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
    """A Canvas."""

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
