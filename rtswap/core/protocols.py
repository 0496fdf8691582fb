"""The seams. Whoever implements one of these can be put into the loop by ``assemble``; none knows the others."""

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
    """Where frames come from."""

    @property
    def info(self) -> StreamInfo: ...

    def frames(self) -> Iterator[Frame]:
        """Yield frames in order until the end. Raises InputError. Called once, from one thread."""
        ...

    def close(self) -> None:
        """Free the device or file. Harmless when called twice or from another thread: ``frames`` then ends."""
        ...


class Output(Protocol):
    """Where finished pictures go."""

    @property
    def name(self) -> str:
        """For messages: ``vcam:/dev/video2``, ``out.mp4``."""
        ...

    def send(self, image: MarkedImage) -> None:
        """Deliver one picture; must not keep or change ``image.image`` after it returns. Raises OutputError."""
        ...

    def close(self) -> None:
        """Finish what was written, so that it plays. Harmless when called twice."""
        ...


class Engine(Protocol):
    """Runs one network. Knows tensors, never faces."""

    @property
    def name(self) -> str:
        """``openvino-f32``, ``onnxruntime``, ..."""
        ...

    def run(self, inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """One forward pass. The outputs live until the next call. Raises EngineError."""
        ...


class Detector(Protocol):
    def detect(self, image: Image) -> list[Detection]:
        """Every face in the picture, best score first."""
        ...

    def refine(self, image: Image, boxes: Sequence[Box]) -> list[Detection | None]:
        """One cheap look at each box: the face that is there now, or None. Batched."""
        ...


class LandmarkModel(Protocol):
    def find(self, image: Image, faces: Sequence[Points]) -> list[Mesh]:
        """Dense landmarks of each face. ``faces``: for each its (5, 2) keypoints or last (468, 3) mesh,
        from which the network's own crop is placed. Batched; one Mesh per face, in pixels of ``image``."""
        ...


class Embedder(Protocol):
    def embed(self, image: Image, keypoints: Points) -> Tensor:
        """(D,) unit-norm identity vector of the face at the (5, 2) keypoints."""
        ...


IdentitySpaces = Mapping[str, Callable[[], Embedder]]
"""Name of an identity space, such as ``dlib`` -> opens its network. Raises NotInstalled, ModelError, EngineError."""


class Tracker(Protocol):
    def update(self, frame: Frame, quality: Quality) -> list[Track]:
        """Every face followed in this frame, coasting ones with confidence below 1. Stable ids."""
        ...

    def reset(self) -> None:
        """Forget every face (the stream jumped, or another face is wanted)."""
        ...


class SwapModel(Protocol):
    """A swapping method."""

    def bind(self, source: SourceIdentity) -> Swapper:
        """Everything that depends on the source alone, computed once. May be slow. Raises SourceError."""
        ...


class Swapper(Protocol):
    """A swapping method bound to a source: fast, once per face and frame."""

    def view(self, landmarks: Points, max_px: int) -> tuple[Matrix, tuple[int, int]]:
        """How it wants to see the face: frame -> crop matrix, and the crop's (width, height) <= ``max_px``."""
        ...

    def swap(self, face: Target, quality: Quality) -> SwappedFace: ...

    def forget(self, track_id: int) -> None:
        """Drop what was remembered of a track that has ended."""
        ...


class Finish(Protocol):
    """A step between swap and paste: it changes what was swapped, or where that shows."""

    def apply(self, swapped: SwappedFace, target: Target, quality: Quality) -> SwappedFace:
        """May write into ``swapped``, never into ``target``. The mask may only become smaller."""
        ...

    def forget(self, track_id: int) -> None:
        """Drop what was remembered of a track that has ended."""
        ...


class Canvas(Protocol):
    """One frame being worked on: up once, down once."""

    def crop(self, matrix: Matrix, size: tuple[int, int]) -> Image: ...

    def paste(self, crop: Image, mask: Mask, matrix: Matrix) -> None:
        """Blend the crop back where ``matrix`` took it from. Pixels with mask 0 keep every bit."""
        ...

    def cover(self, box: Box, style: str) -> None:
        """Make what is in the box unrecognisable: ``blur`` or ``pixelate``."""
        ...

    def image(self) -> Image: ...


class Stamp(Protocol):
    """What marks the pictures of one stream, and says so: nothing leaves without its receipt."""

    def apply(self, image: Image) -> StampedImage:
        """Write badge and invisible mark into ``image`` itself."""
        ...

    def apply_on_gpu(self, frame: DeviceTensor) -> Callable[[Image], StampedImage]:
        """The same in a frame (H, W, 3) BGR uint8 on a GPU. Waits for nothing. Returns what makes the receipt, of the
        frame's picture once that has come down."""
        ...


Stages = Callable[[str], AbstractContextManager[Any]]
"""``with stages("crop"): ...`` counts the time."""


class Renderer(Protocol):
    """Where the faces of frames are swapped: in host memory one by one, or on a GPU all at once."""

    def begin(self, image: Image) -> FrameRender: ...

    def forget(self, track_id: int) -> None:
        """Drop what was remembered of a track that has ended."""
        ...


class FrameRender(Protocol):
    """One frame being rendered: faces are swapped, then places covered, then the faces pasted over them; last of all
    the picture is stamped."""

    def swap(self, pairs: Sequence[Pair], *, quality: Quality, now: float, stages: Stages) -> Swaps:
        """Swap these faces, each with its source. Nothing shows yet; whatever fails leaves a face bare. Once."""
        ...

    def cover(self, box: Box, style: str) -> None:
        """As ``Canvas.cover``."""
        ...

    def paste(self) -> None:
        """Let the swapped faces show."""
        ...

    def deliver(self) -> StampedImage:
        """The picture, stamped. It may leave if ``verdict`` says what ``swap`` said."""
        ...

    def verdict(self) -> Swaps:
        """What ``swap`` said, or, once pixels were looked at that came with the picture, that some faces are bare."""
        ...

    def restart(self) -> None:
        """Begin again with the frame as it came, without the faces that are bare now."""
        ...


@runtime_checkable
class GpuSwapper(Protocol):
    """A ``Swapper`` for faces on a GPU. It waits for nothing there."""

    def view(self, landmarks: Points, max_px: int) -> tuple[Matrix, tuple[int, int]]:
        """As ``Swapper.view``."""
        ...

    def swap_all(self, targets: TargetBatch, quality: Quality) -> SwappedBatch: ...

    def forget(self, track_id: int) -> None:
        """Drop what was remembered of a track that has ended."""
        ...


OnDownload = Callable[[DeviceTensor, Callable[[Tensor], None]], None]
"""``on_download(tensor, then)``: the tensor comes down with the frame's picture; then ``then`` is called with it."""


class GpuFinish(Protocol):
    """A ``Finish`` for faces on a GPU. It waits for nothing there: what the host must see comes ``on_download``."""

    def apply_all(
        self, swapped: SwappedBatch, targets: TargetBatch, quality: Quality, on_download: OnDownload
    ) -> SwappedBatch:
        """May write into ``swapped``, never into ``targets``. The masks may only become smaller."""
        ...

    def forget(self, track_id: int) -> None:
        """Drop what was remembered of a track that has ended."""
        ...


class GpuCanvas(Protocol):
    """A ``Canvas`` on a GPU: all faces at once, and one wait, in ``deliver``."""

    def crops(self, views: Sequence[View]) -> DeviceTensor:
        """(N, S, S, 3) as ``TargetBatch.crops``."""
        ...

    def paste_all(self, crops: DeviceTensor, masks: DeviceTensor, views: Sequence[View]) -> None: ...

    def cover(self, box: Box, style: str) -> None: ...

    def on_download(self, tensor: DeviceTensor, then: Callable[[Tensor], None]) -> None:
        """As ``OnDownload``."""
        ...

    def deliver(self, stamp: Stamp) -> StampedImage:
        """Stamp the picture, bring it down, and tell what was to come with it. Once."""
        ...
