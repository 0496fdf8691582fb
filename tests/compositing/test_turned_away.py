"""A profile, of which little can be replaced, is covered; that is no failure."""

from __future__ import annotations

import numpy as np
import pytest

from rtswap.compositing.renderer import LEAST_REPLACED, LEAST_SEEN, LEAST_SIGHT, TooHidden, check_replaced


def visible(share: float) -> np.ndarray:
    return (np.arange(468) < share * 468).astype(np.float32)


def test_little_replaced_of_a_face_that_looks_here_is_a_failure() -> None:
    with pytest.raises(ValueError, match="covers too little of the face; train it longer"):
        check_replaced(LEAST_REPLACED / 2, visible(1.0))


def test_little_replaced_of_a_face_that_is_turned_away_is_none() -> None:
    with pytest.raises(TooHidden):
        check_replaced(LEAST_REPLACED / 2, visible(LEAST_SEEN - 0.1))


@pytest.mark.parametrize("share", [0.4, 1.0])
def test_enough_is_enough(share: float) -> None:
    check_replaced(LEAST_REPLACED, visible(share))


def test_a_mesh_with_almost_no_visible_landmarks_is_covered() -> None:
    with pytest.raises(TooHidden):
        check_replaced(1.0, visible(LEAST_SIGHT - 0.05))
