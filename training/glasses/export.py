"""Checkpoint -> the network that ships: ``python -m training.glasses.export --checkpoint FILE --to FILE``."""

from __future__ import annotations

from rtswap.networks.glasses import HEIGHT, WIDTH
from rtswap.training.onnx_files import Export, export_checkpoint
from training.glasses.network import Deployed, GlassesNetwork

EXPORT = Export(
    recipe="glasses",
    network=GlassesNetwork,
    deployed=Deployed,
    inputs={"strips": (HEIGHT, WIDTH, 3)},
    outputs=("frames",),
    most=0.03,
    unit="of 1",
    note="where the frames of glasses lie, see glasses.md",
)

if __name__ == "__main__":
    export_checkpoint(EXPORT)
