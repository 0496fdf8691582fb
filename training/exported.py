"""Checkpoint -> ONNX, the same for every network: weights lie as fp16 and are cast to fp32 in the graph; engines fold
the casts when they load it, so that CPUs compute in fp32."""

from __future__ import annotations

import argparse
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from rtswap.engines.telemetry import no_telemetry

OPSET = 17
HALF = "_half"
"""Ends the names of weights that are stored as fp16."""
Network = TypeVar("Network", bound=nn.Module)


def averaged(network: Network, checkpoint: Path) -> Network:
    """``network`` with the averaged weights of a checkpoint, ready to be used."""
    network.load_state_dict(torch.load(checkpoint, map_location="cpu", weights_only=True)["shadow"])
    return network.eval()


def graph_of(
    deployed: nn.Module,
    given: tuple[Tensor, ...],
    inputs: Sequence[str],
    outputs: Sequence[str],
    *,
    free: bool = True,
) -> onnx.ModelProto:
    """The graph in fp32. ``free``: with any number of faces along the first axis of all inputs and outputs."""
    buffer = io.BytesIO()
    torch.onnx.export(
        deployed,
        given,
        buffer,
        input_names=list(inputs),
        output_names=list(outputs),
        dynamic_axes={name: {0: "faces"} for name in (*inputs, *outputs)} if free else None,
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
        kept.append(numpy_helper.from_array(values.astype(np.float16), weight.name + HALF))
        casts.append(helper.make_node("Cast", [weight.name + HALF], [weight.name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(kept)
    graph.node.extend(nodes)
    onnx.checker.check_model(model)
    return model


def run(model: onnx.ModelProto, **given: np.ndarray) -> list[np.ndarray]:
    """All outputs, by ONNX Runtime on the processor."""
    with no_telemetry():
        import onnxruntime

    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return list(session.run(None, given))


def write(model: onnx.ModelProto, path: Path) -> str:
    """All of the file or nothing. Returns a line about it."""
    temporary = path.with_suffix(".tmp")
    onnx.save(model, str(temporary))
    temporary.replace(path)
    return f"{path}: {path.stat().st_size / 1e6:.2f} MB"


def parser_of(package: str, doc: str | None, to: str = "file") -> argparse.ArgumentParser:
    """``package``: ``training.one``. ``to``: what ``--to`` names."""
    parser = argparse.ArgumentParser(prog=f"python -m {package}.export", description=doc)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--to", type=Path, required=True, help=to)
    return parser
