"""Checkpoint -> the network that ships: ``python -m training.landmarks.export --checkpoint FILE --to FILE``.

The file is checked against torch before it is written.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from torch import nn

from training.exported import averaged, graph_of, halve_weights, parser_of, run, write
from training.landmarks.network import SIZE, Deployed, LandmarkNetwork

WORST_PIXELS = 0.05
"""By how much a point may move because of fp16 weights."""


def load_network(checkpoint: Path) -> LandmarkNetwork:
    """The averaged network of a checkpoint, ready to be used."""
    return averaged(LandmarkNetwork(), checkpoint)


def to_onnx(deployed: nn.Module) -> onnx.ModelProto:
    """The graph in fp32, with a free number of crops."""
    crops = torch.zeros(2, SIZE, SIZE, 3, dtype=torch.uint8)
    return graph_of(deployed, (crops,), ["crops"], ["points", "visibility", "presence"])


def worst_difference(model: onnx.ModelProto, deployed: nn.Module, crops: np.ndarray) -> float:
    """Pixels by which ONNX Runtime's points and torch's differ at most."""
    with torch.no_grad():
        wanted = deployed(torch.from_numpy(crops))
    found = run(model, crops=crops)
    for a, b in zip(found[1:], wanted[1:], strict=True):
        assert np.abs(a - b.numpy()).max() < 0.02, "visibility or presence differ between torch and ONNX Runtime"
    return float(np.abs(found[0] - wanted[0].numpy()).max())


def main() -> None:
    args = parser_of("training.landmarks", __doc__).parse_args()
    deployed = Deployed(load_network(args.checkpoint)).eval()
    model = halve_weights(to_onnx(deployed))
    model.producer_name, model.doc_string = "rtswap training.landmarks", "dense face landmarks, see landmarks.md"
    crops = np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE, 3), np.uint8)
    worst = worst_difference(model, deployed, crops)
    if worst > WORST_PIXELS * 4:
        raise SystemExit(f"the exported network is off by {worst:.3f} px on noise; nothing was written")
    print(f"{write(model, args.to)}, at most {worst:.4f} px from torch on noise")


if __name__ == "__main__":
    main()
