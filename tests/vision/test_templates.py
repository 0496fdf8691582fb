"""Where faces stand in aligned pictures."""

from __future__ import annotations

import numpy as np
import pytest
from people import place_mesh

from rtswap.vision.geometry import keypoints_of, scale_of, transform
from rtswap.vision.templates import DFL_MEAN, TEMPLATES, placement


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_face_is_placed_upright_in_the_middle(name: str) -> None:
    face = keypoints_of(place_mesh(90, (200, 150), roll=25))
    found = transform(placement(face, name, 256), face)
    assert np.abs(found - TEMPLATES[name] * 256)[[0, 1, 3, 4]].max() < 256 * 0.03
    assert abs(found[1, 1] - found[0, 1]) < 2
    assert abs(found[:2, 0].mean() - 128) < 5


def test_deepfacelabs_crops_widen_its_square_about_its_middle() -> None:
    for name, side, middle in (("full", 1.59397, 0.5), ("whole", 2.13137, 0.43), ("head", 2.97990, 0.5)):
        mean = (TEMPLATES[name] - 0.5) * side + np.array([0.5, middle])
        np.testing.assert_allclose(mean, DFL_MEAN, atol=1e-4)


def test_crops_have_more_margin_from_full_to_head() -> None:
    face = keypoints_of(place_mesh(90, (200, 150)))
    scales = [scale_of(placement(face, name, 256)) for name in ("full", "whole", "head")]
    assert scales[0] / scales[1] == pytest.approx(2.13137 / 1.59397, rel=1e-3)
    assert scales[0] / scales[2] == pytest.approx(2.97990 / 1.59397, rel=1e-3)
