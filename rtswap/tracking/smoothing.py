"""Smooth faces without lag: a Kalman filter for the box, One Euro filters for the mesh.

All constants are in face widths (fw), so that near and far faces behave alike: 1 px of noise on a 300 px face is
0.0033 fw, 150 px/s is 0.5 fw/s. ``benchmarks/smoothing.py`` prints the resulting figures and tests check them.

Faults of the seed's filter, and what this one does: it returned the next step (here: the posterior), rounded to
integers (never), froze when the detector failed (``predict`` coasts), shared one filter between faces (one per
track), and assumed that all frames are equally long (real seconds).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtswap.core.types import Box, Points
from rtswap.tracking.moving_average import BoxAverage, MovingAverage
from rtswap.vision import topology

Floats = NDArray[np.float64]

BOX_NOISE = 1 / 300
"""fw: standard deviation of a measured box edge. 1 px on a face of 300 px."""
BOX_ACCELERATION = 0.04
"""fw/s^2: acceleration of a head that holds still. Lower is steadier; the gate below lets motion through."""
BOX_GATE = 3.5
"""Standard deviations above which a difference is motion, not noise."""
BOX_VELOCITY_SHARE = 0.02
"""Share of motion beyond the gate that goes into the velocity at once. 1 would overshoot a step by its own height."""

STABLE = np.array([
    10, 151, 9, 8, 168, 6, 197, 195, 5, 4, 1, 127, 356, 234, 454, 162, 389, 21, 251, 54, 284, 103, 332, 67, 297, 109,
    338, 33, 133, 362, 263, 116, 345, 117, 346, 118, 347, 119, 348, 100, 329, 101, 330, 50, 280, 123, 352, 122, 351,
    196, 419, 3, 248, 45, 275, 220, 440, 48, 278, 64, 294, 98, 327, 129, 358, 69, 299, 104, 333, 68, 298, 71, 301,
    108, 337,
])  # fmt: skip
"""Forehead, temples, eye corners, cheekbones, nose: points that move with the skull, not with the expression."""
LIVELY = (*topology.LEFT_EYE, *topology.RIGHT_EYE, *topology.LIPS_OUTER, *topology.LIPS_INNER)
"""Eyelids and lips: a blink lasts three frames and must survive smoothing."""
TOGETHER = (
    *(ring[part] for ring in (topology.LEFT_EYE, topology.RIGHT_EYE) for part in (slice(1, 8), slice(9, 16))),
    topology.LEFT_BROW,
    topology.RIGHT_BROW,
)
"""Lower and upper lid of either eye, and both brows: points that move together, so that their mean tells motion from
noise sooner than each alone."""
_EDGE_PER_TURN = (2.0, 2 * np.sqrt(2.0))
"""A change of 1 in log scale, or of 1 rad (root 2 in the matrix), moves the face's edge by half a face width."""
_EARS = (234, 454)
"""The ends of the face width."""


USUAL_PX, CALMNESS = 120.0, (1.0, 2.5)
"""Face width down to which the mesh filter's constants hold, and the limits of ``calmness``."""
GUESSED = 1.5
"""How much noisier a hidden point is than a visible one."""


@dataclass(frozen=True, slots=True)
class Smoothing:
    """How steadily faces are followed."""

    noise: float = 1.0
    """Process noise of the box's Kalman filter and cut-offs at rest of the mesh's One Euro filters, as a multiple of
    the default. Below 1 is steadier, above 1 follows faster."""
    average: float = 0.0
    """0..1: share of the previous place in a moving average, per frame at 30 a second. Above 0 it replaces the Kalman
    filter, and the mesh's filter of position, size and rotation."""

    def box_filter(self, box: Box) -> BoxFilter | BoxAverage:
        return BoxAverage(box, self.average) if self.average else BoxFilter(box, self.noise)

    def mesh_filter(self) -> MeshFilter:
        return MeshFilter(MovingAverage(self.average) if self.average else OneEuro())


USUAL = Smoothing()


