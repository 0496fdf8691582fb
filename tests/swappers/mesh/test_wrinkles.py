"""Wrinkles of the target on the swap."""

from __future__ import annotations

import numpy as np
import pytest

from rtswap.swappers.mesh.neutral_expression import Motion
from rtswap.swappers.mesh.wrinkles import NOSE, deepen, shares
from rtswap.vision.geometry import canonical


@pytest.mark.filterwarnings("error")
def test_black_targets_have_no_wrinkles_and_give_no_nan() -> None:
    """A lens that is covered while the brows were raised: 0 over 0 is no ratio."""
    swapped = np.full((64, 64, 3), 100, np.uint8)
    deepen(swapped, np.zeros((64, 64, 3), np.uint8), np.ones((16, 16), np.float32), 3.0)
    assert (swapped == 70).all(), "as dark as a wrinkle may be"


@pytest.mark.parametrize("shape", [(1, 9, 3), (9, 1, 3), (1, 1, 3)])
def test_a_face_at_the_border_may_be_one_pixel_wide(shape: tuple[int, ...]) -> None:
    swapped = np.full(shape, 100, np.uint8)
    deepen(swapped, np.full(shape, 120, np.uint8), np.ones((2, 2), np.float32), 3.0)
    assert (swapped == 100).all()


def test_creases_of_old_skin_are_no_folds() -> None:
    """They were scratches on young skin. A fold of a smile is five times as wide."""
    darker = []
    for width in (1, 6):
        target = np.full((160, 160, 3), 120, np.uint8)
        target[:, 80 : 80 + width] = 70
        swapped = np.full((160, 160, 3), 100, np.uint8)
        deepen(swapped, target, np.ones((40, 40), np.float32), 8.0)
        darker.append(100 - int(swapped[80, :, 0].min()))
        assert swapped.max() <= 105, "no bright rims beside them"
    crease, fold = darker
    assert crease < 12
    assert fold > 18


def test_folds_of_a_smile_leave_out_the_target_s_nose() -> None:
    """The outline of a wide nose stood on the cheeks, beside the narrow nose of the photo."""
    shown = canonical().mesh
    mirror = canonical().mirror[list(NOSE)]
    target = shown.copy()
    target[list(NOSE), 0] -= 0.1
    target[mirror, 0] += 0.1
    smiling = Motion(
        np.zeros(5, np.float32), np.zeros(5, np.float32), 1.0, np.zeros((468, 3), np.float32), 0.3, (0, 0)
    )
    own, wider = (shares(smiling, 1.0, shown, one) for one in (shown, target))
    assert own is not None
    assert wider is not None
    outline = target[[*NOSE, *mirror], :2]
    near = np.linalg.norm(shown[:, None, :2] - outline, axis=2).min(1) < 0.045
    assert own[near].max() > 0.25, "folds reach there"
    assert wider[near].max() == 0
    cheek = [216, 436]
    assert (wider[cheek] == own[cheek]).all()
    assert own[cheek].min() > 0.5
