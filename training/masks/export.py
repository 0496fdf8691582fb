"""Checkpoint -> the network that ships: ``python -m training.masks.export --checkpoint FILE --to FILE``.

Weights are stored as fp16 and cast to fp32 in the graph. The file is checked against torch before it is written.
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path

import numpy as np
import onnx
import torch

from rtswap.occluders import SIZE
from training.landmarks.export import OPSET, halve_weights
from training.masks.network import Deployed, OcclusionNetwork

WORST = 0.03
"""By how much an answer (0..1) may change because of fp16 weights."""


def load_network(checkpoint: Path) -> OcclusionNetwork:
    """The averaged network of a checkpoint, ready to be used."""
    network = OcclusionNetwork()
    network.load_state_dict(torch.load(checkpoint, map_location="cpu", weights_only=True)["shadow"])
    return network.eval()


def to_onnx(deployed: Deployed) -> onnx.ModelProto:
    """The graph in fp32, with a free number of faces."""
    buffer = io.BytesIO()
    crops = torch.zeros(2, SIZE, SIZE, 3, dtype=torch.uint8)
    guides = torch.zeros(2, SIZE, SIZE, dtype=torch.uint8)
    names = ["crops", "guides", "visible"]
    torch.onnx.export(
        deployed,
        (crops, guides),
        buffer,
        input_names=names[:2],
        output_names=names[2:],
        dynamic_axes={name: {0: "faces"} for name in names},
        opset_version=OPSET,
        dynamo=False,
    )
    return onnx.load_from_string(buffer.getvalue())


def worst_difference(model: onnx.ModelProto, deployed: Deployed, count: int = 3) -> float:
    """By how much ONNX Runtime's answers and torch's differ at most, on noise."""
    import onnxruntime

    rng = np.random.default_rng(0)
    crops = rng.integers(0, 256, (count, SIZE, SIZE, 3), np.uint8)
    guides = rng.integers(0, 256, (count, SIZE, SIZE), np.uint8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    with torch.no_grad():
        wanted = deployed(torch.from_numpy(crops), torch.from_numpy(guides)).numpy()
    return float(np.abs(session.run(None, {"crops": crops, "guides": guides})[0] - wanted).max())


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.masks.export", description=__doc__)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--to", type=Path, required=True)
    args = parser.parse_args()
    deployed = Deployed(load_network(args.checkpoint)).eval()
    model = halve_weights(to_onnx(deployed))
    model.producer_name, model.doc_string = "rtswap training.masks", "what is in front of a face, see occlusion.md"
    worst = worst_difference(model, deployed)
    if worst > WORST:
        raise SystemExit(f"the exported network is off by {worst:.3f} on noise; nothing was written")
    temporary = args.to.with_suffix(".tmp")
    onnx.save(model, str(temporary))
    temporary.replace(args.to)
    print(f"{args.to}: {args.to.stat().st_size / 1e6:.2f} MB, at most {worst:.4f} from torch on noise")


if __name__ == "__main__":
    main()
