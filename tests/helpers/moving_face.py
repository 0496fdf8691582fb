"""The face of benchmarks/smoothing.py on known paths, and the filters' output."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scripts_loader import load_script

from rtswap.tracking.smoothing import BoxFilter, MeshFilter

DT = 1 / 30


bench = load_script("benchmarks/smoothing.py")
FACE = bench.face(300)
TIMES = np.arange(0, 6, DT)


def move_face(x: NDArray[np.float64] | float = 0.0, y: NDArray[np.float64] | float = 0.0) -> NDArray[np.float32]:
    """(T, 468, 3): the face carried along."""
    offset = np.zeros((len(TIMES), 1, 3))
    offset[:, 0, 0], offset[:, 0, 1] = x, y
    return (FACE + offset).astype(np.float32)


def smooth_meshes(meshes: NDArray[np.float32]) -> NDArray[np.float32]:
    mesh_filter = MeshFilter()
    return np.array([mesh_filter(mesh, DT) for mesh in meshes])


def filter_boxes(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    box_filter = BoxFilter(boxes[0])
    out = [boxes[0]]
    for box in boxes[1:]:
        box_filter.predict(DT)
        out.append(box_filter.update(box))
    return np.array(out)
