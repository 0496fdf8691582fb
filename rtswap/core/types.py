"""The values that flow through rtswap. Nothing here has behaviour beyond checking its own shape.

One natural way for the data, everywhere: pixels are **BGR uint8, height x width x 3**; points are float32
``xy`` pixels; a matrix maps frame pixels to crop pixels. Networks that want another layout convert inside
their own graph, so that no copy is made in Python.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtswap.core.errors import SourceError

Image = NDArray[np.uint8]
"""(H, W, 3) BGR, C-contiguous unless it is a view into a larger image."""
Mask = NDArray[np.uint8]
"""(H, W), 0 = keep the target, 255 = replace it."""
Points = NDArray[np.float32]
"""(N, 2) ``x y`` pixels, or (N, 3) with z in the same unit, towards the camera negative."""
Matrix = NDArray[np.float32]
"""(2, 3) similarity, frame pixels -> crop pixels."""
Box = NDArray[np.float32]
"""(4,) ``x1 y1 x2 y2`` pixels."""
Tensor = NDArray[Any]
"""What an engine takes and gives. Which shape and type is the network's contract."""
DeviceTensor = Any
"""``torch.Tensor`` on a GPU: torch may be missing where types are checked."""


class View(NamedTuple):
    """How a face is seen: frame -> crop matrix, and the crop's (width, height)."""

    matrix: Matrix
    size: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture from an input. The pipeline owns ``image`` from here on and may write into it."""

    image: Image
    index: int
    captured_at: float
    """Seconds on ``time.perf_counter``: when the picture was taken, the zero of its age."""
    time_s: float | None = None
    """Presentation time in seconds from the start of a file; None for live inputs."""


@dataclass(frozen=True, slots=True)
class Detection:
    box: Box
    keypoints: Points
    """(5, 2): left eye, right eye, nose tip, left and right mouth corner, as seen in the image."""
    score: float
    """0..1"""


@dataclass(frozen=True, slots=True)
class Mesh:
    """Dense landmarks of one face in MediaPipe's canonical topology."""

    points: Points
    """(468, 3) pixels of the picture they were found in."""
    visibility: NDArray[np.float32]
    """(468,) 0..1: 1 = seen, 0 = hidden by something or by the head itself."""
    presence: float
    """0..1: how sure the network is that there is a face."""


@dataclass(frozen=True, slots=True)
class Track:
    """One followed face in one frame."""

    id: int
    box: Box
    """Kalman-filtered, real-valued."""
    keypoints: Points
    """(5, 2)"""
    landmarks: Points
    """(468, 3), smoothed."""
    visibility: NDArray[np.float32]
    """(468,)"""
    confidence: float
    """1 = measured in this frame, falling to 0 while it coasts."""

    @property
    def measured(self) -> bool:
        return self.confidence >= 1.0


@dataclass(frozen=True, slots=True)
class Portrait:
    """One photo's face, upright, with a margin."""

    image: Image
    """(S, S, 3)"""
    landmarks: Points
    """(468, 3) in ``image``."""


def unknown_identity(space: str) -> NDArray[np.float32]:
    """``SourceIdentity.identity`` of a source that was not loaded from photos. Raises SourceError."""
    raise SourceError(
        f"the identity of this source in the space {space!r} is not known",
        expected="a source from rtswap.source.load_source, with identity spaces",
    )


@dataclass(frozen=True, slots=True, eq=False)
class SourceIdentity:
    """Everything that is known of the source, once, before the first frame."""

    portrait: Image
    """(S, S, 3) the best photo's face, upright, with a margin."""
    landmarks: Points
    """(468, 3) in ``portrait``."""
    name: str = ""
    """For the status line: the file's name."""
    further: tuple[Portrait, ...] = ()
    """The same person's other photos, the best first."""
    identity: Callable[[str], NDArray[np.float32]] = unknown_identity
    """``identity("dlib")``: (D,) unit norm, who the person is in that space, averaged over the photos; computed when
    first asked for. Raises SourceError, NotInstalled, ModelError, EngineError."""


