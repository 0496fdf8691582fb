"""Checkpoint -> the network that ships: ``python -m training.masks.export --checkpoint FILE --to FILE``.

The file is checked against torch before it is written.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch

from rtswap.networks.occlusion import SIZE
from training.exported import averaged, graph_of, halve_weights, parser_of, run, write
from training.masks.network import Deployed, OcclusionNetwork

WORST = 0.03
"""By how much an answer (0..1) may change because of fp16 weights."""


def load_network(checkpoint: Path) -> OcclusionNetwork:
    """The averaged network of a checkpoint, ready to be used."""
    return averaged(OcclusionNetwork(), checkpoint)


def to_onnx(deployed: Deployed) -> onnx.ModelProto:
    """The graph in fp32, with a free number of faces."""
    crops = torch.zeros(2, SIZE, SIZE, 3, dtype=torch.uint8)
    guides = torch.zeros(2, SIZE, SIZE, dtype=torch.uint8)
    return graph_of(deployed, (crops, guides), ["crops", "guides"], ["visible"])


def worst_difference(model: onnx.ModelProto, deployed: Deployed, count: int = 3) -> float:
    """By how much ONNX Runtime's answers and torch's differ at most, on noise."""
    rng = np.random.default_rng(0)
    crops = rng.integers(0, 256, (count, SIZE, SIZE, 3), np.uint8)
    guides = rng.integers(0, 256, (count, SIZE, SIZE), np.uint8)
    with torch.no_grad():
        wanted = deployed(torch.from_numpy(crops), torch.from_numpy(guides)).numpy()
    return float(np.abs(run(model, crops=crops, guides=guides)[0] - wanted).max())


def main() -> None:
    args = parser_of("training.masks", __doc__).parse_args()
    deployed = Deployed(load_network(args.checkpoint)).eval()
    model = halve_weights(to_onnx(deployed))
    model.producer_name, model.doc_string = "rtswap training.masks", "what is in front of a face, see occlusion.md"
    worst = worst_difference(model, deployed)
    if worst > WORST:
        raise SystemExit(f"the exported network is off by {worst:.3f} on noise; nothing was written")
    print(f"{write(model, args.to)}, at most {worst:.4f} from torch on noise")


if __name__ == "__main__":
    main()
