"""FSGAN live: reenact, inpaint, blend.

Bound once: the source's photos as views of the networks' size, what of each face can be seen, and a map of their
poses. Per frame: the source's landmarks in the target's pose and expression as ``mesh`` places them; up to three
views reenacted step by step and mixed; what no view showed filled; the face blended as Poisson's equation would.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import cv2
import numpy as np

from rtswap.core.errors import ModelError, SourceError
from rtswap.core.protocols import Engine, Swapper
from rtswap.core.types import (
    Image,
    Mask,
    Matrix,
    Points,
    Portrait,
    Quality,
    SourceIdentity,
    SwappedFace,
    Target,
    Tensor,
)
from rtswap.networks.occlusion import SIZE as OCCLUSION_SIZE
from rtswap.networks.occlusion import OcclusionModel, place
from rtswap.swappers.fsgan.steps import facing, moved, outline_of, reenacted, seen_at, steps_between, waypoints
from rtswap.swappers.fsgan.views import PoseMap, View
from rtswap.swappers.mesh.expression_transfer import ExpressionTransfer
from rtswap.swappers.mesh.shape import SourceShape
from rtswap.swappers.onnx.crops import COVERAGE, aligned_photo, aligned_view, swap_mask, to_side
from rtswap.vision.geometry import inverse, resizing, transform
from rtswap.vision.pose import pose_of
from rtswap.vision.raster import fill
from rtswap.vision.resample import blurred, resized, warped
from rtswap.vision.topology import LIPS_INNER

LEAST_HOLE = 0.01
"""Share of the face that must be hidden before it is filled: less is not worth the time."""
RIM = 5
"""Pixels: a narrower hole is none."""
SHUT, LIPS_FEATHER = 0.1, 0.02
"""Gap between the lips, in widths of the mouth, below which it counts as shut, open from twice that on; sigma of the
opening's edge."""
CORNERS = (61, 291)
"""Of the mouth."""
NO_FACE_PX = 4.0
"""Extent of landmarks below which they are no face."""


class Stages(NamedTuple):
    """The pictures of one face after each step, (S, S, 3)."""

    reenacted: Image
    filled: Image
    blended: Image
    hole: Mask
    """(S, S) 255 what was filled."""


@dataclass(frozen=True, slots=True)
class FsganSwapModel:
    """Implements ``protocols.SwapModel``."""

    engines: Mapping[str, Engine]
    """``reenact``, ``inpaint`` and ``blend``."""
    template: str
    """Placement of the networks' faces, by its name in ``vision.templates``."""
    side: int
    """Of the networks' pictures."""
    assisted: bool = False
    """Whether a view is moved by its landmarks before it is reenacted."""
    hull: bool = True
    """End the swap at the face's outline."""
    expression: float = 1.0
    """Share of the target's expression to follow, 0..1.5."""
    occlusion_model: OcclusionModel | None = None
    """Finds what hides the face in the photos."""
    coverage: float = COVERAGE
    """Side of what is blended and shown, as a share of the face's outline: beyond it may be background, whose light
    would bleed into the face."""

    def bind(self, source: SourceIdentity) -> Swapper:
        """Prepare the views. Raises SourceError."""
        photos = [Portrait(source.portrait, source.landmarks), *source.further]
        views = [self._view(photo, source.name) for photo in photos]
        return FsganSwapper(self, views)

    def _view(self, photo: Portrait, name: str) -> View:
        if not np.isfinite(photo.landmarks).all() or np.ptp(photo.landmarks[:, 0]) < NO_FACE_PX:
            raise SourceError(
                f"the face in {name or 'the source photo'} has no usable landmarks",
                expected="a face that looks towards the camera",
                got="landmarks that do not form a face",
                do="Use another photo.",
            )
        picture, points = aligned_photo(photo.image, photo.landmarks, self.template, self.side)
        return View(picture, points, pose_of(points), self._shown(picture, points), facing(points))

    def _shown(self, picture: Image, points: Points) -> Mask:
        matrix = place(points)
        if self.occlusion_model is None or matrix is None:
            return np.full(picture.shape[:2], 255, np.uint8)
        hidden = self.occlusion_model.hidden(picture, matrix, transform(matrix, points)[:, :2])
        large = resized(hidden, (OCCLUSION_SIZE, OCCLUSION_SIZE))
        found = warped(large, inverse(matrix), (self.side, self.side), zero=True)
        return np.where(found > 0.5, 0, 255).astype(np.uint8)

    def run(self, network: str, **given: Tensor) -> Image:
        """The picture (S, S, 3) that a network makes. Raises EngineError, ModelError."""
        outputs = self.engines[network].run({name: np.ascontiguousarray(one[None]) for name, one in given.items()})
        made = np.asarray(next(iter(outputs.values())))
        shape = (1, self.side, self.side, 3)
        if made.shape != shape or not np.isfinite(made).all():
            got = "values that are not finite" if made.shape == shape else str(made.shape)
            raise ModelError(f"the output of the network {network} is wrong", expected=str(shape), got=got)
        return np.asarray(cv2.convertScaleAbs(made[0]), np.uint8)

    def step(self, view: Image, points: Points, goal: Points) -> Image:
        """Lead a view with the landmarks ``points`` to others."""
        if self.assisted:
            warped_view = moved(view, points, goal)
            return self.run("reenact", warped=warped_view, view_points=points, points=goal)
        return self.run("reenact", view=view, view_points=points, points=goal)


