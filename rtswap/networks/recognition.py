"""Face recognition: the network, and the stored appearance of a person."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from rtswap.core.protocols import Engine
from rtswap.core.types import Image, Mesh, Points, Tensor
from rtswap.networks.landmarks import place
from rtswap.networks.outputs import check_output
from rtswap.vision.crops import cut_into

SIDE = 96
LENGTH = 128
SAME_HERE, SAME = 0.7, 0.8
"""Minimum cosine for the same person: near the place where they were lost, and anywhere else. In clips of real people
nobody fell below 0.84 to what was stored of them, in any light; strangers are above 0.8 in 1 of 11 pairs."""
OTHER = 0.6
"""Cosine below which a tracked face has become someone else."""
SKIN = np.array([100, 115, 150], np.float32)
"""The mean colour, BGR, to which the middle of each crop is brought: lamps and exposure say nothing of a person."""
STRANGE = 3
"""Consecutive observations that must agree on it."""
FEWEST, MOST = 3, 8
"""Observations needed to know a person, and the maximum number stored."""
NEW = 0.85
"""Maximum cosine to the stored ones at which an observation is stored, too."""
LEARN_EVERY_S, LOOK_EVERY_S, DOUBT_EVERY_S = 0.2, 1.0, 0.15
"""Seconds between observations: until known, afterwards, and after someone else was seen."""
SURE_PRESENCE, LEAST_SEEN, WIDEST_YAW = 0.8, 0.7, 40.0
SMALLEST_PX = 36.0
"""Limits of presence, visibility, yaw (degrees) and size beyond which a face cannot be recognised."""


class FaceRecogniser:
    """Implements ``protocols.Embedder`` with our own network (``assets/recognition.md``): fast, and accurate enough
    to decide whether a face is the one of a moment ago. Not suitable for identifying people.

    The network's contract: ``crops`` (N, 96, 96, 3) uint8 BGR -> ``embedding`` (N, 128) float32 of unit length.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._crop = np.zeros((1, SIDE, SIDE, 3), np.uint8)

    def embed(self, image: Image, keypoints: Points) -> Tensor:
        """Embedding (128,) of unit length; zeros for degenerate points. ``keypoints``: (5, 2), or a (468, 3) mesh.

        Raises EngineError, and ModelError if the network's outputs violate its contract.
        """
        matrix = place(keypoints, SIDE)
        if matrix is None:
            return np.zeros(LENGTH, np.float32)
        cut_into(image, matrix, self._crop[0])
        middle = self._crop[0, SIDE // 4 : -SIDE // 4, SIDE // 4 : -SIDE // 4].reshape(-1, 3).mean(axis=0)
        gains = SKIN / np.maximum(middle, 1)
        self._crop[0] = np.clip(self._crop[0] * gains.astype(np.float32) + 0.5, 0, 255)
        outputs = self._engine.run({"crops": self._crop})
        vectors = check_output(outputs, "embedding", (1, LENGTH), of="the recognition network", recipe="recognition")
        return np.array(vectors[0], np.float32)


def tells_who(mesh: Mesh) -> bool:
    """True if enough of the face is visible to recognise it."""
    points = mesh.points
    right, down, depth = (points[454] - points[234]).tolist()
    size = float(np.ptp(points[:, 0]) + np.ptp(points[:, 1])) / 2
    yaw = abs(math.degrees(math.atan2(depth, math.hypot(right, down))))  # however the head is tilted
    sure = mesh.presence >= SURE_PRESENCE and float(mesh.visibility.mean()) >= LEAST_SEEN
    return sure and size >= SMALLEST_PX and yaw <= WIDEST_YAW


class Appearance:
    """The appearance of one person at a few differing moments. Times are seconds of the stream."""

    def __init__(self) -> None:
        self._vectors: list[NDArray[np.float32]] = []
        self._looked_s = -math.inf
        self._strange = 0

    @property
    def known(self) -> bool:
        return len(self._vectors) >= FEWEST

    def due(self, now_s: float) -> bool:
        """True if the next observation is due."""
        every = DOUBT_EVERY_S if self._strange else LOOK_EVERY_S if self.known else LEARN_EVERY_S
        return now_s - self._looked_s >= every

    def to(self, vector: Tensor) -> float:
        """Cosine to the most similar stored embedding; -1 if there is none."""
        return max((float(kept @ vector) for kept in self._vectors), default=-1.0)

    def look(self, vector: Tensor, now_s: float) -> bool:
        """Add an observation. Returns False if the face has been someone else's for a while."""
        self._looked_s = now_s
        alike = self.to(vector)
        if self.known and alike < OTHER:
            self._strange += 1
            return self._strange < STRANGE
        self._strange = 0
        if not self.known or OTHER < alike < NEW:
            if len(self._vectors) == MOST:
                del self._vectors[
                    FEWEST
                ]  # keep the first ones: otherwise the appearance could drift from face to face
            self._vectors.append(np.array(vector, np.float32))
        return True

    def forgive(self) -> None:
        """Reset the doubts: the person was found again."""
        self._strange = 0
