"""Checkpoint -> the networks that ship: ``python -m training.refiner.export --checkpoint FILE --to FOLDER``.

``refiner-128.onnx`` runs per frame, ``refiner-128-source.onnx`` once per source; of ``--size 256``, which shares the
latter, ``refiner-256.onnx`` alone. All are checked against torch in fp32 before they are written.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnx
import torch
from torch import Tensor, nn

from rtswap.training.onnx_files import averaged, export_parser, halve_weights, run, trace, write
from training.arrays import Bytes
from training.refiner.network import SIZE, STYLE, DeployedEncoder, DeployedGenerator, Refiner

WORST_LEVELS = 2
"""Levels of 255 by which the file may differ from torch."""


def load_network(checkpoint: Path, also: Path | None = None, size: int = SIZE) -> Refiner:
    """The averaged networks of a checkpoint, ready to be used; the mean of two, where one went on from the other
    (Wortsman et al. 2022)."""
    network = averaged(Refiner(size), checkpoint)
    if also is not None:
        other = averaged(Refiner(size), also).state_dict()
        both = {name: (value, other[name]) for name, value in network.state_dict().items()}
        network.load_state_dict({n: (a + b) / 2 if a.dtype.is_floating_point else a for n, (a, b) in both.items()})
    return network


def generator_graph(network: Refiner, strength: float = 1.0) -> onnx.ModelProto:
    picture = torch.zeros(1, network.size, network.size, 3, dtype=torch.uint8)
    given = (picture, picture, picture, picture[..., 0].clone(), torch.zeros(1, STYLE))
    names = ["composite", "lowered", "target", "mask", "style"]
    return _graph(DeployedGenerator(network.generator, strength), given, names, ["made"])


def encoder_graph(network: Refiner) -> onnx.ModelProto:
    photo = torch.zeros(1, SIZE, SIZE, 3, dtype=torch.uint8)
    return _graph(DeployedEncoder(network.encoder), (photo,), ["photo"], ["style"])


def _graph(network: nn.Module, given: tuple[Tensor, ...], inputs: list[str], outputs: list[str]) -> onnx.ModelProto:
    model = halve_weights(trace(network.eval(), given, inputs, outputs))
    model.producer_name, model.doc_string = "rtswap training.refiner", "see refiner.md"
    return model


def worst_levels(
    generator: onnx.ModelProto, encoder: onnx.ModelProto, network: Refiner, strength: float = 1.0
) -> float:
    """Levels by which both files in a row differ from torch in fp32 at most, on smooth random pictures."""
    rng = np.random.default_rng(0)
    worst = 0.0
    for _ in range(4):
        composite, lowered, target, mask = (_random_picture(rng, network.size) for _ in range(4))
        mask, photo = np.ascontiguousarray(mask[..., 0]), _random_picture(rng, SIZE)
        (style,) = run(encoder, photo=photo)
        found = run(generator, composite=composite, lowered=lowered, target=target, mask=mask, style=style)
        with torch.no_grad():
            own_style = DeployedEncoder(network.encoder)(torch.from_numpy(photo))
            tensors = map(torch.from_numpy, (composite, lowered, target, mask))
            answer = DeployedGenerator(network.generator, strength)(*tensors, own_style)
        worst = max(worst, float(np.abs(found[0] - answer.numpy()).max()))
    return worst


def _random_picture(rng: np.random.Generator, size: int) -> Bytes:
    coarse = rng.integers(0, 256, (16, 16, 3), np.uint8)
    return np.ascontiguousarray(cv2.resize(coarse, (size, size), interpolation=cv2.INTER_LINEAR)[None])


def main() -> None:
    parser = export_parser("refiner", "folder")
    parser.add_argument("--strength", type=float, default=1.0, help="how much of the difference is said")
    parser.add_argument("--also", type=Path, help="another checkpoint: the mean of both is exported")
    parser.add_argument("--size", type=int, choices=(128, 256), default=128)
    args = parser.parse_args()
    network = load_network(args.checkpoint, args.also, args.size)
    generator, encoder = generator_graph(network, args.strength), encoder_graph(network)
    worst = worst_levels(generator, encoder, network, args.strength)
    if worst > WORST_LEVELS:
        raise SystemExit(f"the exported networks are off by {worst:.1f} levels; nothing was written")
    print(write(generator, args.to / f"refiner-{network.size}.onnx"))
    if network.size == SIZE:
        print(write(encoder, args.to / "refiner-128-source.onnx"))
    print(f"at most {worst:.2f} levels from torch")


if __name__ == "__main__":
    main()
