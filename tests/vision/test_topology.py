"""The canonical face: a symmetric mesh whose triangles cover the oval once, and its closed rings."""

from __future__ import annotations

import numpy as np
import pytest
from people import fill_mask, place_mesh

from rtswap.vision import topology
from rtswap.vision.geometry import canonical, points68_of, unwrap
from rtswap.vision.topology import LEFT_BROW, LEFT_EYE, LIPS_INNER, LIPS_OUTER, OVAL, RIGHT_BROW, RIGHT_EYE

RINGS = {
    "oval": OVAL,
    "left eye": LEFT_EYE,
    "right eye": RIGHT_EYE,
    "outer lips": LIPS_OUTER,
    "inner lips": LIPS_INNER,
}
CLOSED = ("oval", "left eye", "right eye", "inner lips")
"""Rings at which the mesh is cut or ends."""


def edges_of(triangles: np.ndarray) -> list[tuple[int, int]]:
    """Every side of every triangle, smaller index first."""
    sides = np.sort(np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]), axis=1)
    return [(int(a), int(b)) for a, b in sides]


def area(points: np.ndarray) -> float:
    """Of a polygon, signed."""
    x, y = points.T
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


def test_shapes_and_types() -> None:
    face = canonical()
    assert face.mesh.shape == (468, 3)
    assert face.mesh.dtype == np.float32
    assert face.triangles.shape == (898, 3)
    assert face.region.shape == (898,)
    assert face.mirror.shape == (468,)
    assert face.expression.shape == (5, 468, 3)
    assert all(np.isfinite(part).all() for part in (face.mesh, face.expression))
    assert set(np.unique(face.triangles)) == set(range(468))


def test_the_mirror_is_an_involution_and_the_mean_symmetric() -> None:
    mesh, mirror = canonical().mesh, canonical().mirror
    assert np.array_equal(mirror[mirror], np.arange(468))
    assert np.abs(mesh[mirror] * [-1, 1, 1] - mesh).max() < 1e-5
    assert mirror[topology.NOSE_TIP] == topology.NOSE_TIP
    assert mirror[topology.CHIN] == topology.CHIN
    assert mirror[topology.FOREHEAD] == topology.FOREHEAD


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (LEFT_EYE, RIGHT_EYE),
        (LEFT_BROW, RIGHT_BROW),
        (OVAL, OVAL),
        (LIPS_OUTER, LIPS_OUTER),
        (LIPS_INNER, LIPS_INNER),
    ],
)
def test_the_mirror_takes_features_onto_features(one: list[int], other: list[int]) -> None:
    assert set(canonical().mirror[one]) == set(other)


def test_scale_and_orientation() -> None:
    mesh = canonical().mesh
    left, right = mesh[LEFT_EYE].mean(0), mesh[RIGHT_EYE].mean(0)
    assert np.linalg.norm(left - right) == pytest.approx(1, abs=1e-4)
    assert left[0] < 0 < right[0]
    assert mesh[topology.FOREHEAD, 1] < left[1] < mesh[topology.NOSE_TIP, 1] < mesh[topology.CHIN, 1]
    assert mesh[topology.NOSE_TIP, 2] < mesh[:, 2].mean() < mesh[OVAL, 2].mean()  # the nose towards the camera


@pytest.mark.parametrize("name", RINGS)
def test_rings_name_no_point_twice_and_do_not_cross_themselves(name: str) -> None:
    ring = RINGS[name]
    points = unwrap(canonical().mesh)[ring]
    assert len(set(ring)) == len(ring)
    angles = np.unwrap(np.arctan2(*(points - points.mean(0)).T[::-1]))
    assert abs(angles[-1] - angles[0]) == pytest.approx(2 * np.pi, abs=1.2)


@pytest.mark.parametrize("name", CLOSED)
def test_rings_are_edges_of_triangles(name: str) -> None:
    ring = RINGS[name]
    edges = set(edges_of(canonical().triangles))
    for a, b in zip(ring, np.roll(ring, -1), strict=True):
        assert (min(a, int(b)), max(a, int(b))) in edges


