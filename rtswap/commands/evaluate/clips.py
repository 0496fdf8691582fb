"""Read, generate and swap clips for evaluation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtswap.app.networks import FaceModels
from rtswap.app.program import Program
from rtswap.commands.evaluate.pixels import change_mask
from rtswap.core.errors import InputError
from rtswap.core.types import Frame, Image, Points, Quality
from rtswap.media.inputs import open_input
from rtswap.vision.talking_head import AnimatedHead, clip, persona

FPS = 30.0
MOST_BYTES = 400_000_000
"""Maximum size of a clip, which is held in memory several times: 144 frames of 720p."""


@dataclass(frozen=True)
class Clip:
    """A clip in memory."""

    name: str
    images: list[Image]
    times: list[float]
    """Seconds."""


@dataclass(frozen=True)
class Swap:
    """A clip swapped by the program's loop."""

    images: list[Image]
    swapped: NDArray[np.bool_]
    """(T,) frames with a swap."""
    covered: NDArray[np.bool_]
    """(T,) frames with a covered face."""

    @property
    def sound(self) -> NDArray[np.bool_]:
        """(T,) frames with a swap and no covered face."""
        return self.swapped & ~self.covered


def read_clip(path: Path, most_bytes: float = np.inf) -> Clip:
    """Read a clip to its end or up to ``most_bytes`` of frames. Raises InputError."""
    images: list[Image] = []
    times: list[float] = []
    input = open_input(str(path))
    try:
        for frame in input.frames():
            images.append(frame.image.copy())
            times.append(frame.time_s or 0.0)
            if len(images) * images[0].nbytes >= most_bytes:
                break
    finally:
        input.close()
    if not images:
        raise InputError(f"{path} has no frames", do="Check that it plays; save or download it again.")
    return Clip(path.name, images, times)


def mesh_in(image: Image, models: FaceModels) -> Points:
    """Return the mesh (468, 3) px of the largest face, after three passes of our landmark network. Raises InputError
    if there is no face."""
    found = models.photo_detector.detect(image)
    if not found:
        raise InputError("no face found in the picture", do="Use one that shows a face from the front.")
    mesh = max(found, key=lambda one: one.box[2] - one.box[0]).keypoints
    for _ in range(3):
        mesh = models.landmarks.find(image, [mesh])[0].points
    return mesh


def make_clip(
    name: str,
    models: FaceModels,
    *,
    seconds: float = 4.0,
    face_px: float = 300,
    size: tuple[int, int] = (1280, 720),
    kind: type[AnimatedHead] = AnimatedHead,
) -> Clip:
    """Return a clip of a persona that talks and turns, as in the demo."""
    count = round(seconds * FPS)
    portrait = persona(name)
    heads = [kind(portrait, mesh_in(portrait, models), face_px)]
    images = list(clip(heads, size, fps=FPS, frames=count))
    return Clip(f"{kind.__name__} {name}", images, [n / FPS for n in range(count)])


def swap_with(clip: Clip, program: Program, *, live: bool = False) -> Swap:
    """Swap a clip with the program's loop and its first source."""
    pipeline = program.pipeline(live=live)
    images, swapped, covered = [], [], []
    for index, (image, time_s) in enumerate(zip(clip.images, clip.times, strict=True)):
        frame = Frame(image.copy(), index, 1000.0 + time_s, None if live else time_s)
        outcome = pipeline.process(frame, Quality())
        images.append(image if outcome.image is None else outcome.image)
        swapped.append(outcome.image is not None and outcome.swapped > 0)
        covered.append(outcome.covered > 0)
    return Swap(images, np.array(swapped), np.array(covered))


def find_swapped_face(clip: Clip, swap: Swap, models: FaceModels) -> Points:
    """Return the first frame's keypoints of the face that was swapped in the middle frame. Raises InputError."""
    middle = len(clip.images) // 2
    where = change_mask(clip.images[middle], swap.images[middle])

    def share(box: NDArray[np.float32]) -> float:
        x1, y1, x2, y2 = np.maximum(box, 0).astype(int)
        return float(where[y1:y2, x1:x2].sum())

    found = models.photo_detector.detect(clip.images[0])
    if not found:
        raise InputError(
            f"no face found in the first frame of {clip.name}", do="Start the clip where a face is in view."
        )
    return max(found, key=lambda one: share(one.box)).keypoints


def ignore(event: str) -> None:
    """Discard the event."""