class BoxFilter:
    """Constant-velocity Kalman filter on (centre x, centre y, width, height), with one covariance for all four.

    The textbook two-state filter. The package filterpy gives the same numbers to the last digit (a test compares
    them), but imports SciPy's statistics: 1.5 s at start and 70 MB.

    Still faces get a low gain. A difference beyond ``BOX_GATE`` deviations widens the position's uncertainty and
    barely the velocity's, so the box follows a step at once and does not overshoot. Call ``predict`` once a frame,
    then ``update`` if there is a measurement. ``noise``: see ``Smoothing``.
    """

    def __init__(self, box: Box, noise: float = 1.0) -> None:
        self._acceleration = BOX_ACCELERATION * noise
        centre = _to_centre(box)
        self._size = _size(centre)
        self._state = np.stack([centre, np.zeros(4)])
        self._covariance = np.diag([BOX_NOISE**2, 0.5**2]) * self._size**2
        self._dt = 1 / 30

    @property
    def box(self) -> Box:
        """(4,) xyxy, as last predicted or updated."""
        return _to_box(self._state[0])

    def predict(self, dt: float) -> Box:
        """Predict the box ``dt`` > 0 seconds later at constant velocity. Coasting uses only this."""
        acceleration = (self._acceleration * self._size) ** 2
        transition = np.array([[1.0, dt], [0.0, 1.0]])
        noise = acceleration * np.array([[dt**4 / 4, dt**3 / 2], [dt**3 / 2, dt**2]])
        self._state = transition @ self._state
        self._covariance = transition @ self._covariance @ transition.T + noise
        self._dt = dt
        return self.box

    def update(self, box: Box) -> Box:
        """Return the posterior for a measured box. It is never farther from the measurement than the prediction."""
        measured = _to_centre(box)
        self._size = _size(measured)
        variance = (BOX_NOISE * self._size) ** 2
        covariance = self._covariance
        deviation = np.sqrt(covariance[0, 0] + variance)
        beyond = np.abs(measured - self._state[0]).max() - BOX_GATE * deviation
        if beyond > 0:
            covariance[0, 0] += beyond**2
            covariance[1, 1] += BOX_VELOCITY_SHARE * (beyond / self._dt) ** 2
        gain = covariance[:, :1] / (covariance[0, 0] + variance)
        self._state = self._state + gain * (measured - self._state[0])
        self._covariance = covariance - gain * covariance[0]
        return self.box


class OneEuro:
    """Low-pass whose cut-off rises with speed (Casiez, Roussel, Vogel: 1 Euro Filter, CHI 2012), per point.

    ``min_cutoff``: Hz at rest. ``beta``: Hz per fw/s. ``d_cutoff``: Hz, for the speed itself. ``still``: fw/s, speed
    below which motion counts as noise. Each is a number, or an array with one per point. ``together``: groups of
    points whose speed is that of their mean. It never overshoots: the output lies between the previous output and the
    measurement.
    """

    def __init__(
        self,
        *,
        min_cutoff: float | Floats = 0.8,
        beta: float | Floats = 70.0,
        d_cutoff: float | Floats = 2.0,
        still: float | Floats = 0.08,
        together: Sequence[Sequence[int]] = (),
    ) -> None:
        self._min_cutoff, self._beta, self._d_cutoff, self._still = min_cutoff, beta, d_cutoff, still
        self._members = np.array([point for group in together for point in group], int)
        self._sizes = np.array([len(group) for group in together], int)
        self._starts = np.cumsum(self._sizes) - self._sizes
        self._points: Floats | None = None
        self._raw: Floats | None = None
        self._velocity: Floats | None = None

    def reset(self) -> None:
        """Reset: the next points pass unfiltered."""
        self._points = self._raw = self._velocity = None

    def __call__(
        self, points: NDArray[Any], dt: float, size: float | Floats = 1.0, calm: float | Floats = 1.0
    ) -> Floats:
        """Filter points (N, D), ``dt`` > 0 seconds after the last. ``size``: the face's width in the same unit, one
        or N. ``calm``: noise relative to the usual, one or N: raises the speed that counts as noise and lowers the
        cut-off at rest by this factor. Faster motion is followed as quickly as before."""
        raw = np.array(points, np.float64, order="K")
        if self._points is None or self._raw is None or self._velocity is None:
            self._points, self._raw, self._velocity = raw, raw, np.zeros_like(raw)
            return raw.copy(order="K")
        self._velocity += _gain(self._d_cutoff, dt) * ((raw - self._raw) / dt - self._velocity)
        speed = np.sqrt((self._velocity * self._velocity).sum(axis=1)) / size
        if len(self._members):
            means = np.add.reduceat(self._velocity[self._members], self._starts) / self._sizes[:, None]
            speed[self._members] = np.repeat(np.sqrt((means * means).sum(axis=1)), self._sizes)
        cutoff = self._min_cutoff / calm + self._beta * np.maximum(speed - self._still * calm, 0.0)
        self._points = self._points + _gain(cutoff, dt) * (raw - self._points)
        self._raw = raw
        return self._points.copy(order="K")


