"""Checkpoint -> the network that ships: ``python -m training.neighbours.export --checkpoint FILE --to FILE``."""

from __future__ import annotations

from dataclasses import replace

from rtswap.tracking.neighbours import SIDE
from rtswap.training.onnx_files import export_checkpoint
from training.heads.export import EXPORT

if __name__ == "__main__":
    inputs, note = {"picture": (SIDE, SIDE, 3)}, "who is beside a face, see heads.md"
    export_checkpoint(replace(EXPORT, recipe="neighbours", inputs=inputs, note=note))
