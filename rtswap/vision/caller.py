"""Film a person who does not exist, in a room, as a webcam shows them: they speak, blink and turn a little.

For the demo. Three images of one size come from ``assets/caller`` (made by ``training/personas/caller.py``): the
person, their opacity, and the room behind them. The room stands still. The face moves as a mesh, as in
``talking_head``; hair and neck move with it, less and less towards the shoulders, which only breathe.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from typing import NamedTuple, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.types import Image, Points
from rtswap.vision.geometry import canonical, similarity, transform
from rtswap.vision.raster import band, fill, rasterize
from rtswap.vision.resample import blurred, looked_up, resized
from rtswap.vision.talking_head import SHUT, Motion, add_grain, grain, look_out, rotation
from rtswap.vision.topology import CHIN, FOREHEAD, LEFT_EYE, LIPS_INNER, OVAL, RIGHT_EYE

Field = NDArray[np.float32]

SURROUND = 1.5
"""Extent of the mesh's surroundings in distances of the face oval from its centre: what is beyond moves as the head
does, without expression."""
STEP = 8
"""Pixels between the nodes where the motion of hair, neck and shoulders is computed."""
JAW = 0.55
"""Drop of the chin, in openings of the mouth."""
UPPER = 0.5
"""Share of the upper lip's lift: people speak with the lower one."""
EYEBALL = 0.19
"""Radius of an eyeball in inter-ocular distances: 12 of 63 mm."""
GAZE = 0.7
"""Share of the head's turn that the eyes make up for."""
EDGES = (0.0, 0.17, 0.31, 0.44, 0.56, 0.67)
"""Where the upper teeth meet, from the middle outwards, in halves of the mouth's width."""
INSIDE, TONGUE, TEETH = (20, 16, 34), (66, 62, 116), (142, 160, 170)
"""Colours inside the mouth, BGR."""


class Layers(NamedTuple):
    """What a caller is drawn from; all of one size."""

    person: Image
    """(H, W, 3). Beyond the outline their colours go on."""
    opacity: NDArray[np.uint8]
    """(H, W) of the person, 0..255."""
    room: Image
    """(H, W, 3)"""

    def still(self) -> Image:
        """The person in the room, (H, W, 3)."""
        share = self.opacity.astype(np.float32) / 255
        return cast(Image, cv2.blendLinear(self.person, self.room, share, 1 - share))


def caller_layers() -> Layers:
    """The built-in caller, 1280x720."""
    folder = resources.files("rtswap").joinpath("assets/caller")
    person, opacity, room = (
        cv2.imdecode(np.frombuffer(folder.joinpath(f"{name}.jpg").read_bytes(), np.uint8), how)
        for name, how in (
            ("person", cv2.IMREAD_COLOR),
            ("matte", cv2.IMREAD_GRAYSCALE),
            ("room", cv2.IMREAD_COLOR),
        )
    )
    return Layers(cast(Image, person), cast("NDArray[np.uint8]", opacity), cast(Image, room))


def conversation(t: float) -> Motion:
    """Simulate a call at time ``t``, in seconds: phrases with pauses, small turns and nods, a blink every 2.7 s."""
    phrase = float(np.clip(6 * np.sin(0.5 * np.pi * (t + 0.2) / 1.4) + 3.5, 0, 1))
    syllable = np.sin(np.pi * 3.3 * t + 0.8 * np.sin(2.1 * t)) ** 2
    blink = np.exp(-(((((t + 1.3) % 2.7) - 1.35) / 0.075) ** 2))
    return Motion(
        yaw=0.12 * float(np.sin(0.9 * t + 0.3)) + 0.035 * float(np.sin(2.3 * t)),
        pitch=0.045 * float(np.sin(1.7 * t + 1.0)) + 0.02 * float(np.sin(3.9 * t)) * phrase,
        roll=0.04 * float(np.sin(0.7 * t + 2.0)) + 0.015 * float(np.sin(1.9 * t)),
        opening=0.16 * phrase * float(syllable) * (0.62 + 0.38 * float(np.sin(2.7 * t + 1.0))),
        lids=-0.2 * float(blink),
        shift=(0.07 * float(np.sin(0.6 * t)), 0.015 * float(np.sin(1.1 * t))),
    )


