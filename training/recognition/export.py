"""Checkpoint -> the network that ships: ``python -m training.recognition.export --checkpoint FILE --to FILE``."""

from __future__ import annotations

from rtswap.training.onnx_files import Export, export_checkpoint
from rtswap.training.recogniser import SIZE, Deployed, RecognitionNetwork

EXPORT = Export(
    recipe="recognition",
    network=RecognitionNetwork,
    deployed=Deployed,
    inputs={"crops": (SIZE, SIZE, 3)},
    outputs=("embedding",),
    difference=lambda found, answers: 1 - float((found[0] * answers[0]).sum(1).min()),
    most=1e-3,
    unit="in cosine",
    note="see recognition.md",
)

if __name__ == "__main__":
    export_checkpoint(EXPORT)
