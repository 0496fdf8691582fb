"""A file plays in the window at its own speed."""

from __future__ import annotations

import itertools

import pytest

from rtswap.media.outputs.window import LATE_S, Pace


def shown_at(times_s: list[float | None], work_s: list[float]) -> list[float]:
    """When the frames of these times are shown, if each takes ``work_s`` to arrive."""
    pace, now, shown = Pace(), 100.0, []
    for time_s, work in zip(times_s, work_s, strict=True):
        now += work
        now += max(0.0, pace.wait_s(time_s, now))
        shown.append(now)
    return shown


def test_frames_are_shown_at_their_own_times() -> None:
    times: list[float | None] = [0.0, 0.04, 0.08, 0.5, 0.54]
    shown = shown_at(times, [0.01] * 5)
    assert [later - shown[0] for later in shown] == pytest.approx(times)


def test_a_delay_is_not_made_up_for_by_a_rush() -> None:
    shown = shown_at([0.0, 0.1, 0.2, 0.3], [0.0, 1.0, 0.0, 0.0])
    assert [later - sooner for sooner, later in itertools.pairwise(shown)] == pytest.approx([1.0, 0.1, 0.1])


def test_a_short_delay_is_made_up_for() -> None:
    shown = shown_at([0.0, 0.1, 0.2], [0.0, 0.1 + LATE_S / 2, 0.0])
    assert shown[2] - shown[0] == pytest.approx(0.2)


def test_frames_without_a_time_do_not_wait() -> None:
    assert shown_at([None, None], [0.0, 0.0]) == [100.0, 100.0]
