"""Checkpoint -> the network that ships: ``python -m training.masks.export --checkpoint FILE --to FILE``."""

from __future__ import annotations

from rtswap.networks.occlusion import SIZE
from rtswap.training.onnx_files import Export, export_checkpoint
from training.masks.network import Deployed, OcclusionNetwork

EXPORT = Export(
    recipe="masks",
    network=OcclusionNetwork,
    deployed=Deployed,
    inputs={"crops": (SIZE, SIZE, 3), "guides": (SIZE, SIZE)},
    outputs=("visible",),
    most=0.03,
    unit="of 1",
    note="what is in front of a face, see occlusion.md",
)

if __name__ == "__main__":
    export_checkpoint(EXPORT)
