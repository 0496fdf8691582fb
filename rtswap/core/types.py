"""Data types of rtswap, without behaviour.

One data layout everywhere: pixels are **BGR uint8, height x width x 3**; points are float32 ``xy`` pixels; a matrix
maps frame pixels to crop pixels. Networks that need another layout convert inside their own graph, so that Python
makes no copy.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
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
"""Input or output of an engine. The network's contract defines shape and type."""
DeviceTensor = Any
"""``torch.Tensor`` on a GPU: torch may be missing where types are checked."""


class View(NamedTuple):
    """View of a face: frame -> crop matrix, and the crop's (width, height)."""

    matrix: Matrix
    size: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame from an input. The pipeline owns ``image`` and may write into it."""

    image: Image
    index: int
    captured_at: float
    """Capture time in seconds on ``time.perf_counter``; the frame's age is measured from it."""
    time_s: float | None = None
    """Presentation time in seconds from the start of a file; None for live inputs."""
    path: Path | None = None
    """The picture file that it was read from; None for cameras, streams and videos."""
    duration_s: float | None = None
    """How long a file shows it, in seconds; None if it does not say so."""


@dataclass(frozen=True, slots=True)
class Detection:
    box: Box
    keypoints: Points
    """(5, 2): left eye, right eye, nose tip, left and right mouth corner, as seen in the image."""
    score: float
    """0..1"""


@dataclass(frozen=True, slots=True)
class Head:
    """A detection of the second detector."""

    box: Box
    """A square as wide as the face is tall."""
    score: float
    """0..1"""


@dataclass(frozen=True, slots=True)
class Sighting:
    """The second detector's result for one frame."""

    heads: tuple[Head, ...] = ()
    """Best first."""
    cut: bool = False
    """True if this is another scene than the frame before."""
    sure: bool = True
    """False where it is too dark or too noisy to say that nobody is there."""
    beside: tuple[Head, ...] = ()
    """Heads beside or behind the followed faces, none of which is theirs."""
    faint: tuple[Head, ...] = ()
    """What looks a little like a head, so that a lost face that was there stays covered."""


NOTHING_SEEN = Sighting()


@dataclass(frozen=True, slots=True)
class Mesh:
    """Dense landmarks of one face in MediaPipe's canonical topology."""

    points: Points
    """(468, 3) pixels of the image they were found in."""
    visibility: NDArray[np.float32]
    """(468,) 0..1: 1 = visible, 0 = hidden by something or by the head itself."""
    presence: float
    """0..1: the network's confidence that there is a face."""


@dataclass(frozen=True, slots=True)
class Track:
    """One tracked face in one frame."""

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
    """The face of one photo, upright, with a margin."""

    image: Image
    """(S, S, 3)"""
    landmarks: Points
    """(468, 3) in ``image``."""


def unknown_identity(space: str) -> NDArray[np.float32]:
    """``SourceIdentity.identity`` of a source that was not loaded from photos. Always raises SourceError."""
    raise SourceError(
        f"the identity of this source in the space {space!r} is unknown",
        expected="a source from rtswap.source.load_source, with identity spaces",
    )


@dataclass(frozen=True, slots=True, eq=False)
class SourceIdentity:
    """The source, analysed once before the first frame."""

    portrait: Image
    """(S, S, 3) the face of the best photo, upright, with a margin."""
    landmarks: Points
    """(468, 3) in ``portrait``."""
    name: str = ""
    """File name, for the status line."""
    further: tuple[Portrait, ...] = ()
    """Other photos of the person, best first."""
    identity: Callable[[str], NDArray[np.float32]] = unknown_identity
    """``identity("dlib")``: (D,) unit norm, the person's identity vector in that space, averaged over the photos;
    computed on first use. Raises SourceError, NotInstalled, ModelError, EngineError."""


@dataclass(frozen=True, slots=True)
class Target:
    """A target face in the view that the swapper requested."""

    track_id: int
    crop: Image
    """(S, S', 3), a view into the frame if the matrix only translates. Read-only for the swapper."""
    landmarks: Points
    """(468, 3) in pixels of the crop."""
    visibility: NDArray[np.float32]
    """(468,) 0..1: 1 = visible, 0 = hidden by something or by the head itself."""
    time_s: float
    """Time of the frame, on the stream's clock."""


