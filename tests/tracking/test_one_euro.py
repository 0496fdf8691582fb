"""The One Euro filter against its definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from moving_face import DT

from rtswap.tracking.smoothing import OneEuro


def test_one_euro_agrees_with_a_plain_scalar_version() -> None:
    random = np.random.default_rng(5)
    signal = np.cumsum(random.normal(0, 3, 200))
    steps = random.uniform(0.01, 0.08, 200)
    one_euro = OneEuro(min_cutoff=1.0, beta=15.0, d_cutoff=1.0, still=0.0)
    value = last = signal[0]
    speed = 0.0
    for raw, dt in zip(signal, steps, strict=True):
        speed_gain = 1 / (1 + 1 / (2 * math.pi * 1.0 * dt))
        speed += speed_gain * ((raw - last) / dt - speed)
        last = raw
        gain = 1 / (1 + 1 / (2 * math.pi * (1.0 + 15.0 * abs(speed) / 300) * dt))
        value += gain * (raw - value)
        assert one_euro(np.array([[raw]]), dt, 300.0)[0, 0] == pytest.approx(value)


@given(st.lists(st.tuples(st.floats(-1e4, 1e4), st.floats(1e-3, 1.0)), min_size=2, max_size=40))
def test_one_euro_never_overshoots_at_any_step(signal: list[tuple[float, float]]) -> None:
    one_euro = OneEuro()
    before = one_euro(np.array([[signal[0][0]]]), signal[0][1], 100.0)[0, 0]
    for raw, dt in signal[1:]:
        now = one_euro(np.array([[raw]]), dt, 100.0)[0, 0]
        assert min(before, raw) - 1e-6 <= now <= max(before, raw) + 1e-6
        before = now


def test_one_euro_is_the_same_at_any_scale_and_frame_rate_sees_seconds() -> None:
    signal = np.cumsum(np.random.default_rng(1).normal(0, 3, (100, 5, 2)), axis=0)
    small, large = OneEuro(), OneEuro()
    for points in signal:
        np.testing.assert_allclose(small(points, DT, 100.0) * 7, large(points * 7, DT, 700.0), rtol=1e-9)
    slow, fast = OneEuro(), OneEuro()
    for n in range(240):
        quick = fast(np.array([[30.0 * n / 240]]), 1 / 240, 300.0)
        if n % 8 == 0:
            calm = slow(np.array([[30.0 * n / 240]]), 1 / 30, 300.0)
    assert abs(quick - calm) < 1.5


def test_points_of_one_euro_do_not_disturb_each_other_and_callers_keep_their_arrays() -> None:
    one_euro = OneEuro()
    points = np.zeros((2, 2))
    one_euro(points, DT)
    points[0] = 100
    kept = points.copy()
    out = one_euro(points, DT)
    assert (out[1] == 0).all()
    assert (out[0] > 0).all()
    np.testing.assert_array_equal(points, kept)
    out[:] = 1e9
    assert (one_euro(points, DT) <= 100).all(), "what was handed out is the caller's"


def test_reset_takes_the_next_points_as_they_are() -> None:
    one_euro = OneEuro()
    one_euro(np.zeros((1, 2)), DT)
    one_euro.reset()
    np.testing.assert_array_equal(one_euro(np.full((1, 2), 50.0), DT), [[50, 50]])
