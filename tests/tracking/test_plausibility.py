"""Which meshes can be faces."""

from __future__ import annotations

import numpy as np
import pytest
from people import NAMES, person, place_mesh

from rtswap.core.types import Mesh, Points
from rtswap.tracking.plausibility import is_plausible
from rtswap.vision.geometry import box_of

SIZE = 720, 1280


def plausible(points: Points) -> bool:
    mesh = Mesh(points.astype(np.float32), np.ones(468, np.float32), 0.99)
    return is_plausible(mesh, box_of(mesh.points), 1.6, SIZE)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("yaw", "pitch", "roll"), [(0, 0, 0), (80, 0, 0), (-40, 30, 100), (0, -50, 180)])
def test_a_face_is_plausible_however_it_is_turned_and_if_the_picture_is_stretched(
    name: str, yaw: float, pitch: float, roll: float
) -> None:
    mesh = place_mesh(200, (600, 360), yaw=yaw, pitch=pitch, roll=roll, mesh=person(name).landmarks)
    assert plausible(mesh)
    assert plausible(mesh * (1.2, 1, 1))


def test_a_mesh_that_spans_two_faces_is_not() -> None:
    """Half of it lies on one face, half on the other, which is 0.8 times as large and higher."""
    mesh = place_mesh(200, (600, 360))
    share = np.clip((mesh[:, :1] - 560) / 80, 0, 1)
    other = (mesh - (600, 360, 0)) * 0.8 + (725, 320, 0)
    assert not plausible(mesh + share * (other - mesh))


def test_points_in_one_place_are_not() -> None:
    assert not plausible(np.full((468, 3), 300.0))
