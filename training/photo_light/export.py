"""Checkpoint -> the network that ships: ``python -m training.photo_light.export --checkpoint FILE --to FILE``."""

from __future__ import annotations

from rtswap.networks.photo_light import SIZE
from rtswap.training.onnx_files import Export, export_checkpoint
from training.photo_light.network import Deployed, PhotoLightNetwork

EXPORT = Export(
    recipe="photo_light",
    network=PhotoLightNetwork,
    deployed=Deployed,
    inputs={"textures": (SIZE, SIZE, 3)},
    outputs=("light",),
    most=0.03,
    unit="of a log",
    note="the light on a photo's skin, see photo_light.md",
    cells=12,
)

if __name__ == "__main__":
    export_checkpoint(EXPORT)
