"""Interfaces between the parts. ``assemble`` can put any implementation into the loop; none knows the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, runtime_checkable

from rtswap.core.types import (
    Box,
    Detection,
    DeviceTensor,
    Frame,
    Image,
    MarkedImage,
    Mask,
    Matrix,
    Mesh,
    Pair,
    Points,
    Quality,
    Sighting,
    SourceIdentity,
    StampedImage,
    StreamInfo,
    SwappedBatch,
    SwappedFace,
    Swaps,
    Target,
    TargetBatch,
    Tensor,
    Track,
    View,
)


class Input(Protocol):
    """A source of frames."""

    @property
    def info(self) -> StreamInfo: ...

    def frames(self) -> Iterator[Frame]:
        """Yield frames in order until the end. Raises InputError. Called once, from one thread."""
        ...

    def close(self) -> None:
        """Close the device or file, which ends ``frames``. Safe to call twice and from another thread."""
        ...


@runtime_checkable
class SeekableInput(Protocol):
    """An ``Input`` that can skip its beginning."""

    def seek(self, time_s: float) -> None:
        """Let ``frames`` begin at ``time_s`` seconds or somewhat before. Call it before ``frames``."""
        ...


class Output(Protocol):
    """A destination of finished frames."""

    @property
    def name(self) -> str:
        """Name for messages: ``vcam:/dev/video2``, ``out.mp4``."""
        ...

    def send(self, image: MarkedImage) -> None:
        """Deliver one frame; must not keep ``image.image``, which is read only, after it returns. Raises
        OutputError."""
        ...

    def close(self) -> None:
        """Finish the output, so that a file is playable. Safe to call twice."""
        ...


@runtime_checkable
class RecordingOutput(Protocol):
    """An ``Output`` whose file shows by its name whether it is complete."""

    def mark_incomplete(self) -> None:
        """The session failed, so the file does not get its final name. Call it before ``close``."""


@runtime_checkable
class OutputWithSound(Protocol):
    def play_out(self) -> None:
        """The input has ended by itself: sound after its last picture is kept, too. Call it before ``close``."""


class Engine(Protocol):
    """Runs one network on tensors."""

    @property
    def name(self) -> str:
        """Name of the engine: ``openvino-f32``, ``onnxruntime``, ..."""
        ...

    def run(self, inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Run one forward pass. The outputs are valid until the next call. Raises EngineError."""
        ...


class Detector(Protocol):
    def detect(self, image: Image) -> list[Detection]:
        """Detect every face in the image, best score first."""
        ...

    def refine(self, image: Image, boxes: Sequence[Box], turns: Sequence[int] = ()) -> list[Detection | None]:
        """One fast check per box: the face that is there now, or None. Batched. ``turns``: by how many quarter turns
        clockwise each face is turned, 0 without."""
        ...


class Lookout(Protocol):
    """The second detector, trained to miss nobody: it says where to cover, never where to swap."""

    def look(self, image: Image, settled: Sequence[Box] = ()) -> Sighting:
        """Examine the next frame of the stream. ``settled``: faces that were swapped in the last one.
        Raises EngineError, ModelError."""
        ...

    def look_beside(self, image: Image, tracks: Sequence[Track]) -> Sighting:
        """Examine once more the frame that was looked at last, around the faces of ``tracks``: with the heads beside
        or behind them, and without what only looked like one because of them. Raises EngineError, ModelError."""
        ...

    def reset(self) -> None:
        """Forget the stream: the next frame belongs to another one."""
        ...


class LandmarkModel(Protocol):
    def find(self, image: Image, faces: Sequence[Points]) -> list[Mesh]:
        """Dense landmarks of each face. ``faces``: its (5, 2) keypoints or last (468, 3) mesh, which place the
        network's crop. Batched; one Mesh per face, in pixels of ``image``."""
        ...


class Embedder(Protocol):
    def embed(self, image: Image, keypoints: Points) -> Tensor:
        """(D,) unit-norm identity vector of the face at the (5, 2) keypoints."""
        ...


IdentitySpaces = Mapping[str, Callable[[], Embedder]]
"""Name of an identity space, such as ``dlib`` -> function that opens its network. Raises NotInstalled, ModelError,
EngineError."""


class Tracker(Protocol):
    def update(self, frame: Frame, quality: Quality, sighting: Sighting | None = None) -> list[Track]:
        """Return every face tracked in this frame; coasting faces have a confidence below 1. Ids are stable.
        ``sighting``: the second detector's result for it, if there is one."""
        ...

    @property
    def others(self) -> Sequence[Box]:
        """Faces detected in this frame that are not tracked."""
        ...

    def reset(self) -> None:
        """Drop every face (after a jump in the stream, or to select another face)."""
        ...


class SwapModel(Protocol):
    """A swapping method."""

    def bind(self, source: SourceIdentity) -> Swapper:
        """Precompute everything that depends only on the source. May be slow. Raises SourceError."""
        ...


class Swapper(Protocol):
    """A swapping method bound to a source: fast, runs once per face and frame."""

    def view(self, landmarks: Points, max_px: int) -> tuple[Matrix, tuple[int, int]]:
        """The view of the face to request: frame -> crop matrix, and the crop's (width, height) <= ``max_px``."""
        ...

    def swap(self, face: Target, quality: Quality) -> SwappedFace: ...

    def forget(self, track_id: int) -> None:
        """Drop the state of a track that has ended."""
        ...


