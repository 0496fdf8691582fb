"""Render the faces of a frame on a GPU, all at once: as ``renderer``, without waiting for the device. The checks on
pixels (does a mask leave the face bare, is a crop the target's own?) run there, and their counts are downloaded with
the picture. So a picture is judged before it leaves, but after it was made: see ``FrameRender.verdict``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from rtswap.compositing.checks_gpu import PixelCounts, RenderChecks, check_shapes
from rtswap.compositing.renderer import LARGEST_FACE, TooHidden, check_landmarks, check_view
from rtswap.core.errors import EngineError
from rtswap.core.protocols import GpuCanvas, GpuFinish, GpuSwapper, Stages, Stamp
from rtswap.core.types import (
    BatchedTarget,
    Box,
    DeviceTensor,
    Image,
    Pair,
    Quality,
    StampedImage,
    SwappedBatch,
    Swaps,
    TargetBatch,
    Tensor,
    Track,
    View,
)
from rtswap.gpu.resample import uploaded
from rtswap.vision.geometry import transform


class GpuRenderer:
    """Implements ``protocols.Renderer``. As ``renderer.HostRenderer``, with parts that work on a GPU."""

    def __init__(
        self,
        swappers: Sequence[GpuSwapper],
        *,
        canvas: Callable[[Image], GpuCanvas],
        stamp: Stamp,
        finishes: Sequence[GpuFinish] = (),
        partial: bool = False,
    ) -> None:
        self.swappers, self.finishes, self.partial = list(swappers), list(finishes), partial
        self.canvas, self.stamp, self.pixel_counts = canvas, stamp, PixelCounts()

    def begin(self, image: Image) -> GpuFrameRender:
        return GpuFrameRender(self, image)

    def forget(self, track_id: int) -> None:
        """Drop the state of a track that has ended."""
        for swapper in self.swappers:
            swapper.forget(track_id)
        for step in self.finishes:
            step.forget(track_id)


class GpuFrameRender:
    """Implements ``protocols.FrameRender``. If the GPU fails while faces are swapped, they are bare; if they cannot
    even be covered, EngineError is raised and the frame does not leave."""

    def __init__(self, renderer: GpuRenderer, image: Image) -> None:
        self._renderer, self._image = renderer, image
        with _device_errors():
            self._canvas = renderer.canvas(image)
        self._views: list[View] = []
        self._swapped: SwappedBatch | None = None
        self._judge: RenderChecks | None = None
        self._told_later: Exception | None = None
        self._swaps = Swaps()

    def swap(self, pairs: Sequence[Pair], *, quality: Quality, now: float, stages: Stages) -> Swaps:
        """As ``protocols.FrameRender``. A face with an invalid mesh is left out; a failure on the device leaves all
        faces bare."""
        faces: list[BatchedTarget] = []
        sources: list[int] = []
        bare: list[int] = []
        failure: Exception | None = None
        for track, source in pairs:
            try:
                view, face = self._target(self._renderer.swappers[source], track, quality, now)
            except Exception as error:  # noqa: BLE001 - whatever breaks, the face must be covered
                failure = error
                bare.append(track.id)
            else:
                faces.append(face)
                sources.append(source)
                self._views.append(view)
        try:
            if faces:
                self._swap_all(faces, sources, quality, stages)
        except Exception as error:  # noqa: BLE001 - whatever breaks, the faces must be covered
            failure, self._swapped = error, None
            bare += [face.track_id for face in faces]
            faces = []
        self._swaps = Swaps(tuple(face.track_id for face in faces), tuple(bare), failure)
        return self._swaps

    def _target(self, swapper: GpuSwapper, track: Track, quality: Quality, now: float) -> tuple[View, BatchedTarget]:
        check_landmarks(track.landmarks, LARGEST_FACE * max(self._image.shape[:2]))
        view = check_view(View(*swapper.view(track.landmarks, quality.max_face_px)))
        if min(view.size) < 1:
            raise ValueError(f"a crop of {view.size} pixels")
        landmarks = transform(view.matrix, track.landmarks)
        return view, BatchedTarget(track.id, landmarks, track.visibility, now, view.size)

    def _swap_all(
        self, faces: Sequence[BatchedTarget], sources: Sequence[int], quality: Quality, stages: Stages
    ) -> None:
        with stages("crop"):
            targets = TargetBatch(tuple(faces), self._canvas.crops(self._views))
        judge = RenderChecks(targets, partial=self._renderer.partial, counts=self._renderer.pixel_counts)
        with stages("swap"):
            swapped = self._swap_by_source(targets, sources, quality)
            judge.look_at_swap(swapped)
        if self._renderer.finishes:
            with stages("finish"):
                for step in self._renderer.finishes:
                    swapped = step.apply_all(swapped, targets, quality, self._later)
                judge.look_at_finished(swapped)
        self._canvas.on_download(judge.counts(), judge.told)
        self._swapped, self._judge = swapped, judge

    def _swap_by_source(self, targets: TargetBatch, sources: Sequence[int], quality: Quality) -> SwappedBatch:
        """Swap every face with its source's swapper, in the order of ``targets``. A swapper's result may be valid
        only until its next call (networks are shared, graphs write into the same memory), so with several swappers it
        is copied."""
        swappers = self._renderer.swappers
        if len(set(sources)) == 1:
            return swappers[sources[0]].swap_all(targets, quality)
        crops = targets.crops
        whole = SwappedBatch(crops.new_empty(crops.shape), crops.new_empty(crops.shape[:3]))
        for source in dict.fromkeys(sources):
            rows = [row for row, one in enumerate(sources) if one == source]
            where = uploaded(np.array(rows, np.int64), crops.device)
            part = TargetBatch(tuple(targets.faces[row] for row in rows), crops.index_select(0, where))
            swapped = swappers[source].swap_all(part, quality)
            check_shapes(swapped, part)
            whole.crops.index_copy_(0, where, swapped.crops)
            whole.masks.index_copy_(0, where, swapped.masks)
        return whole

    def _later(self, tensor: DeviceTensor, then: Callable[[Tensor], None]) -> None:
        """A finish that fails in its callback leaves the faces bare, like one that fails at once."""

        def told(values: Tensor) -> None:
            try:
                then(values)
            except Exception as error:  # noqa: BLE001 - whatever breaks, the faces must be covered
                self._told_later = error

        self._canvas.on_download(tensor, told)

    def cover(self, box: Box, style: str) -> None:
        """As ``protocols.Canvas``."""
        with _device_errors():
            self._canvas.cover(box, style)

    def paste(self) -> None:
        """As ``protocols.FrameRender``."""
        if self._swapped is not None:
            with _device_errors():
                self._canvas.paste_all(self._swapped.crops, self._swapped.masks, self._views)

    def deliver(self) -> StampedImage:
        """As ``protocols.FrameRender``."""
        with _device_errors():
            return self._canvas.deliver(self._renderer.stamp)

    def verdict(self) -> Swaps:
        """As ``protocols.FrameRender``. If no counts were received, all faces are bare."""
        if self._swapped is None or self._judge is None:
            return self._swaps
        if self._told_later is not None:
            return Swaps((), self._swaps.bare + self._swaps.done, self._told_later)
        refused = self._judge.refused()
        if not refused:
            return self._swaps
        bare = tuple(self._swaps.done[index] for index in refused)
        faults = [error for error in refused.values() if not isinstance(error, TooHidden)]
        return Swaps(
            tuple(track for track in self._swaps.done if track not in bare),
            self._swaps.bare + bare,
            faults[0] if faults else self._swaps.failure,
        )

    def restart(self) -> None:
        """As ``protocols.FrameRender``. The host has the original frame."""
        stands = self.verdict()
        with _device_errors():
            self._canvas = self._renderer.canvas(self._image)
            if self._swapped is not None and self._judge is not None:
                kept = [track in stands.done for track in self._swaps.done]
                self._swapped = self._judge.without(self._swapped, kept) if any(kept) else None
        self._swaps, self._judge = stands, None


@contextmanager
def _device_errors() -> Iterator[None]:
    """Return an error of torch, CUDA or Triton as an error of rtswap."""
    try:
        yield
    except (RuntimeError, ValueError, OSError) as error:
        line = next(iter(str(error).splitlines()), type(error).__name__)
        raise EngineError(
            "the GPU failed in the middle of a frame", got=line[:200], do="Try --engine openvino."
        ) from error