class Caller:
    """A person in a room who moves. ``landmarks``: (468, 3) px in ``layers.still()``."""

    def __init__(self, layers: Layers, landmarks: Points) -> None:
        self._room = layers.room
        self._person = np.dstack([layers.person, layers.opacity])
        self.size = layers.room.shape[1], layers.room.shape[0]
        self._mesh = landmarks.astype(np.float32)
        self.face_px = float(np.ptp(landmarks[:, 0]))
        self._unit = float(np.linalg.norm(landmarks[LEFT_EYE, :2].mean(0) - landmarks[RIGHT_EYE, :2].mean(0)))
        self._chin = float(landmarks[CHIN, 1])
        self._height = self._chin - float(landmarks[FOREHEAD, 1])
        ears = landmarks[[234, 454]].mean(0)
        self._pivot = np.array([ears[0], self._chin + 0.3 * self._height, ears[2] + 0.1 * self.face_px], np.float32)
        middle = landmarks[OVAL, :2].mean(0)
        self._ring = (middle + SURROUND * (landmarks[OVAL, :2] - middle)).astype(np.float32)
        count = np.arange(len(OVAL))
        self._triangles = np.concatenate([canonical().triangles, band(np.array(OVAL), 468 + count)]).astype(np.int32)
        rest = np.concatenate([self._mesh[:, :2], self._ring]) / np.array(self.size, np.float32)
        self._values = np.column_stack([rest, np.ones(len(rest))]).astype(np.float32)
        self._jaw = _jaw_weights()
        width, height = self.size
        nodes = np.meshgrid(*((np.arange(n // STEP + 1) + 0.5) * STEP - 0.5 for n in (width, height)))
        self._nodes = np.stack(nodes, -1).astype(np.float32)

    def mesh(self, motion: Motion) -> Points:
        """Landmarks (468, 3) px in the image that ``render`` returns."""
        to_canonical = similarity(self._mesh, canonical().mesh)
        frontal = transform(to_canonical, self._mesh)
        directions = canonical().expression
        eyes = frontal[[145, 374], 1] - frontal[[159, 386], 1]
        left, right = np.maximum(motion.lids, -SHUT * eyes)
        speech = motion.opening * directions[0]
        speech[:, 1] = np.where(speech[:, 1] < 0, UPPER * speech[:, 1], speech[:, 1])
        speech[:, 1] = np.where(
            self._jaw > 0, np.maximum(speech[:, 1], JAW * motion.opening * self._jaw), speech[:, 1]
        )
        change = speech + left * directions[3] + right * directions[4]
        back = np.linalg.inv(to_canonical[:, :3])
        own = (frontal + change - to_canonical[:, 3]) @ back.T
        return self._turn(own.astype(np.float32), motion)

    def render(self, motion: Motion) -> Image:
        """The person in the room, (H, W, 3)."""
        mesh = self.mesh(motion)
        ring = np.column_stack([self._ring + self._drift(self._ring, motion), np.full(len(OVAL), self._pivot[2])])
        lookup = self._head_lookup(motion)
        points = np.concatenate([mesh, ring]).astype(np.float32)
        x1, y1, x2, y2 = self._box(points)
        region = lookup[y1:y2, x1:x2]
        inside = rasterize(
            points - np.array([x1, y1, 0], np.float32), self._values, self._triangles, (x2 - x1, y2 - y1)
        )
        # without the single pixels that miss their triangle where the mesh folds, and without stairs there
        inside = np.asarray(cv2.blur(cv2.medianBlur(inside, 3), (3, 3)), np.float32)
        covered = inside[..., 2:]
        face = inside[..., :2] / np.maximum(covered, 0.5) * np.array(self.size, np.float32)
        region[:] = np.where(covered > 0.5, face, region)
        for eye in (LEFT_EYE, RIGHT_EYE):
            self._look(lookup, mesh[eye, :2], self._mesh[eye, :2], motion)
        drawn = looked_up(self._person, lookup)
        share = drawn[..., 3].astype(np.float32) / 255
        picture = cast(Image, cv2.blendLinear(np.ascontiguousarray(drawn[..., :3]), self._room, share, 1 - share))
        self._open_mouth(picture, motion, mesh)
        return picture

    def _turn(self, points: Points, motion: Motion) -> Points:
        """Points (..., 3) of the head at rest, where they are."""
        shift = np.array([*motion.shift, 0], np.float32) * self.face_px
        return np.asarray((points - self._pivot) @ rotation(motion).T + self._pivot + shift, np.float32)

    def _drift(self, at: Field, motion: Motion) -> Field:
        """Return the displacement of points outside the face that are at ``at`` (..., 2) at rest, (..., 2) px."""
        x, y = at[..., 0], at[..., 1]
        below = _smooth((y - self._chin) / (0.36 * self._height))
        beside = _smooth((np.abs(x - self._pivot[0]) / self.face_px - 0.85) / 0.5) * _smooth(
            (y - self._chin + 0.15 * self._height) / (0.3 * self._height)
        )
        held = ((1 - below) * (1 - beside))[..., None]
        head = self._turn(np.concatenate([at, np.full_like(at[..., :1], self._pivot[2])], -1), motion)[..., :2] - at
        body = np.array(motion.shift, np.float32) * np.float32(0.25 * self.face_px)
        return np.asarray(held * head + (1 - held) * body, np.float32)

    def _head_lookup(self, motion: Motion) -> Field:
        """(H, W, 2) where hair, neck and shoulders come from."""
        start = self._nodes
        for _ in range(4):
            start = self._nodes - self._drift(start, motion)
        width, height = self.size
        rows, columns = start.shape[:2]
        return np.ascontiguousarray(resized(start, (columns * STEP, rows * STEP))[:height, :width])

    def _look(self, lookup: Field, ring: Field, rest: Field, motion: Motion) -> None:
        """Lids hide the eye; it keeps looking at the camera while the head turns."""
        x1, y1, x2, y2 = self._box(ring, margin=6)
        region = lookup[y1:y2, x1:x2]
        corner = np.array([x1, y1], np.float32)
        hole = np.zeros(region.shape[:2], np.uint8)
        fill(hole, [ring - corner], 255, smooth=False)
        own = np.ascontiguousarray(region)
        look_out(own, hole > 0, rest, ring - corner)
        towards = np.array([np.sin(motion.yaw), -np.sin(motion.pitch)], np.float32) * EYEBALL * self._unit
        soft = blurred((hole > 0).astype(np.float32), 0.025 * self._unit)[..., None] * (hole > 0)[..., None]
        region[:] = own - np.clip(2 * soft - 1, 0, 1) * towards * GAZE

    def _open_mouth(self, picture: Image, motion: Motion, mesh: Points) -> None:
        """Paint teeth, tongue and darkness between the lips."""
        if motion.opening <= 0.005:
            return
        ring = mesh[LIPS_INNER, :2]
        x1, y1, x2, y2 = self._box(ring, margin=8)
        corner = np.array([x1, y1], np.float32)
        hole = np.zeros((y2 - y1, x2 - x1), np.uint8)
        fill(hole, [ring - corner], 255)
        along = ring[10] - ring[0]
        width = float(np.linalg.norm(along))
        along = along / np.float32(width)
        shut = self.mesh(Motion(motion.yaw, motion.pitch, motion.roll, 0, 0, motion.shift))[[13, 14], :2].mean(0)
        y, x = np.mgrid[y1:y2, x1:x2].astype(np.float32)
        across = ((x - shut[0]) * along[0] + (y - shut[1]) * along[1]) / width
        down = ((y - shut[1]) * along[0] - (x - shut[0]) * along[1]) / width
        mouth = mouth_inside(across, down, float(np.ptp(ring[:, 1])) / width)
        open_ = blurred(hole.astype(np.float32) / 255, 0.9)
        depth = np.clip(blurred(open_, 0.045 * width) * 1.5 - 0.25, 0.15, 1)[..., None]
        share = (open_ * min(1.0, motion.opening / 0.03))[..., None]
        region = picture[y1:y2, x1:x2]
        region[:] = (region + (mouth * depth - region) * share).astype(np.uint8)

    def _box(self, points: Field, margin: int = 2) -> tuple[int, int, int, int]:
        low = np.floor(points[:, :2].min(0)).astype(int) - margin
        high = np.ceil(points[:, :2].max(0)).astype(int) + margin
        (x1, y1), (x2, y2) = np.maximum(low, 0), np.minimum(high, self.size)
        return int(x1), int(y1), int(x2), int(y2)


def mouth_inside(across: Field, down: Field, opening: float) -> Field:
    """(H, W, 3) 0..255: upper teeth, tongue, darkness. ``across``, ``down``: (H, W) from the middle of the closed
    lips, in mouth widths; ``opening``: height of the mouth in them."""
    aside = 2 * np.abs(across)
    gap = np.min([np.abs(aside - meet) for meet in EDGES], axis=0)
    edge = 0.085 - 0.05 * aside**2 - 0.008 * np.exp(-((gap / 0.03) ** 2))
    tooth = _smooth((edge - down) / 0.025) * (1 - _smooth((aside - 0.45) / 0.35))
    rounded = 1 - 0.1 * np.exp(-((gap / 0.016) ** 2)) - 0.3 * aside
    tongue = _smooth((down - 0.55 * opening) / (0.5 * opening)) * (1 - _smooth((aside - 0.25) / 0.5))
    colour = np.array(INSIDE, np.float32) + 0.75 * tongue[..., None] * (np.array(TONGUE, np.float32) - INSIDE)
    teeth = np.array(TEETH, np.float32) * rounded[..., None]
    return np.asarray(colour + tooth[..., None] * (teeth - colour), np.float32)


def call(caller: Caller, *, fps: float, frames: int, noise: float = 1.5) -> Iterator[Image]:
    """Render ``frames`` frames; ``noise``: standard deviation in levels."""
    patterns = grain(caller.size, noise)
    for index in range(frames):
        picture = caller.render(conversation(index / fps))
        add_grain(picture, patterns[index % len(patterns)])
        yield picture


def _jaw_weights() -> Field:
    """(468,) 0..1 how far each landmark drops with the chin."""
    mesh = canonical().mesh
    mouth, chin = float(mesh[14, 1]), float(mesh[CHIN, 1])
    beside = 1 - _smooth((np.abs(mesh[:, 0]) / float(np.abs(mesh[:, 0]).max()) - 0.35) / 0.6)
    return np.asarray(_smooth((mesh[:, 1] - mouth) / (chin - mouth)) * beside, np.float32)


def _smooth(share: NDArray[np.floating]) -> Field:
    """0 below 0, 1 above 1, a soft step between."""
    clipped = np.clip(share, 0, 1)
    return np.asarray(clipped * clipped * (3 - 2 * clipped), np.float32)