def test_triangles_are_all_turned_the_same_way_when_the_mouth_opens() -> None:
    """Where it is shut, its corners fold by less than 0.02 % of a square of the inter-ocular distance."""
    face = canonical()
    speaking = unwrap(face.mesh + 0.25 * face.expression[0])
    assert all(area(speaking[triangle]) > 0 for triangle in face.triangles)
    still = unwrap(face.mesh)
    folded = [triangle for triangle in face.triangles if area(still[triangle]) <= 0]
    assert all(area(still[triangle]) > -2e-4 and np.isin(triangle, LIPS_INNER).any() for triangle in folded)
    assert len({tuple(sorted(triangle)) for triangle in face.triangles.tolist()}) == len(face.triangles)


def test_triangles_cover_the_oval_once() -> None:
    """Every inner edge has two triangles, every edge of the oval one; the areas add up to the oval's."""
    triangles = canonical().triangles
    edges, counts = np.unique(edges_of(triangles), axis=0, return_counts=True)
    assert counts.max() == 2
    border = {tuple(edge) for edge in edges[counts == 1].tolist()}
    assert border == {(min(a, int(b)), max(a, int(b))) for a, b in zip(OVAL, np.roll(OVAL, -1), strict=True)}
    assert len(triangles) == 2 * 468 - len(OVAL) - 2  # Euler's formula for a disc
    flat = unwrap(canonical().mesh)
    total = sum(area(flat[triangle]) for triangle in triangles)
    assert total == pytest.approx(area(flat[OVAL]), rel=1e-4, abs=1e-6)


def test_regions_are_the_openings() -> None:
    face = canonical()
    for value, rings in ((1, LEFT_EYE + RIGHT_EYE), (2, LIPS_INNER)):
        assert set(face.triangles[face.region == value].ravel()) == set(rings)
    # a polygon of n corners is n - 2 triangles
    assert np.bincount(face.region).tolist()[1:] == [2 * (len(LEFT_EYE) - 2), len(LIPS_INNER) - 2]


def test_an_open_mouth_is_cut_between_the_lips_only() -> None:
    """Skin triangles do not reach across the mouth when it opens: the hole is all and only the mouth's region."""
    mesh = canonical().mesh + 0.5 * canonical().expression[0]
    points = place_mesh(300, (160, 200), mesh=mesh)
    skin = fill_mask(points, canonical().triangles[canonical().region != 2], (320, 400))
    middle = points[LIPS_INNER, :2].mean(0).round().astype(int)
    assert not skin[middle[1], middle[0]]
    hole = fill_mask(points, canonical().triangles[canonical().region == 2], (320, 400))
    assert (hole & skin).sum() < 0.25 * hole.sum() + 20
    assert hole.sum() > 500


def test_expressions_do_what_they_are_called() -> None:
    """The mouth's directions move the mouth, the eyes' directions one eye each, symmetrically."""
    mesh, mirror, directions = canonical().mesh, canonical().mirror, canonical().expression
    size = np.linalg.norm(directions, axis=2)
    far_from_mouth = mesh[:, 1] < -0.2
    assert size[:3][:, far_from_mouth].max() < 1e-6
    assert size[0, LIPS_INNER].max() > 0.3
    for one, ring, other in ((3, LEFT_EYE, RIGHT_EYE), (4, RIGHT_EYE, LEFT_EYE)):
        assert size[one, ring].max() > 5 * size[one, other].max()
    assert np.abs(directions[3][mirror] * [-1, 1, 1] - directions[4]).max() < 5e-3


def test_points68_are_in_ibugs_order() -> None:
    points = points68_of(place_mesh(200, (200, 200)))
    assert points.shape == (68, 2)
    assert len(set(topology.POINTS_68)) == 68
    jaw, nose = points[:17], points[27:36]
    assert (np.diff(jaw[:, 0]) > 0).all()
    assert jaw[8, 1] == points[:, 1].max()  # the chin
    assert (np.diff(nose[:4, 1]) > 0).all()
    assert (np.diff(nose[4:, 0]) > 0).all()
    mirrored = canonical().mirror[topology.POINTS_68]
    order = [*range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1), 45, 44, 43, 42, 47, 46]
    order += [39, 38, 37, 36, 41, 40, *range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), 67, 66, 65]
    assert [topology.POINTS_68[place] for place in order] == mirrored.tolist()
