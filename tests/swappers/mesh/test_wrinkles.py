"""Wrinkles of the target on the swap."""

from __future__ import annotations

import numpy as np
import pytest

from rtswap.swappers.mesh.wrinkles import deepen


@pytest.mark.filterwarnings("error")
def test_black_targets_have_no_wrinkles_and_give_no_nan() -> None:
    """A lens that is covered while the brows were raised: 0 over 0 is no ratio."""
    swapped = np.full((64, 64, 3), 100, np.uint8)
    deepen(swapped, np.zeros((64, 64, 3), np.uint8), np.ones((16, 16), np.float32), 3.0)
    assert (swapped == 70).all(), "as dark as a wrinkle may be"
