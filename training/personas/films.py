"""Films two personas for the trainings of ``docs/recipes.md``: heads that turn, speak, blink, wink, smile and raise
their brows, in changing light, 640x480.

    python -m training.personas.films --names erik lena --room ../shared/portraits/female_77.jpg --out films

Writes ``NAME_a.mp4`` and ``NAME_b.mp4``, 24 seconds each, to learn from, and ``NAME_held.mp4``, 8 seconds, to measure
with.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np

from rtswap.app.config import Config
from rtswap.app.networks import open_models
from rtswap.commands.evaluate.clips import mesh_in
from rtswap.core.types import Image, Points
from rtswap.media.encoding import VideoEncoder
from rtswap.training.pictures import read_picture
from rtswap.vision.geometry import canonical
from rtswap.vision.talking_head import AnimatedHead, Motion, add_grain, grain, persona
from training.landmarks.rendering import eye_distance, lump

SIZE, FPS, CRF = (640, 480), 25, 16
PARTS = {"a": (24, 230.0), "b": (24, 190.0), "held": (8, 210.0)}
"""Seconds, and width of the face in pixels."""
BROWS = 105, 334
NOISE = 2.0


class Wander:
    """A value 0..1 that goes from one random value to the next every ``every`` seconds; the larger ``sharp``, the
    longer it rests there."""

    def __init__(self, rng: np.random.Generator, every: float, sharp: float = 1.0) -> None:
        self._rng, self._every, self._sharp = np.random.default_rng(rng.integers(1 << 30)), every, sharp
        self._values: list[float] = []

    def at(self, t: float) -> float:
        number = int(t / self._every)
        while len(self._values) < number + 2:
            self._values.append(float(self._rng.random()))
        share = float(np.clip((t / self._every - number - 0.5) * self._sharp + 0.5, 0, 1))
        share = share * share * (3 - 2 * share)
        return (1 - share) * self._values[number] + share * self._values[number + 1]


class LivelyHead(AnimatedHead):
    """Also raises and lowers its brows, moves the corners of its mouth, and winks with the right eye."""

    brows = width = corners = wink = 0.0
    """In inter-ocular distances, the last three relative to the portrait."""

    def _move(self, motion: Motion) -> Points:
        rest, directions = self._mesh, canonical().expression
        scale = np.ptp(rest[:, 0]) / np.ptp(canonical().mesh[:, 0])
        mesh = rest + scale * (self.width * directions[1] + self.corners * directions[2] + self.wink * directions[3])
        unit, mesh = eye_distance(rest), mesh.astype(np.float32)
        for brow in BROWS:
            mesh = lump(mesh, rest[brow], np.array([0, -self.brows * unit, 0], np.float32), 0.3 * unit)
        self._mesh = mesh
        try:
            return super()._move(motion)
        finally:
            self._mesh = rest


def film(head: LivelyHead, room: Image, seconds: float, seed: int) -> Iterator[Image]:
    """Frames (480, 640, 3) of a head in a ``room`` of that size."""
    rng = np.random.default_rng(seed)
    yaw, pitch, roll, x, y = (Wander(rng, every) for every in (1.6, 1.9, 2.3, 2.2, 2.6))
    opening, speaks, lids = Wander(rng, 0.22), Wander(rng, 1.3, 3), Wander(rng, 0.5, 2.5)
    brows, width, corners, light = Wander(rng, 0.8, 2.5), Wander(rng, 0.9, 2), Wander(rng, 1.1, 2), Wander(rng, 3.0)
    patterns = grain(SIZE, NOISE)
    for index in range(round(seconds * FPS)):
        t = index / FPS
        blinks, winks = t % 2.3 < 0.16, t % 7.0 > 6.3
        head.brows, head.width = 0.24 * (brows.at(t) - 0.45), 0.26 * (width.at(t) - 0.3)
        head.corners, head.wink = 0.09 * (corners.at(t) - 0.3), -0.2 if winks else 0.0
        closing = -0.22 if blinks else -0.2 * float(np.clip((lids.at(t) - 0.45) / 0.35, 0, 1))
        motion = Motion(
            yaw=0.8 * (yaw.at(t) - 0.5),
            pitch=0.4 * (pitch.at(t) - 0.5),
            roll=0.24 * (roll.at(t) - 0.5),
            opening=0.34 * opening.at(t) * (speaks.at(t) > 0.4),
            lids=0.0 if winks else closing,
            shift=(0.35 * (x.at(t) - 0.5), 0.2 * (y.at(t) - 0.5)),
        )
        picture = _placed(head, room, motion)
        picture = np.clip(picture * np.float32(0.75 + 0.4 * light.at(t)), 0, 255).astype(np.uint8)
        add_grain(picture, patterns[index % len(patterns)])
        yield picture


def _placed(head: LivelyHead, room: Image, motion: Motion) -> Image:
    drawn, alpha = head.render(motion)
    middle = np.array([SIZE[0] / 2, SIZE[1] * 0.52]) + np.array(motion.shift) * head.face_px
    corner = np.round(middle - head.side / 2)
    matrix = np.array([[1, 0, corner[0]], [0, 1, corner[1]]], np.float32)
    drawn, share = cv2.warpAffine(drawn, matrix, SIZE), cv2.warpAffine(alpha[..., 0], matrix, SIZE)[..., None]
    return np.asarray(room + (drawn - room.astype(np.float32)) * share, np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--names", nargs="+", required=True, metavar="NAME", help="of the personas")
    parser.add_argument("--room", type=Path, required=True, help="a picture for the background, shown out of focus")
    parser.add_argument("--out", type=Path, required=True, help="folder for the films")
    arguments = parser.parse_args()
    models = open_models(Config(), on_event=print)
    side = read_picture(arguments.room)
    room = np.asarray(cv2.GaussianBlur(cv2.resize(side[: side.shape[0] * 3 // 4], SIZE), (0, 0), 14), np.uint8)
    arguments.out.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(arguments.names):
        portrait = persona(name)
        landmarks = mesh_in(portrait, models)
        for seed, (part, (seconds, face_px)) in enumerate(PARTS.items(), 100 * number):
            write(
                arguments.out / f"{name}_{part}.mp4",
                film(LivelyHead(portrait, landmarks, face_px), room, seconds, seed),
            )


def write(path: Path, frames: Iterator[Image]) -> None:
    first = next(frames)
    with av.open(path, "w") as container:
        encoder = VideoEncoder(container, first, encoder="libx264", fps=FPS, live=False, crf=CRF)
        container.mux(encoder.encode(first, 0.0, 0.0))
        for index, frame in enumerate(frames, 1):
            container.mux(encoder.encode(frame, index / FPS, 0.0))
        container.mux(encoder.finish())


if __name__ == "__main__":
    main()
