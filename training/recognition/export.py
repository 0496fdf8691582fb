"""Checkpoint -> the network that ships: ``python -m training.recognition.export --checkpoint FILE --to FILE``.

Weights lie as fp16 and are cast to fp32 in the graph. The file is checked against torch before it is written.
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch

from training.landmarks.export import OPSET, halve_weights
from training.recognition.network import SIZE, Deployed, RecognitionNetwork

WORST_COSINE = 0.999


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.recognition.export", description=__doc__)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--to", type=Path, required=True)
    args = parser.parse_args()
    network = RecognitionNetwork()
    network.load_state_dict(torch.load(args.checkpoint, map_location="cpu", weights_only=True)["shadow"])
    deployed = Deployed(network).eval()
    buffer = io.BytesIO()
    torch.onnx.export(
        deployed,
        (torch.zeros(2, SIZE, SIZE, 3, dtype=torch.uint8),),
        buffer,
        input_names=["crops"],
        output_names=["embedding"],
        dynamic_axes={"crops": {0: "faces"}, "embedding": {0: "faces"}},
        opset_version=OPSET,
        dynamo=False,
    )
    model = halve_weights(onnx.load_from_string(buffer.getvalue()))
    model.producer_name, model.doc_string = "rtswap training.recognition", "see recognition.md"
    crops = np.random.default_rng(0).integers(0, 256, (8, SIZE, SIZE, 3), np.uint8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    with torch.no_grad():
        wanted = deployed(torch.from_numpy(crops)).numpy()
    worst = float((session.run(None, {"crops": crops})[0] * wanted).sum(1).min())
    if worst < WORST_COSINE:
        raise SystemExit(f"export agrees with torch to a cosine of {worst:.4f} only; nothing was written")
    temporary = args.to.with_suffix(".tmp")
    onnx.save(model, str(temporary))
    temporary.replace(args.to)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    print(f"{args.to}: {args.to.stat().st_size / 1e6:.2f} MB, {parameters:,} parameters, cosine to torch {worst:.6f}")


if __name__ == "__main__":
    main()