@runtime_checkable
class AdjustableSwapper(Protocol):
    """A ``Swapper`` whose settings can change while it runs."""

    def adjust(self, *, expression: float, strength: float) -> Callable[[], None]:
        """Prepare for other settings (as ``--expression`` and ``--strength``), in any thread. The function that is
        returned applies them; it must be called between two frames."""
        ...


@runtime_checkable
class BatchSwapper(Swapper, Protocol):
    """A ``Swapper`` whose method can swap several faces of a frame at once, each with its own source."""

    @property
    def batch(self) -> object:
        """Swappers with the same one may be run together; None: not this one."""
        ...

    def swap_together(self, faces: Sequence[tuple[Swapper, Target]], quality: Quality) -> list[SwappedFace]:
        """Swap each face by its swapper, all of the same ``batch``. When it raises, each is swapped on its own."""
        ...


class Finish(Protocol):
    """A step between swap and paste that changes the swapped face or its mask."""

    def apply(self, swapped: SwappedFace, target: Target, quality: Quality) -> SwappedFace:
        """Process a swapped face. May write into ``swapped``, never into ``target``. The mask may only shrink."""
        ...

    def forget(self, track_id: int) -> None:
        """Drop the state of a track that has ended."""
        ...


class Canvas(Protocol):
    """A frame that is being modified: uploaded once, downloaded once."""

    def crop(self, matrix: Matrix, size: tuple[int, int]) -> Image: ...

    def paste(self, crop: Image, mask: Mask, matrix: Matrix) -> None:
        """Blend the crop into the region that ``matrix`` describes. Pixels with mask 0 do not change."""
        ...

    def cover(self, box: Box, style: str) -> None:
        """Make the content of the box unrecognisable: ``blur`` or ``pixelate``."""
        ...

    def image(self) -> Image: ...


class Stamp(Protocol):
    """Marks the frames of one stream and returns receipts. No frame leaves without one."""

    def apply(self, image: Image) -> StampedImage:
        """Draw badge and watermark into ``image``, in place."""
        ...

    def apply_on_gpu(self, frame: DeviceTensor) -> Callable[[Image], StampedImage]:
        """Draw them into a frame (H, W, 3) BGR uint8 on a GPU, without synchronising. Returns a function that turns
        the downloaded frame into its receipt."""
        ...


Stages = Callable[[str], AbstractContextManager[Any]]
"""``with stages("crop"): ...`` measures the time."""


class Renderer(Protocol):
    """Swaps faces in frames: in host memory one by one, or on a GPU all at once."""

    def begin(self, image: Image) -> FrameRender: ...

    def forget(self, track_id: int) -> None:
        """Drop the state of a track that has ended."""
        ...


class FrameRender(Protocol):
    """One frame being rendered: swap faces, cover areas, paste the faces over them, and stamp the frame last."""

    def swap(self, pairs: Sequence[Pair], *, quality: Quality, now: float, stages: Stages) -> Swaps:
        """Swap these faces, each with its source. Nothing is visible yet; a failure leaves a face bare. Call once."""
        ...

    def cover(self, box: Box, style: str) -> None:
        """Same as ``Canvas.cover``."""
        ...

    def paste(self) -> None:
        """Paste the swapped faces."""
        ...

    def deliver(self) -> StampedImage:
        """Return the stamped frame. It may leave only if ``verdict`` agrees with ``swap``."""
        ...

    def verdict(self) -> Swaps:
        """The result of ``swap``, or, after checking pixels that were downloaded with the frame, the faces that are
        bare."""
        ...

    def restart(self) -> None:
        """Start over with the original frame, without the faces that are bare now."""
        ...


@runtime_checkable
class GpuSwapper(Protocol):
    """A ``Swapper`` for faces on a GPU. Must not synchronise with it."""

    def view(self, landmarks: Points, max_px: int) -> tuple[Matrix, tuple[int, int]]:
        """Same as ``Swapper.view``."""
        ...

    def swap_all(self, targets: TargetBatch, quality: Quality) -> SwappedBatch: ...

    def forget(self, track_id: int) -> None:
        """Drop the state of a track that has ended."""
        ...


OnDownload = Callable[[DeviceTensor, Callable[[Tensor], None]], None]
"""``on_download(tensor, then)``: download the tensor with the frame, then call ``then`` with it."""


class GpuFinish(Protocol):
    """A ``Finish`` for faces on a GPU. Must not synchronise with it: it gets data to the host by ``on_download``."""

    def apply_all(
        self, swapped: SwappedBatch, targets: TargetBatch, quality: Quality, on_download: OnDownload
    ) -> SwappedBatch:
        """Process swapped faces. May write into ``swapped``, never into ``targets``. The masks may only shrink."""
        ...

    def forget(self, track_id: int) -> None:
        """Drop the state of a track that has ended."""
        ...


class GpuCanvas(Protocol):
    """A ``Canvas`` on a GPU: all faces at once, and one synchronisation, in ``deliver``."""

    def crops(self, views: Sequence[View]) -> DeviceTensor:
        """Crops (N, S, S, 3) as ``TargetBatch.crops``."""
        ...

    def paste_all(self, crops: DeviceTensor, masks: DeviceTensor, views: Sequence[View]) -> None: ...

    def cover(self, box: Box, style: str) -> None: ...

    def on_download(self, tensor: DeviceTensor, then: Callable[[Tensor], None]) -> None:
        """Same as ``OnDownload``."""
        ...

    def deliver(self, stamp: Stamp) -> StampedImage:
        """Stamp the frame, download it, and call the ``on_download`` callbacks. Call once."""
        ...
