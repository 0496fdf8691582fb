"""Checkpoint -> the network that ships: ``python -m training.heads.export --checkpoint FILE --to FILE``."""

from __future__ import annotations

import numpy as np

from rtswap.training.onnx_files import Export, export_checkpoint
from training.heads.network import Deployed, HeadNetwork
from training.heads.samples import HEIGHT, WIDTH

EXPORT = Export(
    recipe="heads",
    network=HeadNetwork,
    deployed=Deployed,
    inputs={"picture": (HEIGHT, WIDTH, 3)},
    outputs=("fine", "middle", "coarse"),
    difference=lambda found, answers: max(
        float(np.abs(a[:, :1] - b[:, :1]).max()) for a, b in zip(found, answers, strict=True)
    ),
    most=0.03,
    unit="of 1",
    note="where heads may be, see heads.md",
    whole_pictures=True,
)

if __name__ == "__main__":
    export_checkpoint(EXPORT)