@dataclass(frozen=True, slots=True)
class Target:
    """A target face as a swapper asked to see it."""

    track_id: int
    crop: Image
    """(S, S', 3), a view into the frame where the matrix only moves it. Read only for the swapper."""
    landmarks: Points
    """(468, 3) in pixels of the crop."""
    visibility: NDArray[np.float32]
    """(468,) 0..1: 1 = seen, 0 = hidden by something or by the head itself."""
    time_s: float
    """When the frame was taken, on the one clock of the stream."""


@dataclass(frozen=True, slots=True)
class SwappedFace:
    crop: Image
    """As large as ``Target.crop``."""
    mask: Mask
    """As large as ``crop``: 255 = replace. 0 on its outermost pixels."""


@dataclass(frozen=True, slots=True)
class BatchedTarget:
    """A target face whose crop lies on a GPU: ``Target`` without its pixels."""

    track_id: int
    landmarks: Points
    """(468, 3) in pixels of the crop."""
    visibility: NDArray[np.float32]
    """(468,) 0..1"""
    time_s: float
    size: tuple[int, int]
    """(width, height) of the crop in its square."""


@dataclass(frozen=True, slots=True, eq=False)
class TargetBatch:
    """All target faces of a frame that are to be swapped, their crops on a GPU."""

    faces: tuple[BatchedTarget, ...]
    crops: DeviceTensor
    """(N, S, S, 3) uint8: each crop in the upper left of its square, its last pixels repeated beyond. Read only."""


@dataclass(frozen=True, slots=True, eq=False)
class SwappedBatch:
    """``SwappedFace`` for all faces of a frame."""

    crops: DeviceTensor
    """As ``TargetBatch.crops``."""
    masks: DeviceTensor
    """(N, S, S) uint8: 255 = replace; 0 on a crop's outermost pixels and beyond it."""


@dataclass(frozen=True, slots=True)
class Swaps:
    """What became of the faces of a frame."""

    done: tuple[int, ...] = ()
    """Ids of the tracks that are swapped."""
    bare: tuple[int, ...] = ()
    """Ids of those that cannot be."""
    failure: Exception | None = None
    """Why, if it was our fault: a cup before a face is not."""


Pair = tuple[Track, int]
"""A person in a frame, and the number of the source whose face they get."""


@dataclass(frozen=True, slots=True)
class Quality:
    """What the budget allows the pipeline to spend on the next frame."""

    level: int = 0
    """0 = everything; higher = cheaper. For display."""
    detect_every: int = 15
    """Frames, at 30 a second, between full detections while at least one face is tracked (0 = only to re-acquire).
    Where fewer frames come it is the time that counts."""
    match_color: bool = True
    max_face_px: int = 480
    """Longest side of a face crop at which swappers work."""


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """What an input delivers."""

    width: int
    height: int
    fps: float
    """Nominal frames per second; the true times are on the frames."""
    live: bool
    """True: frames that come late are worthless. False: none may be lost."""
    frame_count: int | None = None
    """None where it is not known beforehand."""
    audio_path: str | None = None
    """Where the sound that belongs to the frames lies, or None."""


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class StampedImage:
    """A stamp's receipt for one picture: what a ``MarkedImage`` is made for. Only ``rtswap.disclosure`` makes one (a
    test keeps it so)."""

    image: Image


@dataclass(frozen=True, slots=True)
class MarkedImage:
    """A picture that may leave the program. Only ``rtswap.disclosure`` makes one (a test keeps it so)."""

    image: Image
    index: int
    captured_at: float
    time_s: float | None = None
    swapped: int = 0
    """How many faces were swapped in it."""
    stages: dict[str, float] = field(default_factory=dict)
    """Seconds spent per stage."""
