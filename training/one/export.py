"""Checkpoint -> the networks that ship: ``python -m training.one.export --checkpoint FILE --to FOLDER``.

``one-128.onnx`` runs per frame, ``one-128-source.onnx`` once per source; of ``--size 256``, which shares the latter,
``one-256.onnx`` alone. All are checked against torch in fp32 before they are written.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import nn

from training.exported import averaged, graph_of, halve_weights, parser_of, run, write
from training.one.network import SIZE, STYLE, DeployedEncoder, DeployedGenerator, One

WORST_LEVELS = 2
"""Levels of 255 by which the file may differ from torch."""
GENERATOR_INPUTS = ["composite", "lowered", "target", "mask", "style"]


def load_network(checkpoint: Path, also: Path | None = None, size: int = SIZE) -> One:
    """The averaged networks of a checkpoint, ready to be used; the mean of two, where one went on from the other
    (Wortsman et al. 2022)."""
    one = averaged(One(size), checkpoint)
    if also is not None:
        other = averaged(One(size), also).state_dict()
        one.load_state_dict({
            name: (value + other[name]) / 2 if value.dtype.is_floating_point else value
            for name, value in one.state_dict().items()
        })  # fmt: skip
    return one


def generator_graph(one: One, strength: float = 1.0) -> onnx.ModelProto:
    picture = torch.zeros(1, one.size, one.size, 3, dtype=torch.uint8)
    given = (picture, picture, picture, picture[..., 0].clone(), torch.zeros(1, STYLE))
    return _graph(DeployedGenerator(one.generator, strength), given, GENERATOR_INPUTS, ["made"])


def encoder_graph(one: One) -> onnx.ModelProto:
    photo = torch.zeros(1, SIZE, SIZE, 3, dtype=torch.uint8)
    return _graph(DeployedEncoder(one.encoder), (photo,), ["photo"], ["style"])


def _graph(
    network: nn.Module, given: tuple[torch.Tensor, ...], inputs: list[str], outputs: list[str]
) -> onnx.ModelProto:
    model = halve_weights(graph_of(network.eval(), given, inputs, outputs))
    model.producer_name, model.doc_string = "rtswap training.one", "see one.md"
    return model


def worst_levels(generator: onnx.ModelProto, encoder: onnx.ModelProto, one: One, strength: float = 1.0) -> float:
    """Levels by which both files in a row differ from torch in fp32 at most, on smooth random pictures."""
    rng = np.random.default_rng(0)
    worst = 0.0
    for _ in range(4):
        composite, lowered, target, mask = (_random_picture(rng, one.size) for _ in range(4))
        mask, photo = np.ascontiguousarray(mask[..., 0]), _random_picture(rng, SIZE)
        (style,) = run(encoder, photo=photo)
        found = run(generator, composite=composite, lowered=lowered, target=target, mask=mask, style=style)
        with torch.no_grad():
            wanted_style = DeployedEncoder(one.encoder)(torch.from_numpy(photo))
            tensors = map(torch.from_numpy, (composite, lowered, target, mask))
            wanted = DeployedGenerator(one.generator, strength)(*tensors, wanted_style)
        worst = max(worst, float(np.abs(found[0] - wanted.numpy()).max()))
    return worst


def _random_picture(rng: np.random.Generator, size: int) -> NDArray[np.uint8]:
    import cv2

    coarse = rng.integers(0, 256, (16, 16, 3), np.uint8)
    return np.ascontiguousarray(cv2.resize(coarse, (size, size), interpolation=cv2.INTER_LINEAR)[None])


def main() -> None:
    parser = parser_of("training.one", __doc__, "folder")
    parser.add_argument("--strength", type=float, default=1.0, help="how much of the difference is said")
    parser.add_argument("--also", type=Path, help="another checkpoint: the mean of both is exported")
    parser.add_argument("--size", type=int, choices=(128, 256), default=128)
    args = parser.parse_args()
    one = load_network(args.checkpoint, args.also, args.size)
    generator, encoder = generator_graph(one, args.strength), encoder_graph(one)
    worst = worst_levels(generator, encoder, one, args.strength)
    if worst > WORST_LEVELS:
        raise SystemExit(f"the exported networks are off by {worst:.1f} levels; nothing was written")
    print(write(generator, args.to / f"one-{one.size}.onnx"))
    if one.size == SIZE:
        print(write(encoder, args.to / "one-128-source.onnx"))
    print(f"at most {worst:.2f} levels from torch")


if __name__ == "__main__":
    main()
