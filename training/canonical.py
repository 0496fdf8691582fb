"""Makes ``rtswap/assets/canonical.npz``: the mean face mesh, its triangles, its mirror and its regions.

    python -m training.canonical --faces ../shared/faces/faces.npz

The 468 points follow MediaPipe's canonical order (a fact of the teacher network). Everything else is computed
here from meshes of people who do not exist: the mean by generalised Procrustes analysis, symmetrised; the mirror
permutation by optimal matching of the mirrored mean; the triangles by Delaunay triangulation of the unwrap
mean of open mouths, constrained so that no triangle of skin joins two lids or two lips.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.spatial import Delaunay

from rtswap.swappers.mesh.shape import measures, rigid_weights
from rtswap.vision.geometry import similarity, transform, unwrap
from rtswap.vision.topology import LEFT_EYE, LIPS_INNER, OVAL, RIGHT_EYE

Array = NDArray[np.float64]


def fit(moving: Array, fixed: Array) -> Array:
    """``moving`` after the least-squares 3-D similarity onto ``fixed``."""
    return transform(similarity(moving, fixed), moving).astype(np.float64)


def mirror_permutation(mean: Array) -> NDArray[np.int64]:
    """Which point lies where a point's mirror image would lie; an involution."""
    flipped = mean * [-1, 1, 1]
    cost = ((flipped[:, None] - mean[None]) ** 2).sum(-1)
    rows, columns = linear_sum_assignment(cost + cost.T)
    permutation = np.empty(len(mean), np.int64)
    permutation[rows] = columns
    assert (permutation[permutation] == np.arange(len(mean))).all(), "the mirror is not an involution"
    return permutation


def procrustes_mean(meshes: Array, rounds: int = 4) -> tuple[Array, NDArray[np.int64]]:
    """Mean (468, 3), centred, symmetric about x = 0, inter-ocular distance 1; and its mirror permutation."""
    mean = meshes[0]
    for _ in range(rounds):
        mean = np.mean([fit(mesh, mean) for mesh in meshes], axis=0)
    mean = mean - mean[[*LEFT_EYE, *RIGHT_EYE]].mean(0)
    # upright: the nasal line of the mirrored copy gives the frontal orientation
    mean[:, 0] -= mean[[10, 152], 0].mean()
    permutation = mirror_permutation(mean)
    for _ in range(10):
        reflected = (mean * [-1, 1, 1])[permutation]
        mean = (mean + fit(reflected, mean)) / 2
        mean = mean - (mean[permutation] + mean).mean(0) / 2
        axis = (mean - mean[permutation])[mean[:, 0] > 0.2 * mean[:, 0].max()].mean(0)
        axis /= np.linalg.norm(axis)
        up = np.array([0.0, 1.0, 0.0])
        z = np.cross(axis, up)
        z /= np.linalg.norm(z)
        mean = mean @ np.stack([axis, np.cross(z, axis), z], 1)
        if mean[152, 1] < mean[10, 1]:
            mean[:, 1] *= -1
    mean = (mean + (mean * [-1, 1, 1])[permutation]) / 2
    eyes = mean[LEFT_EYE].mean(0), mean[RIGHT_EYE].mean(0)
    return mean / np.linalg.norm(eyes[0] - eyes[1]), permutation


