"""Boxes against plain arithmetic."""

from __future__ import annotations

import numpy as np
import pytest

from rtswap.core.types import Box
from rtswap.tracking.association import iou
from rtswap.vision.boxes import grown, holds, overlap, side_of


def box(*edges: float) -> Box:
    return np.array(edges, np.float32)


def test_size_and_growth() -> None:
    assert side_of(box(10, 20, 40, 30)) == 30
    assert grown(box(10, 20, 40, 30), 0.5).tolist() == [-5, 15, 55, 35]
    assert grown(box(10, 20, 40, 30), -0.5).tolist() == [25, 25, 25, 25]


@pytest.mark.parametrize(("other", "inside"), [(box(0, 0, 20, 20), True), (box(0, 0, 19.8, 20), False)])
def test_a_box_holds_another_whose_middle_lies_in_it(other: Box, inside: bool) -> None:
    assert holds(box(10, 10, 30, 30), other) is inside


def test_overlap_is_intersection_over_union() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        first, second = (np.concatenate([low, low + size]).astype(np.float32) for low, size in rng.random((2, 2, 2)))
        assert overlap(first, second) == pytest.approx(iou([first], [second])[0, 0], abs=1e-6)
    assert overlap(box(0, 0, 1, 1), box(1, 0, 2, 1)) == 0
    assert overlap(box(3, 3, 3, 3), box(3, 3, 3, 3)) == 0
