"""Checkpoint -> a network to go on from: ``python -m training.close_ups.export --checkpoint FILE --to FILE``."""

from __future__ import annotations

from dataclasses import replace

from rtswap.tracking.neighbours import SIDE
from rtswap.training.onnx_files import export_checkpoint
from training.close_ups.recipe import WideHeadNetwork
from training.heads.export import EXPORT

if __name__ == "__main__":
    inputs, note = {"picture": (SIDE, SIDE, 3)}, "whether a close-up shows a head, see heads.md"
    export_checkpoint(replace(EXPORT, recipe="close_ups", network=WideHeadNetwork, inputs=inputs, note=note))
