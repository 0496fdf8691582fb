"""The time until a new person is detected does not depend on the frame rate."""

from __future__ import annotations

import pytest
from fake_world import Stream, World, still

from rtswap.core.types import Quality

HALF_A_SECOND = 0.5


def waited_s(fps: float, quality: Quality) -> float:
    """From the first frame that shows the second person to the one in which both are followed."""
    world = World([still(x=300)])
    stream = Stream(world, faces="all")
    for _ in range(max(4, round(2 * fps))):
        stream.step(1 / fps, quality)
    world.persons.append(still(x=900))
    came = stream.clock
    for _ in range(120):
        now = stream.clock
        if len(stream.step(1 / fps, quality)) == 2:
            return now - came
    raise AssertionError("never found")


@pytest.mark.parametrize("fps", [0.5, 1, 2, 5, 10, 15, 25, 30, 60])
def test_a_newcomer_is_found_in_half_a_second_or_in_the_first_frame(fps: float) -> None:
    assert waited_s(fps, Quality()) <= HALF_A_SECOND + 1 / fps + 1e-6


def test_the_budget_can_make_it_rarer_but_not_by_frames() -> None:
    """Under load detection comes half as often: a second, whatever the rate."""
    for fps in (1, 5, 30):
        assert waited_s(fps, Quality(detect_every=30)) <= 2 * HALF_A_SECOND + 1 / fps + 1e-6


@pytest.mark.parametrize("fps", [1, 5])
def test_a_mesh_that_is_doubted_is_checked_as_soon(fps: float) -> None:
    """The looks at a face that is followed keep time as well."""
    world = World([still()])
    stream = Stream(world)
    for _ in range(4):
        stream.step(1 / fps)
    before = world.refines
    for _ in range(round(2 * fps)):
        stream.step(1 / fps)
    assert world.refines - before >= 2