class MeshFilter:
    """Smooth a (468, 3) mesh as a rigid head plus an expression.

    Jitter of the head makes a swap swim, so position, scale and rotation, each estimated from many points, get their
    own One Euro filters. The remaining expression is smoothed in the head's frame, where walking and nodding are no
    motion; eyelids, lips and brows are smoothed least. The first mesh is the reference for the rigid motion, so that
    the split loses nothing.
    """

    def __init__(self, rigid: OneEuro | MovingAverage | None = None) -> None:
        """``rigid``: of position, size and rotation."""
        self._rigid = rigid or OneEuro()
        self._expression = OneEuro(
            min_cutoff=_per_point(0.8, 3.5, 2.8),
            beta=_per_point(70.0, 220.0, 300.0),
            d_cutoff=_per_point(2.0, 8.0, 10.0),
            still=_per_point(0.08, 0.15, 0.05),
            together=TOGETHER,
        )
        self._reference: Floats | None = None

    def __call__(self, mesh: Points, dt: float, calm: float = 1.0, visibility: Points | None = None) -> Points:
        """The smoothed mesh, ``dt`` > 0 seconds after the last one. ``calm``: see ``OneEuro`` and ``calmness``;
        ``visibility`` (468,) 0..1: hidden points are guesses and count as noisier."""
        points = mesh.astype(np.float64, order="F")  # NumPy is faster on long rows than on triples
        if self._reference is None:
            self._reference = _own_frame(points)
            self._stable = self._reference[STABLE]
        scale, rotation, centre = fit_similarity(self._stable, points.T[:, STABLE].T)
        expression = ((rotation.T / scale) @ (points - centre).T).T - self._reference
        guessed: float | Floats = 1.0
        if visibility is not None:
            guessed = 1.0 + GUESSED * (1.0 - visibility.astype(np.float64))
        expression = self._expression(expression, dt, calm=calm * guessed)
        scale, rotation, centre = self._damped(scale, rotation, centre, dt, calm)
        smoothed = (self._reference + expression) @ (rotation.T * scale) + centre
        return np.ascontiguousarray(smoothed, np.float32)

    def _damped(
        self, scale: float, rotation: Floats, centre: Floats, dt: float, calm: float
    ) -> tuple[float, Floats, Floats]:
        """Smooth position, scale and rotation, each at its own speed."""
        rigid = np.zeros((4, 9))
        rigid[0, :2], rigid[1, 0], rigid[2, 0], rigid[3] = centre[:2], centre[2], np.log(scale), rotation.ravel()
        rigid = self._rigid(rigid, dt, np.array([scale, scale, *_EDGE_PER_TURN]), calm)
        turned = _nearest_rotation(rigid[3].reshape(3, 3))
        if abs((turned * turned).sum() - 3) > 0.01:  # too far to blend: another pose, not motion
            self._rigid.reset()
            return scale, rotation, centre
        return float(np.exp(rigid[2, 0])), turned, np.array([*rigid[0, :2], rigid[1, 0]])


def calmness(width_px: float, confidence: float) -> float:
    """Landmark noise of a face relative to the usual: ``width_px`` wide, presence ``confidence`` 0..1.

    Under the same sensor noise a point of a 35 px face is off by 0.0008 face widths, of a 120 px face by 0.0003, of a
    300 px face by 0.00015 (three personas, sigma 3): about the width to the power of -0.75.
    """
    size = math.pow(USUAL_PX / max(width_px, 1.0), 0.75)
    return min(max(size, CALMNESS[0]), CALMNESS[1]) / min(1.0, max(0.4, confidence))  # 0.4 for NaN, too


def fit_similarity(source: Floats, target: Floats) -> tuple[float, Floats, Floats]:
    """Least-squares similarity (scale, rotation (3, 3), centre (3,)): target ~ scale * source @ rotation.T + centre.

    Umeyama 1991, with ``source`` centred on its own mean. Excludes reflections.
    """
    centre: Floats = np.full(len(target), 1 / len(target)) @ target
    covariance = (target - centre).T @ source
    u, s, vt = np.linalg.svd(covariance)
    sign = np.array([1.0, 1.0, -1.0 if _determinant(covariance) < 0 else 1.0])
    scale = float((s * sign).sum() / (source * source).sum())
    return max(scale, 1e-6), (u * sign) @ vt, centre


def _determinant(matrix: Floats) -> float:
    (a, b, c), (d, e, f), (g, h, i) = matrix.tolist()
    return float(a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g))


def _own_frame(points: Floats) -> Floats:
    """The mesh with its stable points centred at the origin and a face width of 1."""
    width = float(np.linalg.norm(points[_EARS[0]] - points[_EARS[1]]))
    frame: Floats = (points - points[STABLE].mean(axis=0)) / max(width, 1e-6)
    return frame


def _nearest_rotation(matrix: Floats) -> Floats:
    """Nearest rotation to a blend of two rotations less than a right angle apart: three Newton-Schulz steps reach
    1e-3 at worst, and rounding error for the few degrees between two frames."""
    for _ in range(3):
        matrix = 1.5 * matrix - 0.5 * matrix @ (matrix.T @ matrix)
    return matrix


def _gain(cutoff: float | Floats, dt: float) -> Any:
    """Weight of the new value in a first-order low-pass; (N, 1) if the cut-off is (N,)."""
    turn = 2 * np.pi * cutoff * dt
    gain = turn / (1 + turn)
    return gain[:, None] if isinstance(gain, np.ndarray) else gain


def _per_point(calm: float, lively: float, together: float) -> Floats:
    values = np.full(468, calm)
    values[list(LIVELY)] = lively
    values[[point for group in TOGETHER for point in group]] = together
    return values


def _to_centre(box: Box) -> Floats:
    x1, y1, x2, y2 = (float(edge) for edge in box)
    return np.array([(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1])


def _to_box(centre: Floats) -> Box:
    x, y = centre[:2]
    w, h = np.maximum(centre[2:], 1.0) / 2
    return np.array([x - w, y - h, x + w, y + h], np.float32)


def _size(centre: Floats) -> float:
    return max(float(centre[2]), 1.0)