@dataclass(frozen=True, slots=True)
class SwappedFace:
    crop: Image
    """Same size as ``Target.crop``."""
    mask: Mask
    """Same size as ``crop``: 255 = replace. 0 on its outermost pixels."""


@dataclass(frozen=True, slots=True)
class BatchedTarget:
    """A target face whose crop is on a GPU: ``Target`` without its pixels."""

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
    """All target faces of a frame to swap, their crops on a GPU."""

    faces: tuple[BatchedTarget, ...]
    crops: DeviceTensor
    """(N, S, S, 3) uint8: each crop in the upper left of its square, its last pixels repeated. Read-only."""


@dataclass(frozen=True, slots=True, eq=False)
class SwappedBatch:
    """``SwappedFace`` for all faces of a frame."""

    crops: DeviceTensor
    """As ``TargetBatch.crops``."""
    masks: DeviceTensor
    """(N, S, S) uint8: 255 = replace; 0 on a crop's outermost pixels and outside it."""


@dataclass(frozen=True, slots=True)
class Swaps:
    """The outcome of swapping the faces of a frame."""

    done: tuple[int, ...] = ()
    """Ids of the swapped tracks."""
    bare: tuple[int, ...] = ()
    """Ids of the tracks that could not be swapped."""
    failure: Exception | None = None
    """The error, if rtswap caused it; None if, for example, a cup hides the face."""


Pair = tuple[Track, int]
"""A tracked person, and the index of the source whose face they get."""


@dataclass(frozen=True, slots=True)
class Quality:
    """Limits on the cost of the next frame."""

    level: int = 0
    """0 = full quality; higher = cheaper. For display."""
    detect_every: int = 15
    """Frames, at 30 a second, between full detections while at least one face is tracked (0 = only to re-acquire). At
    lower rates the time counts."""
    match_color: bool = True
    """False: no time for colour transfers, refiners and new measurements of detail. ``mesh`` matches the light
    anyway."""
    max_face_px: int = 480
    """Maximum side of a face crop for swappers."""


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """Properties of an input."""

    width: int
    height: int
    fps: float
    """Nominal frames per second; frames have their own exact times."""
    live: bool
    """True: late frames are worthless and may be dropped. False: no frame may be lost."""
    frame_count: int | None = None
    """None if unknown."""
    plays: int = 0
    """How often an animation is played; 0 is without end."""
    audio_path: str | None = None
    """Path or URL of the file that the frames come from, whose sound and other tracks can be copied; None if there is
    none."""
    audio_start_s: float = 0.0
    """Position in that file at which the first frame is shown, in seconds."""
    audio_end_s: float = math.inf
    """Position in that file at which the last frame ends, in seconds; infinity: at its end."""
    live_sound: Any = None
    """The ``media.live_sound.LiveSound`` of a live stream; None if it has no sound."""


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class StampedImage:
    """Receipt of a stamp for one frame, from which a ``MarkedImage`` is created. Only ``rtswap.disclosure`` creates
    it (a test checks this)."""

    image: Image


@dataclass(frozen=True, slots=True, eq=False)
class MarkedImage:
    """A frame that may leave the program. Only ``rtswap.disclosure`` creates it (a test checks this). Two are equal
    if they are the same object, since arrays have no equality."""

    image: Image = field(repr=False)
    index: int
    captured_at: float
    time_s: float | None = None
    swapped: int = 0
    """Number of faces swapped in it."""
    covered: int = 0
    """Number of places covered because a face there is not swapped."""
    reasons: frozenset[str] = frozenset()
    """Why they are covered, or why this is the last safe picture once more: values of ``runtime.guard.Reason``."""
    stages: dict[str, float] = field(default_factory=dict)
    """Seconds spent per stage."""
    path: Path | None = None
    """As ``Frame.path``."""
    duration_s: float | None = None
    """As ``Frame.duration_s``."""
    least_scale: float = 0.0
    """It must not be scaled by a smaller factor: its only mark would be lost."""
