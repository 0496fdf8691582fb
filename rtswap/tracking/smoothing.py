"""Steady without being late: a Kalman filter for the box, One Euro filters for the mesh.

All constants are in face widths (fw), so a face behaves alike near and far: 1 px of noise on a 300 px face is
0.0033 fw, 150 px/s is 0.5 fw/s. The figures they reach are printed by ``benchmarks/smoothing.py`` and kept by tests.

What the seed's filter did wrong, and what is done here: it emitted the next step (here: the posterior), rounded to
integers (never), stood still when the detector failed (``predict`` coasts), shared one filter between faces (one
per track), and took every frame to be as long as the last (real seconds).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtswap.core.types import Box, Points
from rtswap.vision import topology

Floats = NDArray[np.float64]

BOX_NOISE = 1 / 300
"""fw: standard deviation of a measured box edge. 1 px on a face of 300 px."""
BOX_ACCELERATION = 0.04
"""fw/s^2: what a head that holds still does. The lower, the steadier; motion is let in by the gate below."""
BOX_GATE = 3.5
"""Standard deviations beyond which a difference is motion and not noise."""
BOX_VELOCITY_SHARE = 0.02
"""How much of motion beyond the gate the velocity may learn at once. 1 would overshoot a step by its own height."""

STABLE = np.array([
    10, 151, 9, 8, 168, 6, 197, 195, 5, 4, 1, 127, 356, 234, 454, 162, 389, 21, 251, 54, 284, 103, 332, 67, 297, 109,
    338, 33, 133, 362, 263, 116, 345, 117, 346, 118, 347, 119, 348, 100, 329, 101, 330, 50, 280, 123, 352, 122, 351,
    196, 419, 3, 248, 45, 275, 220, 440, 48, 278, 64, 294, 98, 327, 129, 358, 69, 299, 104, 333, 68, 298, 71, 301,
    108, 337,
])  # fmt: skip
"""Forehead, temples, eye corners, cheekbones, nose: what moves with the skull and not with the expression."""
LIVELY = (*topology.LEFT_EYE, *topology.RIGHT_EYE, *topology.LIPS_OUTER, *topology.LIPS_INNER)
"""Eyelids and lips: a blink lasts three frames and must not be smoothed away."""
_EDGE_PER_TURN = (2.0, 2 * np.sqrt(2.0))
"""A change of 1 in log scale, or of 1 rad (root 2 in the matrix), moves the face's edge by half a face width."""
_EARS = (234, 454)
"""The two ends of the face width."""


USUAL_PX, CALMNESS = 120.0, (1.0, 2.5)
"""Width of a face down to which the constants of the mesh's filters hold, and how far ``calmness`` goes."""
GUESSED = 1.5
"""How much noisier a hidden point is than a seen one."""


class BoxFilter:
    """Constant velocity on (centre x, centre y, width, height), one covariance shared by the four.

    The textbook's two-state filter. The package filterpy gives the same numbers to the last digit (a test compares
    them), but importing it takes SciPy's statistics along: 1.5 s of the start and 70 MB.

    Still faces get a low gain. A difference beyond ``BOX_GATE`` deviations widens the position's uncertainty and
    hardly the velocity's, so the box follows a step at once and does not run on. Call ``predict`` once a frame, then
    ``update`` where there is a measurement.
    """

    def __init__(self, box: Box) -> None:
        centre = _to_centre(box)
        self._size = _size(centre)
        self._state = np.stack([centre, np.zeros(4)])
        self._covariance = np.diag([BOX_NOISE**2, 0.5**2]) * self._size**2
        self._dt = 1 / 30

    @property
    def box(self) -> Box:
        """(4,) xyxy, as last predicted or updated."""
        return _to_box(self._state[0])

    @property
    def velocity(self) -> Floats:
        """(2,) px/s of the centre."""
        speed: Floats = self._state[1, :2].copy()
        return speed

    def predict(self, dt: float) -> Box:
        """Where the box is ``dt`` > 0 seconds later if nothing changes its course. Coasting is this alone."""
        acceleration = (BOX_ACCELERATION * self._size) ** 2
        transition = np.array([[1.0, dt], [0.0, 1.0]])
        noise = acceleration * np.array([[dt**4 / 4, dt**3 / 2], [dt**3 / 2, dt**2]])
        self._state = transition @ self._state
        self._covariance = transition @ self._covariance @ transition.T + noise
        self._dt = dt
        return self.box

    def update(self, box: Box) -> Box:
        """The posterior: where the box is, given the measured one. Never farther off than it was predicted."""
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
    """Low pass whose cut-off rises with speed (Casiez, Roussel, Vogel: 1 Euro Filter, CHI 2012), per point.

    ``min_cutoff``: Hz at rest. ``beta``: Hz per fw/s. ``d_cutoff``: Hz, for the speed itself. ``still``: fw/s, speed
    below which is taken for noise. Each a number, or an array with one for every point. It never overshoots: what it
    emits lies between what it emitted before and what was measured.
    """

    def __init__(
        self,
        *,
        min_cutoff: float | Floats = 0.8,
        beta: float | Floats = 70.0,
        d_cutoff: float | Floats = 2.0,
        still: float | Floats = 0.08,
    ) -> None:
        self._min_cutoff, self._beta, self._d_cutoff, self._still = min_cutoff, beta, d_cutoff, still
        self._points: Floats | None = None
        self._raw: Floats | None = None
        self._velocity: Floats | None = None

    def reset(self) -> None:
        """The next points are taken as they are."""
        self._points = self._raw = self._velocity = None

    def __call__(
        self, points: NDArray[Any], dt: float, size: float | Floats = 1.0, calm: float | Floats = 1.0
    ) -> Floats:
        """(N, D) points ``dt`` > 0 seconds after the last. ``size``: the face's width in the same unit, one or N.
        ``calm``: how much noisier than usual they are, one or N: so much more speed is noise, and the cut-off at rest
        so much lower. Motion beyond it is followed as quickly as ever."""
        raw = np.array(points, np.float64, order="K")
        if self._points is None or self._raw is None or self._velocity is None:
            self._points, self._raw, self._velocity = raw, raw, np.zeros_like(raw)
            return raw.copy(order="K")
        self._velocity += _gain(self._d_cutoff, dt) * ((raw - self._raw) / dt - self._velocity)
        speed = np.sqrt((self._velocity * self._velocity).sum(axis=1)) / size
        cutoff = self._min_cutoff / calm + self._beta * np.maximum(speed - self._still * calm, 0.0)
        self._points = self._points + _gain(cutoff, dt) * (raw - self._points)
        self._raw = raw
        return self._points.copy(order="K")


