"""Checkpoint -> the network that ships: ``python -m training.landmarks.export --checkpoint FILE --to FILE``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rtswap.training.onnx_files import Export, export_checkpoint
from training.landmarks.network import SIZE, Deployed, LandmarkNetwork


def pixels(found: Sequence[np.ndarray], answers: Sequence[np.ndarray]) -> float:
    """By how many pixels a point differs at most; a tenth of a visibility or presence counts as one."""
    points, *shares = (float(np.abs(a - b).max()) for a, b in zip(found, answers, strict=True))
    return max(points, *(10 * share for share in shares))


EXPORT = Export(
    recipe="landmarks",
    network=LandmarkNetwork,
    deployed=Deployed,
    inputs={"crops": (SIZE, SIZE, 3)},
    outputs=("points", "visibility", "presence"),
    difference=pixels,
    most=0.2,
    unit="px",
    note="dense face landmarks, see landmarks.md",
)

if __name__ == "__main__":
    export_checkpoint(EXPORT)
