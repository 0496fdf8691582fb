"""Checkpoint -> the network that ships: ``python -m training.sharpness.export --checkpoint FILE --to FILE``."""

from __future__ import annotations

from rtswap.networks.sharpness import SIZE
from rtswap.training.onnx_files import Export, export_checkpoint
from training.sharpness.network import Deployed, SharpnessNetwork

EXPORT = Export(
    recipe="sharpness",
    network=SharpnessNetwork,
    deployed=Deployed,
    inputs={"crops": (SIZE, SIZE, 3)},
    outputs=("detail",),
    most=0.5,
    unit="levels",
    note="what an enlarged face lacks, see sharpness.md",
)

if __name__ == "__main__":
    export_checkpoint(EXPORT)
