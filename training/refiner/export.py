"""Checkpoint -> the network that ships: ``python -m training.refiner.export --checkpoint FILE --to FILE``."""

from __future__ import annotations

from rtswap.swappers.refiner.crop_view import SIZE
from rtswap.training.onnx_files import Export, export_checkpoint
from training.refiner.network import Deployed, Refiner

EXPORT = Export(
    recipe="refiner",
    network=Refiner,
    deployed=Deployed,
    inputs={"composite": (SIZE, SIZE, 3), "lowered": (SIZE, SIZE, 3), "mask": (SIZE, SIZE)},
    outputs=("gains",),
    most=0.01,
    unit="of a gain",
    note="see refiner.md",
    cells=16,
)

if __name__ == "__main__":
    export_checkpoint(EXPORT)
