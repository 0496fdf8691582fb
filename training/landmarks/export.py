"""Checkpoint -> the network that ships: ``python -m training.landmarks.export --checkpoint FILE --to FILE``.

Weights are stored as fp16 and cast to fp32 in the graph; engines fold the casts when they load it, so that CPUs
compute in fp32. The file is checked against torch before it is written.
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from training.landmarks.network import SIZE, Deployed, LandmarkNetwork

OPSET = 17
WORST_PIXELS = 0.05
"""By how much a point may move because of fp16 weights."""


def load_network(checkpoint: Path) -> LandmarkNetwork:
    """The averaged network of a checkpoint, ready to be used."""
    network = LandmarkNetwork()
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    network.load_state_dict(state["shadow"])
    return network.eval()


def to_onnx(deployed: nn.Module) -> onnx.ModelProto:
    """The graph in fp32, with a free number of crops."""
    buffer = io.BytesIO()
    names = ["points", "visibility", "presence"]
    torch.onnx.export(
        deployed,
        (torch.zeros(2, SIZE, SIZE, 3, dtype=torch.uint8),),
        buffer,
        input_names=["crops"],
        output_names=names,
        dynamic_axes={name: {0: "faces"} for name in ("crops", *names)},
        opset_version=OPSET,
        dynamo=False,
    )
    return onnx.load_from_string(buffer.getvalue())


def halve_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """Every large fp32 weight stored as fp16, cast back by a node in front of its use."""
    graph = model.graph
    kept, casts = [], []
    for weight in graph.initializer:
        values = numpy_helper.to_array(weight)
        if weight.data_type != TensorProto.FLOAT or values.size < 64:
            kept.append(weight)
            continue
        kept.append(numpy_helper.from_array(values.astype(np.float16), weight.name + "_half"))
        casts.append(helper.make_node("Cast", [weight.name + "_half"], [weight.name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(kept)
    graph.node.extend(nodes)
    onnx.checker.check_model(model)
    return model


def worst_difference(model: onnx.ModelProto, deployed: nn.Module, crops: np.ndarray) -> float:
    """Pixels by which ONNX Runtime's points and torch's differ at most."""
    import onnxruntime

    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    with torch.no_grad():
        wanted = deployed(torch.from_numpy(crops))
    found = session.run(None, {"crops": crops})
    for a, b in zip(found[1:], wanted[1:], strict=True):
        assert np.abs(a - b.numpy()).max() < 0.02, "visibility or presence differ between torch and ONNX Runtime"
    return float(np.abs(found[0] - wanted[0].numpy()).max())


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.landmarks.export", description=__doc__)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--to", type=Path, required=True)
    args = parser.parse_args()
    deployed = Deployed(load_network(args.checkpoint)).eval()
    model = halve_weights(to_onnx(deployed))
    model.producer_name, model.doc_string = "rtswap training.landmarks", "dense face landmarks, see landmarks.md"
    crops = np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE, 3), np.uint8)
    worst = worst_difference(model, deployed, crops)
    if worst > WORST_PIXELS * 4:
        raise SystemExit(f"the exported network is off by {worst:.3f} px on noise; nothing was written")
    temporary = args.to.with_suffix(".tmp")
    onnx.save(model, str(temporary))
    temporary.replace(args.to)
    print(f"{args.to}: {args.to.stat().st_size / 1e6:.2f} MB, at most {worst:.4f} px from torch on noise")


if __name__ == "__main__":
    main()
