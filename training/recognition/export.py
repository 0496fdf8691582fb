"""Checkpoint -> the network that ships: ``python -m training.recognition.export --checkpoint FILE --to FILE``.

The file is checked against torch before it is written.
"""

from __future__ import annotations

import numpy as np
import torch

from training.exported import averaged, graph_of, halve_weights, parser_of, run, write
from training.recognition.network import SIZE, Deployed, RecognitionNetwork

WORST_COSINE = 0.999


def main() -> None:
    args = parser_of("training.recognition", __doc__).parse_args()
    network = averaged(RecognitionNetwork(), args.checkpoint)
    deployed = Deployed(network).eval()
    blank = torch.zeros(2, SIZE, SIZE, 3, dtype=torch.uint8)
    model = halve_weights(graph_of(deployed, (blank,), ["crops"], ["embedding"]))
    model.producer_name, model.doc_string = "rtswap training.recognition", "see recognition.md"
    crops = np.random.default_rng(0).integers(0, 256, (8, SIZE, SIZE, 3), np.uint8)
    with torch.no_grad():
        wanted = deployed(torch.from_numpy(crops)).numpy()
    worst = float((run(model, crops=crops)[0] * wanted).sum(1).min())
    if worst < WORST_COSINE:
        raise SystemExit(f"export agrees with torch to a cosine of {worst:.4f} only; nothing was written")
    parameters = sum(parameter.numel() for parameter in network.parameters())
    print(f"{write(model, args.to)}, {parameters:,} parameters, cosine to torch {worst:.6f}")


if __name__ == "__main__":
    main()