class FsganSwapper:
    """Implements ``protocols.Swapper`` and ``protocols.AdjustableSwapper``. ``views``: the best first."""

    def __init__(self, model: FsganSwapModel, views: list[View]) -> None:
        self._model, self.views = model, views
        self._map = PoseMap([view.pose for view in views])
        self.transfer = ExpressionTransfer(SourceShape.of(views[0].points), model.expression)

    def view(self, landmarks: Points, max_px: int) -> tuple[Matrix, tuple[int, int]]:
        """The crop of the template, at a multiple of the networks' side."""
        return aligned_view(landmarks, self._model.template, self._model.side, max_px)

    def swap(self, face: Target, quality: Quality) -> SwappedFace:
        """Swap one face. Raises EngineError, ModelError."""
        size, side = face.crop.shape[0], self._model.side
        if not np.isfinite(face.landmarks).all() or np.ptp(face.landmarks[:, :2], axis=0).max() < NO_FACE_PX:
            return SwappedFace(face.crop.copy(), np.zeros((size, size), np.uint8))
        small = to_side(face.crop, side)
        target = replace(face, crop=small, landmarks=transform(resizing(side / size), face.landmarks))
        made = self.stages(target, most=1 if not quality.match_color else len(self.views)).blended
        mask = swap_mask(face, size, self._model.coverage if self._model.hull else None)
        mask = np.asarray(cv2.subtract(mask, mouth_of(face.landmarks, size)), np.uint8)
        return SwappedFace(to_side(made, size), mask)

    def stages(self, target: Target, *, most: int = 3) -> Stages:
        """All steps for one face at the networks' size. ``most``: views to reenact."""
        model, side = self._model, self._model.side
        goal, _ = self.transfer.destination(target)
        made, shown = self._reenacted(goal, most)
        mask = outline_of(goal, side, model.coverage)
        hole = hole_of(mask, shown)
        filled = made
        if cv2.countNonZero(hole) > LEAST_HOLE * cv2.countNonZero(mask):
            filled = model.run("inpaint", face=made, hole=hole)
        return Stages(made, filled, model.run("blend", face=filled, target=target.crop, mask=mask), hole)

    def _reenacted(self, goal: Points, most: int) -> tuple[Image, Mask]:
        """The source's face with the landmarks ``goal``, and where (S, S) its views showed it: 255."""
        pose = pose_of(goal)
        shares = sorted(self._map.shares(pose).items(), key=lambda one: -one[1])[: max(1, most)]
        total = sum(share for _, share in shares)
        side = self._model.side
        mixed, seen = np.zeros((side, side, 3), np.float32), np.zeros((side, side), np.uint8)
        for number, share in shares:
            view = self.views[number]
            goals = waypoints(view.points, goal, steps_between(view.pose, pose))
            made = reenacted(self._model.step, view.picture, view.points, goals)
            mixed += np.float32(share / total) * made
            seen = np.maximum(seen, seen_after(view, goal))
        return np.asarray(cv2.convertScaleAbs(mixed), np.uint8), seen

    def adjust(self, *, expression: float, strength: float) -> Callable[[], None]:
        """As ``protocols.AdjustableSwapper``; the strength has no effect."""

        def apply() -> None:
            self.transfer.expression = expression

        return apply

    def forget(self, track_id: int) -> None:
        """Drop the target's neutral expression."""
        self.transfer.forget(track_id)


def mouth_of(landmarks: Points, size: int) -> Mask:
    """(size, size) 255 inside an open mouth, which stays the target's: a photo with a shut mouth has no teeth. Fades
    out as the mouth shuts."""
    inner, (left, right) = landmarks[LIPS_INNER, :2], landmarks[CORNERS, :2]
    wide = float(np.linalg.norm(right - left))
    gap = float(np.ptp(inner[:, 1])) / max(wide, 1.0)
    mouth = np.zeros((size, size), np.uint8)
    fill(mouth, [np.clip(inner, -4 * size, 5 * size)], 255 * min(max((gap - SHUT) / SHUT, 0.0), 1.0))
    return blurred(mouth, max(0.5, LIPS_FEATHER * wide))


def hole_of(mask: Mask, shown: Mask) -> Mask:
    """(S, S) 255 where the face is to be filled: within ``mask``, and not ``shown``. Its rim alone, which every photo
    shows obliquely, is no hole."""
    hole = ((shown < 128) & (mask > 127)).astype(np.uint8) * np.uint8(255)
    return np.asarray(cv2.morphologyEx(hole, cv2.MORPH_OPEN, np.ones((RIM, RIM), np.uint8)), np.uint8)


def seen_after(view: View, goal: Points) -> Mask:
    """(S, S) 255 where the view, led to the landmarks ``goal``, shows what it had seen."""
    turned = seen_at(view.facing, goal, len(view.shown))
    if view.shown.all():
        return turned
    shown = moved(np.dstack([view.shown] * 3), view.points, goal)[..., 0]
    return np.minimum(turned, shown)
