"""Measure jitter, lag and overshoot of the tracker's filters on a synthetic face at 30 fps. Prints JSON.

    python benchmarks/smoothing.py [--width 300]

Signals: a still face with 1 px of noise on every keypoint (``jitter``), or the same noise on all keypoints at once
(``jitter_common``), a movement of 150 px/s, a step of 60 px, a nod of 40 px at 1 Hz; all scaled in proportion to a
face of 300 px. Jitter is the frame-to-frame movement, out / in (RMS). ``wander`` is the standard deviation, out / in:
the remaining slow movement. ``mesh``: all 468 points. ``crop``: the corners of a crop fitted to them. ``box``: the
Kalman-filtered box. ``previous``: earlier filters on the same signals.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from rtswap.tracking.smoothing import STABLE, BoxFilter, MeshFilter, fit_similarity
from rtswap.vision import topology

Signal = NDArray[np.float64]
Filter = Callable[[Signal], Signal]

FPS = 30
TIMES = np.arange(0, 10, 1 / FPS)
WARM_UP = 2 * FPS


def face(width: float) -> Signal:
    """Return (468, 3): half an ellipsoid ``width`` px wide with canonical ears, eyes and mouth, in a 720p frame."""
    golden = np.arange(468) * 2.399963
    radius = np.sqrt((np.arange(468) + 0.5) / 468) * 0.5
    points = np.stack([radius * np.cos(golden), 1.3 * radius * np.sin(golden)], axis=1)
    points[234], points[454] = (-0.5, 0), (0.5, 0)
    for ring, x, y, w, h in [
        (topology.LEFT_EYE, -0.2, -0.15, 0.08, 0.03),
        (topology.RIGHT_EYE, 0.2, -0.15, 0.08, 0.03),
        (topology.LIPS_OUTER, 0, 0.3, 0.16, 0.06),
        (topology.LIPS_INNER, 0, 0.3, 0.13, 0.02),
    ]:
        turn = np.linspace(0, 2 * np.pi, len(ring), endpoint=False)
        points[ring] = np.stack([x + w * np.cos(turn), y + h * np.sin(turn)], axis=1)
    depth = -0.4 * np.sqrt(np.maximum(0, 1 - 4 * (points**2).sum(axis=1) / 1.69))
    return np.column_stack([points, depth]) * width + [640, 360, 0]


def smooth_meshes(meshes: Signal) -> Signal:
    mesh_filter = MeshFilter()
    return np.array([mesh_filter(mesh.astype(np.float32), 1 / FPS) for mesh in meshes], np.float64)


def crop_corners(meshes: Signal) -> Signal:
    """Return (T, 4, 3): corners of a crop that follows the rigid part of the mesh, as a swapper places it."""
    reference = meshes[0][STABLE] - meshes[0][STABLE].mean(axis=0)
    radius = np.abs(reference[:, 0]).max()
    corners = radius * np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]])
    fits = [fit_similarity(reference, mesh[STABLE]) for mesh in meshes]
    return np.array([scale * corners @ rotation.T + centre for scale, rotation, centre in fits])


def smooth_boxes(boxes: Signal) -> Signal:
    """Return (T, 2, 2): corners after the Kalman filter."""
    flat = boxes.reshape(-1, 4).astype(np.float32)
    box_filter = BoxFilter(flat[0])
    out = [flat[0]]
    for box in flat[1:]:
        box_filter.predict(1 / FPS)
        out.append(box_filter.update(box))
    return np.array(out, np.float64).reshape(-1, 2, 2)


def moving_average(points: Signal) -> Signal:
    """The original project's filter: an exponential average with 0.65 of the past."""
    out = [points[0]]
    for point in points[1:]:
        out.append(0.65 * out[-1] + 0.35 * point)
    return np.array(out)


def seed_kalman(points: Signal) -> Signal:
    """The original project's filter: constant velocity per frame, Q = 1e-3, R = 1; it outputs its next prediction."""
    transition, noise = np.array([[1.0, 1.0], [0.0, 1.0]]), 1e-3 * np.eye(2)
    state, covariance = np.stack([points[0], np.zeros_like(points[0])]), np.eye(2)
    out = [points[0]]
    for point in points[1:]:
        gain = covariance[:, 0] / (covariance[0, 0] + 1)
        state = state + gain.reshape(2, *[1] * point.ndim) * (point - state[0])
        covariance = covariance - np.outer(gain, covariance[0])
        state = np.tensordot(transition, state, axes=1)
        covariance = transition @ covariance @ transition.T + noise
        out.append(state[0])
    return np.array(out)