def triangulate(chart: Array) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Triangles (T, 3) inside the face oval and the region of each: 0 skin, 1 an eye's opening, 2 the mouth's."""
    triangles = Delaunay(chart).simplices
    rings = ((1, LEFT_EYE), (1, RIGHT_EYE), (2, LIPS_INNER))
    for _, ring in rings:
        for a, b in zip(ring, np.roll(ring, -1), strict=True):
            triangles = _force_edge(chart, triangles, a, int(b))
    triangles = triangles[_inside(chart[triangles].mean(1), chart[OVAL])]
    region = np.zeros(len(triangles), np.uint8)
    for value, ring in rings:
        members = np.isin(triangles, ring).all(1)
        region[members & _inside(chart[triangles].mean(1), chart[ring])] = value
    return _clockwise(chart, triangles), region


def _force_edge(chart: Array, triangles: NDArray[np.int64], a: int, b: int) -> NDArray[np.int64]:
    """Flip the edges that cross a-b until it is one itself (Sloan 1993)."""
    triangles = triangles.copy()
    for _ in range(50):
        if (np.isin(triangles, (a, b)).sum(1) == 2).any():
            return triangles
        for first, second in _crossed(chart, triangles, a, b):
            shared = np.intersect1d(triangles[first], triangles[second])
            c, d = np.setdiff1d(triangles[[first, second]].ravel(), shared)
            if _cross(chart, int(c), int(d), int(shared[0]), int(shared[1])):  # a convex quadrilateral
                triangles[first], triangles[second] = (c, d, shared[0]), (c, d, shared[1])
                break
    raise ValueError(f"edge {a}-{b} cannot be made")


def _crossed(chart: Array, triangles: NDArray[np.int64], a: int, b: int) -> list[tuple[int, int]]:
    owners: dict[tuple[int, int], list[int]] = {}
    for index, triangle in enumerate(triangles):
        for i, j in ((0, 1), (1, 2), (2, 0)):
            edge = (int(min(triangle[i], triangle[j])), int(max(triangle[i], triangle[j])))
            owners.setdefault(edge, []).append(index)
    return [(two[0], two[1]) for (c, d), two in owners.items() if len(two) == 2 and _cross(chart, a, b, c, d)]


def _cross(chart: Array, a: int, b: int, c: int, d: int) -> bool:
    """Whether the segments a-b and c-d cross inside both."""
    if {a, b} & {c, d}:
        return False

    def side(p: int, q: int, r: int) -> float:
        (x1, y1), (x2, y2) = chart[q] - chart[p], chart[r] - chart[p]
        return float(np.sign(x1 * y2 - y1 * x2))

    return side(a, b, c) != side(a, b, d) and side(c, d, a) != side(c, d, b)


def _clockwise(chart: Array, triangles: NDArray[np.int64]) -> NDArray[np.int64]:
    """All triangles turned the same way, as seen in the image."""
    first, second = (chart[triangles[:, k]] - chart[triangles[:, 0]] for k in (1, 2))
    flip = first[:, 0] * second[:, 1] < first[:, 1] * second[:, 0]
    return np.where(flip[:, None], triangles[:, [0, 2, 1]], triangles)


def expression_directions(meshes: Array, mean: Array, mirror: NDArray[np.int64]) -> Array:
    """(5, 468, 3) how a mesh in the canonical pose moves per unit of each measure.

    Ridge regression over the meshes and their mirror images, both eyes' openings as one measure: how differently
    two eyes seem open tells mostly of the head's yaw.
    """
    weights = rigid_weights(mean).astype(np.float64)
    frontal = np.stack([transform(similarity(mesh, mean, weights), mesh) for mesh in meshes])
    frontal = np.concatenate([frontal, (frontal * [-1, 1, 1])[:, mirror]])
    x = np.stack([measures(mesh) for mesh in frontal]).astype(np.float64)
    x = np.column_stack([x[:, :3], x[:, 3:].mean(1)])
    x -= x.mean(0)
    y = (frontal - frontal.mean(0)).reshape(len(frontal), -1)
    gram = x.T @ x + np.diag(1e-2 * len(x) * x.var(0))
    moved = np.linalg.solve(gram, x.T @ y).reshape(4, *mean.shape)
    return moved[[0, 1, 2, 3, 3]] * _reach(mean)[..., None]


def _reach(mean: Array) -> Array:
    """(5, 468) 0..1: how far each measure may move the face; what lies beyond is who people are, not what they do."""
    mouth = np.clip((mean[:, 1] + 0.15) / 0.4, 0, 1)
    eyes = [np.exp(-(((mean - mean[ring].mean(0)) ** 2).sum(1)) / 0.3**2) for ring in (LEFT_EYE, RIGHT_EYE)]
    return np.stack([mouth, mouth, mouth, *eyes])


def _inside(points: Array, polygon: Array) -> NDArray[np.bool_]:
    """Even-odd rule."""
    result = np.zeros(len(points), bool)
    for (x1, y1), (x2, y2) in zip(polygon, np.roll(polygon, -1, 0), strict=True):
        crosses = (y1 > points[:, 1]) != (y2 > points[:, 1])
        with np.errstate(divide="ignore", invalid="ignore"):
            x = (x2 - x1) * (points[:, 1] - y1) / (y2 - y1) + x1
        result ^= crosses & (points[:, 0] < x)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--faces", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("rtswap/assets/canonical.npz"))
    arguments = parser.parse_args()
    meshes = np.load(arguments.faces)["mesh468"].astype(np.float64)
    mean, mirror = procrustes_mean(meshes)
    opening = np.linalg.norm(meshes[:, 13] - meshes[:, 14], axis=1)
    speaking = np.mean([fit(mesh, mean) for mesh in meshes[np.argsort(opening)[-100:]]], axis=0)
    speaking = (speaking + (speaking * [-1, 1, 1])[mirror]) / 2
    triangles, region = triangulate(unwrap(speaking))
    np.savez_compressed(
        arguments.out,
        mesh=mean.astype(np.float32),
        triangles=triangles.astype(np.int32),
        region=region,
        mirror=mirror.astype(np.int32),
        expression=expression_directions(meshes, mean, mirror).astype(np.float32),
    )
    print(f"{arguments.out}: {len(triangles)} triangles, {np.bincount(region)} per region")


if __name__ == "__main__":
    main()
