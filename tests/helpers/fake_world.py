"""A small world that replaces camera and networks: persons with a place, a size, looks and moods; the fakes see
only it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from rtswap.core.types import Box, Detection, Frame, Image, Mesh, Points, Quality, Tensor, Track
from rtswap.tracking.association import iou
from rtswap.tracking.tracker import FaceTracker
from rtswap.vision import topology
from rtswap.vision.geometry import canonical

FPS = 30
WIDTH, HEIGHT = 1280, 720


def base_mesh() -> Points:
    """(468, 3) the mean face, 1 wide, about the origin."""
    mesh = canonical().mesh
    middle = (mesh.min(axis=0) + mesh.max(axis=0)) / 2
    return np.asarray((mesh - middle) / np.ptp(mesh[:, 0]), np.float32)


BASE = base_mesh()


@dataclass
class Person:
    """``place(t)``: x, y, face width in px at t seconds, or None while away."""

    place: Callable[[float], tuple[float, float, float] | None]
    presence: float = 0.99
    detected: bool = True
    meshed: bool = True
    refined: bool = True
    looks: int = 0
    """Which way the identity vector points."""

    def mesh(self, t: float) -> Points | None:
        place = self.place(t)
        if place is None:
            return None
        x, y, w = place
        return (BASE * w + np.array([x, y, 0])).astype(np.float32)


def still(x: float = 640, y: float = 360, w: float = 200) -> Person:
    return Person(lambda t: (x, y, w))


def extent(points: Points) -> Box:
    return np.concatenate([points[:, :2].min(axis=0), points[:, :2].max(axis=0)]).astype(np.float32)


def centre(box: Box) -> Points:
    return (box[:2] + box[2:]) / 2


@dataclass
class World:
    """Detector and landmark model of what is in front of the camera. Counts what it was asked."""

    persons: list[Person]
    now: float = 0.0
    noise_px: float = 0.0
    detects: int = 0
    refines: int = 0
    finds: int = 0
    embeds: int = 0
    batches: list[int] = field(default_factory=list)
    spoil: Callable[[Mesh], Mesh] | None = None
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(7))

    def _see(self) -> list[tuple[Person, Points]]:
        seen = [(person, person.mesh(self.now)) for person in self.persons]
        return [(person, mesh) for person, mesh in seen if mesh is not None]

    def detect(self, image: Image) -> list[Detection]:
        self.detects += 1
        return [self._detection(mesh) for person, mesh in self._see() if person.detected]

    def refine(self, image: Image, boxes: Sequence[Box], turns: Sequence[int] = ()) -> list[Detection | None]:
        if any(turns):
            return [None] * len(boxes)  # everybody is upright
        self.refines += 1
        assert all(np.isfinite(box).all() for box in boxes)
        return [self._refine(box) for box in boxes]

    def find(self, image: Image, faces: Sequence[Points]) -> list[Mesh]:
        self.finds += 1
        self.batches.append(len(faces))
        meshes = [self._mesh(points) for points in faces]
        return [self.spoil(mesh) for mesh in meshes] if self.spoil else meshes

    def embed(self, image: Image, keypoints: Points) -> Tensor:
        """Embed the person nearest to the points; the vector varies by a tenth each time."""
        self.embeds += 1
        middle = keypoints[:, :2].mean(axis=0)
        seen = [(float(np.hypot(*(m[:, :2].mean(axis=0) - middle))), p.looks) for p, m in self._see()]
        vector = self.random.normal(0, 0.1 / np.sqrt(128), 128)
        vector[min(seen)[1] if seen else 127] += 1
        return (vector / np.linalg.norm(vector)).astype(np.float32)

    def _detection(self, mesh: Points) -> Detection:
        points = mesh + self.random.normal(0, self.noise_px, mesh.shape)
        keypoints = np.stack([points[part, :2].mean(axis=0) for part in topology.KEYPOINTS])
        return Detection(extent(mesh), keypoints.astype(np.float32), 0.99)

    def _refine(self, box: Box) -> Detection | None:
        found = [m for p, m in self._see() if p.detected and p.refined and iou([box], [extent(m)])[0, 0] > 0.3]
        return self._detection(found[0]) if found else None

    def _mesh(self, hint: Points) -> Mesh:
        """The person whose face is nearest to the hint, as a network that looks at a crop would see it."""
        middle = hint[:, :2].mean(axis=0)
        best: Person | None = None
        best_off = 0.45
        for person in self.persons:
            place = person.place(self.now)
            if place is not None and person.meshed:
                off = float(np.hypot(middle[0] - place[0], middle[1] - place[1])) / place[2]
                if off < best_off:
                    best, best_off = person, off
        visibility = np.ones(468, np.float32)
        if best is None:
            return Mesh((BASE * 100 + [*middle, 0]).astype(np.float32), visibility, 0.02)
        mesh = best.mesh(self.now)
        assert mesh is not None
        if self.noise_px:
            mesh = (mesh + self.random.normal(0, self.noise_px, (468, 3))).astype(np.float32)
        return Mesh(mesh, visibility, best.presence)


class Stream:
    """Plays a world through a tracker."""

    def __init__(self, world: World, **options: object) -> None:
        self.world = world
        self.tracker = FaceTracker(world, world, **options)  # type: ignore[arg-type]
        self.image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        self.index = 0
        self.clock = 100.0

    def step(self, dt: float = 1 / FPS, quality: Quality | None = None) -> list[Track]:
        frame = Frame(self.image, self.index, self.clock)
        tracks = self.tracker.update(frame, quality or Quality())
        for track in tracks:
            check(track)
        assert len({track.id for track in tracks}) == len(tracks)
        self.index += 1
        self.clock += dt
        self.world.now += dt
        return tracks

    def run(self, seconds: float, quality: Quality | None = None) -> list[list[Track]]:
        return [self.step(quality=quality) for _ in range(round(seconds * FPS))]


def check(track: Track) -> None:
    """Check what every user of a track relies on."""
    assert track.box.shape == (4,)
    assert track.keypoints.shape == (5, 2)
    assert track.landmarks.shape == (468, 3)
    assert track.visibility.shape == (468,)
    for values in (track.box, track.keypoints, track.landmarks, track.visibility):
        assert values.dtype == np.float32
        assert np.isfinite(values).all()
    assert track.box[2] > track.box[0]
    assert track.box[3] > track.box[1]
    assert 0 <= track.confidence <= 1
    assert (track.keypoints >= track.box[:2] - 40).all()
    assert (track.keypoints <= track.box[2:] + 40).all()


def ids(tracks: list[Track]) -> list[int]:
    return [track.id for track in tracks]
