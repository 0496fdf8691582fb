"""Smooth landmarks over a window of time that also looks ahead, as only a recording allows.

A face is followed from its frame to the frames before and after it, as far as it can be; the meshes are averaged with
the weights of a Rauch-Tung-Striebel smoother. Every face is smoothed for itself: nothing is carried over from face to
face, so that an extraction can be continued anywhere with the same result.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from rtswap.commands.extract.views import Moment, View
from rtswap.core.protocols import LandmarkModel
from rtswap.core.types import Points
from rtswap.tracking.plausibility import is_plausible
from rtswap.tracking.smoothing import LIVELY, TOGETHER
from rtswap.vision.geometry import box_of, keypoints_of

SURE = 0.5
"""Presence below which a face is lost."""
MOST_GROWTH = 1.3
"""Largest ratio of its sizes in two neighbouring frames."""
LIVELY_SHARE = 0.33
"""Share of the window for eyelids, lips and brows: a blink lasts a tenth of a second. The keypoints, which lie on
them, are smoothed over all of it: a crop does not blink."""
_DIFFUSE = 1e6
"""Variance of what is known before the first measurement, relative to a measurement's."""
_EDGE = 2 * math.sqrt(2)
"""The smoother's cut-off in radians per window. Its weight falls to 7 % of the middle's at the window's edge."""


def smooth(model: LandmarkModel, view: View, mesh: Points, window_s: float) -> tuple[Points, Points]:
    """Return the face's landmarks (468, 3), and the keypoints (5, 2) to place it by, smoothed over ``window_s``
    before and after. ``mesh``: as found in the view's frame. Raises EngineError, ModelError."""
    before = _follow(model, view.before[::-1], mesh)
    after = _follow(model, view.after, mesh)
    moments = [*view.before[::-1][: len(before)][::-1], view.moment, *view.after[: len(after)]]
    moved = np.stack([*before[::-1], mesh, *after]).astype(np.float64) - mesh
    offsets = tuple(round(moment.time_s - view.moment.time_s, 4) for moment in moments)
    found = mesh + np.tensordot(weights(offsets, window_s), moved, 1)
    keypoints = keypoints_of(found.astype(np.float32))
    lively = [*LIVELY, *(point for group in TOGETHER for point in group)]
    found[lively] = mesh[lively] + np.tensordot(weights(offsets, window_s * LIVELY_SHARE), moved[:, lively], 1)
    return found.astype(np.float32), keypoints


@lru_cache(1024)
def weights(offsets: tuple[float, ...], window_s: float) -> NDArray[np.float64]:
    """Weights (N,) of measurements at ``offsets`` seconds in the smoothed value at 0, which must be one of them. They
    sum to 1, and motion at constant speed is left as it is.

    A Kalman filter of position and velocity and the Rauch-Tung-Striebel smoother are linear: the weights are their
    answers to one measurement of 1 among zeros.
    """
    from filterpy.common import Q_continuous_white_noise
    from filterpy.kalman import KalmanFilter

    count, middle = len(offsets), offsets.index(0.0)
    if count < 3:
        return np.asarray(np.eye(count)[middle])
    steps = np.diff(offsets)
    density = float(steps.mean()) * (_EDGE / window_s) ** 4
    moves = [np.eye(2), *(np.array([[1.0, step], [0.0, 1.0]]) for step in steps)]
    noises = [np.zeros((2, 2)), *(Q_continuous_white_noise(2, step, density) for step in steps)]
    found = []
    for answer in np.eye(count):
        one = KalmanFilter(dim_x=2, dim_z=1)
        one.H, one.R, one.P = np.array([[1.0, 0.0]]), np.eye(1), _DIFFUSE * np.diag([1.0, 1 / window_s**2])
        means, covariances, _, _ = one.batch_filter(answer, Fs=moves, Qs=noises)
        found.append(one.rts_smoother(means, covariances, moves, noises)[0][middle, 0, 0])
    return np.array(found)


def _follow(model: LandmarkModel, moments: Sequence[Moment], mesh: Points) -> list[Points]:
    """The face's meshes, frame by frame, until it is lost."""
    meshes: list[Points] = []
    for moment in moments:
        found = model.find(moment.image, [mesh])[0]
        if found.presence < SURE or not is_plausible(found, box_of(mesh), MOST_GROWTH, moment.image.shape[:2]):
            break
        mesh = found.points
        meshes.append(mesh)
    return meshes
