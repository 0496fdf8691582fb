"""A one-shot system: one graph is bound to the source, another runs in each frame.

``bind`` computes everything that depends on the source alone, so that the graph of a frame is a plain network with
constant inputs. A system may be assisted: its graph also sees the face with the swap of ``mesh``, and corrects it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from rtswap.core.errors import ModelError
from rtswap.core.protocols import AdjustableSwapper, Engine, SwapModel, Swapper
from rtswap.core.types import Image, Matrix, Points, Quality, SourceIdentity, SwappedFace, Target, Tensor
from rtswap.networks.catalog import Entry
from rtswap.swappers.onnx.crops import COVERAGE, aligned_photo, aligned_view, swap_mask, to_side
from rtswap.vision.geometry import resizing, transform
from rtswap.vision.resample import blended

PHOTO, EMBEDDING, PHOTO_POINTS = "photo", "embedding", "photo_points"
FACE, POINTS, WARPED = "face", "points", "warped"
SWAPPED, MASK = "swapped", "mask"
SPACE = "rtswap"
"""The identity space of the embedding."""


class BoundGraph:
    """One graph of a system: its engine and the names of its inputs."""

    def __init__(self, engine: Engine, entry: Entry) -> None:
        self.engine, self.template = engine, entry.template
        zeros = entry.zeros()
        self.inputs = tuple(zeros)
        pictures = [value.shape[1] for name, value in zeros.items() if name in (PHOTO, FACE, WARPED)]
        self.side = pictures[0] if pictures else 0
        """Of its pictures, in px."""

    def run(self, values: dict[str, Tensor]) -> dict[str, Tensor]:
        """Run it with those of ``values`` that it takes. Raises EngineError, and ModelError if one is missing."""
        missing = [name for name in self.inputs if name not in values]
        if missing:
            raise ModelError(
                "the swapper's file does not fit together", got=f"an input {missing[0]!r} without a value"
            )
        return dict(self.engine.run({name: values[name] for name in self.inputs}))


class OneShotSwapModel:
    """Implements ``protocols.SwapModel``. ``frame``, ``bind``: the graphs (``networks.system_file``). ``base``: the
    swapper whose result the graph of a frame sees, if it wants one. ``hull``: end the swap at the face's outline.
    ``coverage``: side of the swap, as a share of the outline's."""

    def __init__(
        self,
        frame: BoundGraph,
        bind: BoundGraph | None = None,
        base: SwapModel | None = None,
        *,
        hull: bool = True,
        coverage: float = COVERAGE,
    ) -> None:
        if not frame.side:
            raise ModelError("the swapper's file has a graph that takes no picture", expected=f"an input {FACE}")
        self.frame, self.bind_graph, self.base, self.coverage = frame, bind, base, coverage if hull else None

    def bind(self, source: SourceIdentity) -> Swapper:
        """Compute what depends on the source, once. Raises SourceError, ModelError, EngineError."""
        graph, given = self.bind_graph, {}
        if graph is not None:
            given = {name: np.array(value) for name, value in graph.run(described(source, graph)).items()}
        return OneShotSwapper(self, given, None if self.base is None else self.base.bind(source))


def described(source: SourceIdentity, graph: BoundGraph) -> dict[str, Tensor]:
    """What ``graph`` takes of a source: the photo's aligned crop, its landmarks there, the identity vector."""
    values: dict[str, Tensor] = {}
    if graph.side:
        photo, points = aligned_photo(source.portrait, source.landmarks, graph.template, graph.side)
        values[PHOTO], values[PHOTO_POINTS] = photo[None], _points(points)
    if EMBEDDING in graph.inputs:
        values[EMBEDDING] = source.identity(SPACE)[None].astype(np.float32)
    return values


class OneShotSwapper:
    """Implements ``protocols.Swapper``. ``given``: the inputs that depend only on the source. ``base``: ``mesh``,
    bound to the same source."""

    def __init__(self, model: OneShotSwapModel, given: dict[str, Tensor], base: Swapper | None = None) -> None:
        self._model, self.given, self._base = model, given, base

    def view(self, landmarks: Points, max_px: int) -> tuple[Matrix, tuple[int, int]]:
        """The crop of the template, at a multiple of the graph's side."""
        frame = self._model.frame
        return aligned_view(landmarks, frame.template, frame.side, max_px)

    def swap(self, face: Target, quality: Quality) -> SwappedFace:
        """Run the frame's graph. Raises EngineError, ModelError."""
        model = self._model
        size, side = face.crop.shape[0], model.frame.side
        values = {**self.given, FACE: to_side(face.crop, side)[None]}
        if POINTS in model.frame.inputs:
            values[POINTS] = _points(transform(resizing(side / size), face.landmarks))
        if self._base is not None:
            swapped = self._base.swap(face, quality)
            values[WARPED] = to_side(blended(swapped.crop, face.crop, swapped.mask), side)[None]
        made = model.frame.run(values)
        own = [_pixels(made[MASK][0])] if MASK in made else []
        picture = to_side(_pixels(made[SWAPPED][0]), size)
        return SwappedFace(picture, swap_mask(face, size, model.coverage, *own))

    def adjust(self, *, expression: float, strength: float) -> Callable[[], None]:
        """As ``protocols.AdjustableSwapper``; without effect on a system that is not assisted."""
        if isinstance(self._base, AdjustableSwapper):
            return self._base.adjust(expression=expression, strength=strength)
        return lambda: None

    def forget(self, track_id: int) -> None:
        if self._base is not None:
            self._base.forget(track_id)


def _points(landmarks: Points) -> Tensor:
    return np.ascontiguousarray(landmarks[None], np.float32)


def _pixels(made: Tensor) -> Image:
    """A graph's picture or mask, 0..255, as uint8. Raises ModelError for one that is not finite."""
    if not np.isfinite(made).all():
        raise ModelError("the swapper's network gave a picture that is not finite")
    return np.asarray(np.clip(made + 0.5, 0, 255), np.uint8)
