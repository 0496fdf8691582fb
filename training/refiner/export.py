"""Checkpoint -> the network that ships: ``python -m training.refiner.export --checkpoint FILE --to FILE``.

It is checked against torch in fp32 before it is written.
"""

from __future__ import annotations

import cv2
import numpy as np
import onnx
import torch

from rtswap.swappers.refiner.crop_view import SIZE
from rtswap.training.onnx_files import export_parser, halve_weights, load_averaged, run, trace, write
from training.arrays import Bytes
from training.refiner.network import Deployed, Refiner

INPUTS = "composite", "lowered", "mask"
MOST_APART = 0.01
"""By how much a gain in the file may differ from torch's."""


def graph(network: Refiner) -> onnx.ModelProto:
    picture = torch.zeros(1, SIZE, SIZE, 3, dtype=torch.uint8)
    given = picture, picture.clone(), picture[..., 0].clone()
    model = halve_weights(trace(Deployed(network).eval(), given, list(INPUTS), ["gains"]))
    model.producer_name, model.doc_string = "rtswap training.refiner", "see refiner.md"
    return model


def most_apart(model: onnx.ModelProto, network: Refiner) -> float:
    """Return the largest difference of the file's gains from torch's in fp32, on smooth random pictures."""
    rng = np.random.default_rng(0)
    worst = 0.0
    for _ in range(4):
        composite, lowered, mask = (_random_picture(rng) for _ in INPUTS)
        given = composite, lowered, np.ascontiguousarray(mask[..., 0])
        (found,) = run(model, **dict(zip(INPUTS, given, strict=True)))
        with torch.no_grad():
            answer = Deployed(network)(*map(torch.from_numpy, given))
        worst = max(worst, float(np.abs(found - answer.numpy()).max()))
    return worst


def _random_picture(rng: np.random.Generator) -> Bytes:
    coarse = rng.integers(0, 256, (16, 16, 3), np.uint8)
    return np.ascontiguousarray(cv2.resize(coarse, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)[None])


def main() -> None:
    args = export_parser("refiner", "file").parse_args()
    network = load_averaged(Refiner(), args.checkpoint)
    model = graph(network)
    worst = most_apart(model, network)
    if worst > MOST_APART:
        raise SystemExit(f"gains of the exported network are off by {worst:.3f}; nothing was written")
    print(write(model, args.to))
    print(f"at most {worst:.4f} from torch")


if __name__ == "__main__":
    main()
