"""Makes the people who come with rtswap: morphs of several people who do not exist.

    python -m training.personas --faces ../shared/faces

Each is the mean of a few faces: their outlines averaged, their pictures warped to it and averaged. What comes out
belongs to nobody. Used by the demo and the benchmark as a source and as a target.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import Delaunay

from rtswap.geometry import canonical, similarity, transform
from rtswap.topology import OVAL

SIDE = 512
HEIGHT_SHARE = 0.5
"""Of the picture's height that the face oval takes."""
PARENTS = {
    "ada": ("faker_1876.jpg", "faker_1909.jpg"),
    "ben": ("faker_1919.jpg", "faker_1952.jpg"),
    "carl": ("faker_1911.jpg", "faker_1922.jpg"),
    "dan": ("faker_1915.jpg", "faker_1979.jpg"),
}

Array = NDArray[np.float32]


def anchors(mesh: Array) -> Array:
    """(524, 2) the mesh, a ring for hair and ears, the picture's border: what moves when faces are averaged."""
    middle = mesh[OVAL].mean(0)
    ring = middle + 1.45 * (mesh[OVAL] - middle)
    line = np.linspace(0, SIDE, 6, dtype=np.float32)
    zero, full = np.zeros(6, np.float32), np.full(6, SIDE, np.float32)
    border = np.concatenate(
        [np.stack(side, 1) for side in ((line, zero), (line, full), (zero[1:5], line[1:5]), (full[1:5], line[1:5]))]
    )
    return np.concatenate([mesh, np.clip(ring, 1, SIDE - 1), border]).astype(np.float32)


def warp(image: NDArray[np.uint8], points: Array, goal: Array, triangles: NDArray[np.int32]) -> Array:
    """``image`` with every triangle of ``points`` moved to ``goal``."""
    out = np.zeros((SIDE, SIDE, 3), np.float32)
    for triangle in triangles:
        a, b = points[triangle], goal[triangle]
        low, high = np.floor(b.min(0)).astype(int), np.ceil(b.max(0)).astype(int) + 1
        if (high - low < 1).any():
            continue
        matrix = cv2.getAffineTransform((b - low).astype(np.float32), a)
        size = int(high[0] - low[0]), int(high[1] - low[1])
        how = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        patch = cv2.warpAffine(image, matrix, size, flags=how, borderMode=cv2.BORDER_REPLICATE)
        inside = np.zeros(size[::-1], np.uint8)
        cv2.fillConvexPoly(inside, np.round((b - low) * 16).astype(np.int32), 1, cv2.LINE_8, 4)
        region = out[low[1] : high[1], low[0] : high[0]]
        clip = np.s_[: region.shape[0], : region.shape[1]]
        region[inside[clip] > 0] = patch[clip][inside[clip] > 0]
    return out


def upright(image: NDArray[np.uint8], mesh: Array) -> tuple[NDArray[np.uint8], Array]:
    """The picture turned, scaled and moved so that the face stands straight in the middle, large as any other."""
    frontal = canonical().mesh[:, :2]
    scale = SIDE * HEIGHT_SHARE / np.ptp(frontal[:, 1])
    goal = frontal * scale + [SIDE / 2, SIDE * 0.52]
    matrix = similarity(mesh[:, :2].astype(np.float32), goal.astype(np.float32))
    picture = cv2.warpAffine(image, matrix, (SIDE, SIDE), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    return picture, transform(matrix, mesh[:, :2].astype(np.float32))


def morph(pictures: list[tuple[NDArray[np.uint8], Array]]) -> NDArray[np.uint8]:
    points = [anchors(mesh) for _, mesh in pictures]
    goal = np.mean(points, axis=0)
    triangles = Delaunay(goal).simplices.astype(np.int32)
    mean = np.mean([warp(p, a, goal, triangles) for (p, _), a in zip(pictures, points, strict=True)], axis=0)
    crisp = mean + 0.6 * (mean - cv2.GaussianBlur(mean, (0, 0), 1.6))
    head = np.zeros((SIDE, SIDE), np.float32)
    oval = goal[OVAL].mean(0) + 1.3 * (goal[OVAL] - goal[OVAL].mean(0))
    cv2.fillPoly(head, [np.round(oval).astype(np.int32)], 1.0)
    head = cv2.GaussianBlur(head, (0, 0), SIDE / 20)[..., None]
    return np.clip(head * crisp + (1 - head) * cv2.GaussianBlur(mean, (0, 0), SIDE / 12), 0, 255).astype(np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--faces", type=Path, required=True, help="folder with faces.npz and the pictures")
    parser.add_argument("--out", type=Path, default=Path("rtswap/assets/personas"))
    arguments = parser.parse_args()
    data = np.load(arguments.faces / "faces.npz")
    meshes = dict(zip(data["name"].tolist(), data["mesh468"].astype(np.float32), strict=True))
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name, parents in PARENTS.items():
        pictures = [upright(cv2.imread(str(arguments.faces / parent)), meshes[parent]) for parent in parents]
        cv2.imwrite(str(arguments.out / f"{name}.jpg"), morph(pictures), [cv2.IMWRITE_JPEG_QUALITY, 90])
        print(f"{name}: {', '.join(parents)}")


if __name__ == "__main__":
    main()