class MeshFilter:
    """Smooths a (468, 3) mesh as a rigid head and an expression on it.

    A head's jitter makes a swap swim, so position, scale and rotation, which are found from many points at once, are
    smoothed each by its own One Euro filter. What remains is the expression, smoothed in the head's own frame, where
    walking or nodding does not count as motion; eyelids and lips are smoothed least. The reference the rigid motion
    is measured against is the first mesh, so that the split loses nothing.
    """

    def __init__(self) -> None:
        self._rigid = OneEuro()
        self._expression = OneEuro(
            min_cutoff=_per_point(0.8, 3.5),
            beta=_per_point(70.0, 220.0),
            d_cutoff=_per_point(2.0, 8.0),
            still=_per_point(0.08, 0.15),
        )
        self._reference: Floats | None = None

    def __call__(self, mesh: Points, dt: float, calm: float = 1.0, visibility: Points | None = None) -> Points:
        """The smoothed mesh, ``dt`` > 0 seconds after the last one. ``calm``: see ``OneEuro`` and ``calmness``;
        ``visibility`` (468,) 0..1: where a hidden point lies is a guess, so it counts as noisier."""
        points = mesh.astype(np.float64, order="F")  # NumPy goes through long rows faster than through triples
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
        """Position, scale and rotation, each with its own speed."""
        rigid = np.zeros((4, 9))
        rigid[0, :2], rigid[1, 0], rigid[2, 0], rigid[3] = centre[:2], centre[2], np.log(scale), rotation.ravel()
        rigid = self._rigid(rigid, dt, np.array([scale, scale, *_EDGE_PER_TURN]), calm)
        turned = _nearest_rotation(rigid[3].reshape(3, 3))
        if abs((turned * turned).sum() - 3) > 0.01:  # farther than a blend can bridge: another pose, not motion
            self._rigid.reset()
            return scale, rotation, centre
        return float(np.exp(rigid[2, 0])), turned, np.array([*rigid[0, :2], rigid[1, 0]])


def calmness(width_px: float, confidence: float) -> float:
    """How much noisier than usual the landmarks of a face are: ``width_px`` wide, presence ``confidence`` 0..1.

    Under the same sensor noise a point of a 35 px face is off by 0.0008 face widths, of a 120 px face by 0.0003, of a
    300 px face by 0.00015 (three personas, sigma 3): about as the width to the power of -0.75.
    """
    size = math.pow(USUAL_PX / max(width_px, 1.0), 0.75)
    return min(max(size, CALMNESS[0]), CALMNESS[1]) / min(1.0, max(0.4, confidence))  # 0.4 for NaN, too


def fit_similarity(source: Floats, target: Floats) -> tuple[float, Floats, Floats]:
    """(scale, rotation (3, 3), centre (3,)): target ~ scale * source @ rotation.T + centre, least squares.

    Umeyama 1991, with ``source`` centred on its own mean. Reflections are excluded.
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
    """The mesh with its stable points about the origin and a face width of 1."""
    width = float(np.linalg.norm(points[_EARS[0]] - points[_EARS[1]]))
    frame: Floats = (points - points[STABLE].mean(axis=0)) / max(width, 1e-6)
    return frame


def _nearest_rotation(matrix: Floats) -> Floats:
    """Of a blend of two rotations less than a right angle apart: three Newton-Schulz steps reach 1e-3 at worst, and
    rounding for the few degrees between two frames."""
    for _ in range(3):
        matrix = 1.5 * matrix - 0.5 * matrix @ (matrix.T @ matrix)
    return matrix


def _gain(cutoff: float | Floats, dt: float) -> Any:
    """Share of the new value in a first-order low pass; (N, 1) where the cut-off is (N,)."""
    turn = 2 * np.pi * cutoff * dt
    gain = turn / (1 + turn)
    return gain[:, None] if isinstance(gain, np.ndarray) else gain


def _per_point(calm: float, lively: float) -> Floats:
    values = np.full(468, calm)
    values[list(LIVELY)] = lively
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
