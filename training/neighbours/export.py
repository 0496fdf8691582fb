"""Checkpoint -> the network that ships: ``python -m training.neighbours.export --checkpoint FILE --to FILE``."""

from __future__ import annotations

from dataclasses import replace

from rtswap.training.onnx_files import export_checkpoint
from rtswap.tracking.neighbours import SIDE
from training.heads.export import EXPORT

if __name__ == "__main__":
    export_checkpoint(
        replace(EXPORT, recipe="neighbours", inputs={"picture": (SIDE, SIDE, 3)}, note="who is beside a face, see heads.md")
    )