def score(smooth: Filter, still: Signal, unit: float, raw_of: Filter = lambda signal: signal) -> dict[str, float]:
    """Return the figures of a filter. ``still``: (N, D) points. ``unit``: px that equal 1 px on a 300 px face.
    ``raw_of``: the unfiltered reference."""
    random = np.random.default_rng(11)

    def moving(x: Signal, y: Signal) -> Signal:
        offset = np.zeros((len(TIMES), 1, still.shape[1]))
        offset[:, 0, 0], offset[:, 0, 1] = x * unit, y * unit
        return still + offset

    def ratios(noise: Signal) -> tuple[float, float]:
        raw = still + unit * noise
        out, raw = smooth(raw)[WARM_UP:, :, :2], raw_of(raw)[WARM_UP:, :, :2]
        return rms(np.diff(out, axis=0)) / rms(np.diff(raw, axis=0)), rms(out - out.mean(0)) / rms(raw - raw.mean(0))

    frames, (points, axes) = len(TIMES), still.shape
    jitter, wander = ratios(random.normal(0, 1, (frames, points, axes)))
    jitter_common, wander_common = ratios(np.repeat(random.normal(0, 1, (frames, 1, axes)), points, axis=1))
    zero = np.zeros(frames)
    ramp, nod = moving(150 * TIMES, zero), moving(zero, 40 * np.sin(2 * np.pi * TIMES))
    step = moving(np.where(TIMES < 5, 0.0, 60.0), zero)
    stepped = (smooth(step) - raw_of(step)[-1])[frames // 2 :, :, 0]
    return {
        "jitter": round(jitter, 3),
        "jitter_common": round(jitter_common, 3),
        "wander": round(wander, 3),
        "wander_common": round(wander_common, 3),
        "lag_px": round(float((raw_of(ramp) - smooth(ramp))[-FPS:, :, 0].mean()) / unit, 2),
        "overshoot_px": round(max(0.0, float(stepped.max())) / unit, 3),
        "nod_rms_px": round(rms((smooth(nod) - raw_of(nod))[WARM_UP:, :, 1]) / unit, 2),
    }


def rms(values: Signal) -> float:
    return math.sqrt(float((values**2).mean()))


def figures(width: float = 300) -> dict[str, dict[str, float]]:
    """Return all figures, for a face ``width`` px wide."""
    unit = width / 300
    mesh = face(width)
    corners = np.array([[640, 360], [640 + width, 360 + 1.3 * width]])
    return {
        "mesh": score(smooth_meshes, mesh, unit),
        "crop": score(lambda m: crop_corners(smooth_meshes(m)), mesh, unit, lambda m: crop_corners(m)),
        "box": score(smooth_boxes, corners, unit),
    }


def cost_us(work: Callable[[], object]) -> float:
    """Return the median of 200 runs after 20 warm-up runs."""
    taken = []
    for _ in range(220):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return round(float(np.median(taken[20:])) * 1e6, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description="Jitter, lag and overshoot of the tracker's filters, as JSON.")
    parser.add_argument("--width", type=float, default=300, help="face width in px (default 300)")
    width = parser.parse_args().width
    mesh, mesh_filter = face(width).astype(np.float32), MeshFilter()
    box = np.array([0, 0, width, width], np.float32)
    box_filter = BoxFilter(box)
    points = face(width)[:5]
    result = {
        "face_px": width,
        "fps": FPS,
        "figures": figures(width),
        "previous": {
            "moving_average_0.65": score(moving_average, points, width / 300),
            "kalman_q_1e-3_predicted": score(seed_kalman, points, width / 300),
        },
        "cost_us": {
            "mesh": cost_us(lambda: mesh_filter(mesh, 1 / FPS)),
            "box": cost_us(lambda: (box_filter.predict(1 / FPS), box_filter.update(box))),
        },
        "machine": {"processor": platform.processor() or platform.machine(), "python": platform.python_version()},
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
