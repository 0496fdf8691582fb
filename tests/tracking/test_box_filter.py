"""The filter of boxes against a textbook Kalman filter: it coasts in real seconds and lies between guess and look."""

from __future__ import annotations

import math

import numpy as np
import pytest
from filterpy.kalman import KalmanFilter
from hypothesis import given, settings
from hypothesis import strategies as st
from moving_face import DT, TIMES, filter_boxes

from rtswap.tracking import smoothing
from rtswap.tracking.smoothing import BoxFilter


def test_still_box_agrees_with_a_textbook_kalman_filter() -> None:
    """Within the gate nothing is added to it."""
    from rtswap.tracking import smoothing

    random = np.random.default_rng(4)
    boxes = (np.array([100, 100, 400, 500]) + random.normal(0, 0.2, (50, 4))).astype(np.float32)
    out = filter_boxes(boxes)
    left = boxes[:, [0, 2]].astype(np.float64).mean(axis=1)
    widths = boxes[:, 2].astype(np.float64) - boxes[:, 0]
    p = np.diag([smoothing.BOX_NOISE**2, 0.25]) * widths[0] ** 2
    x = np.array([left[0], 0.0])
    f = np.array([[1, DT], [0, 1]])
    for n in range(1, 50):
        q = (smoothing.BOX_ACCELERATION * widths[n - 1]) ** 2 * np.array([[DT**4 / 4, DT**3 / 2], [DT**3 / 2, DT**2]])
        x, p = f @ x, f @ p @ f.T + q
        s = p[0, 0] + (smoothing.BOX_NOISE * widths[n]) ** 2
        k = p[:, 0] / s
        x, p = x + k * (left[n] - x[0]), p - np.outer(k, p[0])
        assert out[n, [0, 2]].mean() == pytest.approx(x[0], abs=1e-3)


def test_coasting_goes_on_as_before_in_real_seconds_and_is_not_rounded() -> None:
    box_filter = BoxFilter(np.float32([0, 0, 200, 260]))
    for n in range(1, 60):
        box_filter.predict(DT)
        box_filter.update(np.float32([90 * n * DT, 0, 200 + 90 * n * DT, 260]))
    before = box_filter.box
    for dt in (0.05, 0.01, 0.14):
        coasted = box_filter.predict(dt)
    np.testing.assert_allclose(coasted - before, [18, 0, 18, 0], atol=0.5)
    assert not np.array_equal(coasted, np.round(coasted))


def test_uneven_frame_times_do_not_shake_a_box_that_moves_evenly() -> None:
    random = np.random.default_rng(8)
    box_filter = BoxFilter(np.float32([0, 0, 200, 260]))
    now = 0.0
    for n in range(200):
        dt = float(random.uniform(0.01, 0.08))
        now += dt
        box_filter.predict(dt)
        box = box_filter.update(np.float32([150 * now, 0, 150 * now + 200, 260]))
        if n > 60:
            assert abs(box[0] - 150 * now) < 0.6


def test_posterior_is_emitted_and_not_the_next_step() -> None:
    boxes = np.float32([100, 100, 400, 500]) + np.float32(150) * TIMES[:, None].astype(np.float32)
    assert np.abs(filter_boxes(boxes) - boxes)[30:].max() < 0.1


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4), st.floats(0.1, 5000), st.floats(1 / 240, 1.0)),
        max_size=40,
    )
)
def test_any_boxes_give_boxes_between_prediction_and_measurement(
    signal: list[tuple[float, float, float, float]],
) -> None:
    box_filter = BoxFilter(np.float32([0, 0, 100, 100]))
    for x, y, w, dt in signal:
        predicted = box_filter.predict(dt)
        measured = np.float32([x, y, x + w, y + w])
        out = box_filter.update(measured)
        assert np.isfinite(out).all()
        assert out[2] > out[0]
        middles = [(box[:2].astype(np.float64) + box[2:]) / 2 for box in (predicted, out, measured)]
        slack = 1e-3 * (1 + np.abs(np.array(middles)).max())
        assert (np.minimum(middles[0], middles[2]) - slack <= middles[1]).all()
        assert (middles[1] <= np.maximum(middles[0], middles[2]) + slack).all()


def test_the_box_filter_is_filterpys() -> None:
    """Random walks with jumps and uneven steps, against an independent implementation of the same equations."""
    rng = np.random.default_rng(3)
    box = np.array([100, 100, 300, 340], np.float32)
    own = BoxFilter(box)
    size = 200.0
    theirs = KalmanFilter(dim_x=2, dim_z=1)
    theirs.x = np.stack([[200, 220, 200, 240], np.zeros(4)])
    theirs.H = np.array([[1.0, 0.0]])
    theirs.P = np.diag([smoothing.BOX_NOISE**2, 0.5**2]) * size**2
    for step in range(500):
        dt = float(rng.uniform(0.01, 0.08))
        acceleration = (smoothing.BOX_ACCELERATION * size) ** 2
        noise = acceleration * np.array([[dt**4 / 4, dt**3 / 2], [dt**3 / 2, dt**2]])
        theirs.predict(F=np.array([[1.0, dt], [0.0, 1.0]]), Q=noise)
        own.predict(dt)
        if step % 7 == 3:
            continue
        box = box + rng.normal(0, 1, 4).astype(np.float32) + np.float32(25 * (step % 50 == 0))
        measured = np.array([box[0] + box[2], box[1] + box[3], 2 * (box[2] - box[0]), 2 * (box[3] - box[1])]) / 2
        size = measured[2]
        variance = (smoothing.BOX_NOISE * size) ** 2
        beyond = np.abs(measured - theirs.x[0]).max() - smoothing.BOX_GATE * math.sqrt(theirs.P[0, 0] + variance)
        if beyond > 0:
            theirs.P[0, 0] += beyond**2
            theirs.P[1, 1] += smoothing.BOX_VELOCITY_SHARE * (beyond / dt) ** 2
        theirs.update(measured[None, :], R=np.array([[variance]]), H=theirs.H)
        own.update(box)
        centre, extent = theirs.x[0, :2], theirs.x[0, 2:]
        np.testing.assert_allclose(own.box, [*(centre - extent / 2), *(centre + extent / 2)], atol=1e-3)
