"""Checkpoint -> ONNX and back, the same for every network.

In a file the weights lie as fp16 and are cast to fp32 in the graph; engines fold the casts when they load it, so that
CPUs compute in fp32. The exporter also folds every batch normalisation into the convolution before it.
``load_weights`` gives such pairs the folded weights and a normalisation that only adds, so that the network answers
as the file does. ``settle`` then moves what batches really look like into the normalisations without changing an
answer: only after that may the network be trained.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from rtswap.core.files import write_atomic
from rtswap.engines.telemetry import no_telemetry
from rtswap.training.checkpoint import read_checkpoint

OPSET = 17
Axes = Mapping[str, dict[int, str]]
"""Name of an input or output -> its axes of any length, and their names."""
HALF = "_half"
"""Ends the names of weights that are stored as fp16."""
Network = TypeVar("Network", bound=nn.Module)


def farthest(found: Sequence[NDArray[Any]], answers: Sequence[NDArray[Any]]) -> float:
    """The largest difference between two networks' outputs; not finite where one of them is not."""
    return float(np.max([np.abs(a - b).max() for a, b in zip(found, answers, strict=True)]))


@dataclass(frozen=True)
class Export:
    """Describes how a recipe's network is exported to the file that ships."""

    recipe: str
    network: Callable[[], nn.Module]
    deployed: Callable[[Any], nn.Module]
    """The network as it is exported."""
    inputs: Mapping[str, tuple[int, ...]]
    """Name -> shape of one sample, all uint8."""
    outputs: Sequence[str]
    most: float
    """Largest difference on noise with which the file is written: its weights are fp16."""
    unit: str
    note: str
    """Lies in the file."""
    difference: Callable[[Sequence[NDArray[Any]], Sequence[NDArray[Any]]], float] = farthest
    """Of what the file and what torch answers, both in the order of ``outputs``."""
    cells: int = 0
    """Random values along a side of smooth noise; 0: each pixel has its own."""
    whole_pictures: bool = False
    """Whether rows and columns are free, too; with a network that answers in maps (N, C, rows, columns)."""


def to_onnx(export: Export, deployed: nn.Module) -> onnx.ModelProto:
    """The graph with halved weights, for any number of faces."""
    blank = tuple(torch.zeros(2, *shape, dtype=torch.uint8) for shape in export.inputs.values())
    axes = _picture_axes(export) if export.whole_pictures else None
    model = halve_weights(trace(deployed, blank, list(export.inputs), export.outputs, axes=axes))
    model.producer_name, model.doc_string = f"rtswap training.{export.recipe}", export.note
    return model


def _picture_axes(export: Export) -> Axes:
    found = {name: {0: "pictures", 1: "height", 2: "width"} for name in export.inputs}
    return found | {name: {0: "pictures", 2: f"{name}_rows", 3: f"{name}_columns"} for name in export.outputs}


def difference(export: Export, model: onnx.ModelProto, deployed: nn.Module, count: int = 4) -> float:
    """Return the difference between ONNX Runtime's and torch's outputs on ``count`` samples of noise."""
    rng = np.random.default_rng(0)

    def noise(shape: tuple[int, ...]) -> NDArray[np.uint8]:
        if not export.cells:
            return rng.integers(0, 256, (count, *shape), np.uint8)
        coarse = rng.integers(0, 256, (count, export.cells, export.cells, *shape[2:]), np.uint8)
        return np.stack([np.asarray(cv2.resize(one, shape[1::-1]), np.uint8) for one in coarse])

    given = {name: noise(shape) for name, shape in export.inputs.items()}
    return export.difference(run(model, **given), answer(deployed, given))


def answer(deployed: nn.Module, given: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
    """All outputs of torch, as ``run``'s. ``given``: in the order of the module's arguments."""
    with torch.no_grad():
        answered = deployed(*map(torch.from_numpy, given.values()))
    return [part.numpy() for part in (answered if isinstance(answered, tuple) else (answered,))]


def export_checkpoint(export: Export) -> None:
    """``python -m training.NAME.export``: check the averaged network of a checkpoint against torch and write it."""
    parser = argparse.ArgumentParser(
        prog=f"python -m training.{export.recipe}.export", description="Export the averaged network of a checkpoint."
    )
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--to", type=Path, required=True, help="file")
    args = parser.parse_args()
    network = export.network()
    network.load_state_dict(read_checkpoint(args.checkpoint)["shadow"])
    deployed = export.deployed(network).eval()
    model = to_onnx(export, deployed)
    off = difference(export, model, deployed)
    if not off <= export.most:
        raise SystemExit(f"the exported network is off by {off:.4f} {export.unit} on noise; nothing was written")
    print(f"{write(model, args.to)}, at most {off:.4f} {export.unit} from torch on noise")


def trace(
    deployed: nn.Module,
    given: tuple[Tensor, ...],
    inputs: Sequence[str],
    outputs: Sequence[str],
    *,
    axes: Axes | None = None,
) -> onnx.ModelProto:
    """The graph in fp32. ``axes``: those of any length, by default the first of all inputs and outputs."""
    buffer = io.BytesIO()
    usual = {name: {0: "faces"} for name in (*inputs, *outputs)}
    torch.onnx.export(
        deployed,
        given,
        buffer,
        input_names=list(inputs),
        output_names=list(outputs),
        dynamic_axes=usual if axes is None else axes,
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


def in_chunks(run: Callable[..., Iterable[NDArray[Any]]], size: int, **given: NDArray[Any]) -> list[NDArray[Any]]:
    """All outputs of ``run`` on the rows of ``given``, ``size`` rows at a time."""
    count = len(next(iter(given.values())))
    parts = [run(**{name: values[i : i + size] for name, values in given.items()}) for i in range(0, count, size)]
    return [np.concatenate(part) for part in zip(*parts, strict=True)]


def write(model: onnx.ModelProto, path: Path) -> str:
    """All of the file or nothing. Returns a line about it."""
    write_atomic(path, model.SerializeToString())
    return f"{path}: {path.stat().st_size / 1e6:.2f} MB"


def load_weights(path: Path, deployed: Network) -> Network:
    """``deployed``, ready to be used, with the weights of an exported file of the same network.

    ``deployed`` is the module that was exported, say ``Deployed(LandmarkNetwork())``. Raises ValueError where the
    file holds another network: every weight must be found, with its shape.
    """
    graph = onnx.load(str(path)).graph
    stored = {
        weight.name.removesuffix(HALF): torch.from_numpy(numpy_helper.to_array(weight).astype(np.float32))
        for weight in graph.initializer
    }
    for node in graph.node:  # what was the same twice lies in the file once
        if node.op_type == "Identity" and node.input[0] in stored:
            stored[node.output[0]] = stored[node.input[0]]
    own = deployed.state_dict()
    found = {name: values for name, values in stored.items() if name in own}
    for node in graph.node:
        if node.op_type == "Conv" and node.input[1] in stored and node.input[1] not in own:
            found |= _unfold(deployed, _module_of(node.name), [stored[name] for name in node.input[1:]])
    wanted = {name for name in own if not name.endswith("num_batches_tracked")}
    if wanted != found.keys():
        raise ValueError(f"{path} holds another network: {sorted(wanted ^ found.keys())[:4]} are not in both")
    for name, values in found.items():
        if values.shape != own[name].shape:
            raise ValueError(f"{path}: {name} is {tuple(values.shape)}, expected {tuple(own[name].shape)}")
    deployed.load_state_dict(found, strict=False)
    return deployed.eval()


def settle(network: nn.Module, batches: Iterable[tuple[Any, ...]]) -> None:
    """Batch normalisations learn mean and variance of what reaches them; answers stay as they are.

    ``network`` comes from ``load_weights``; ``batches`` are its inputs as training will give them. What scales and
    shifts its input the most is taken over by the layer's own weights. Layers without weights (``affine=False``) were
    normalised when the file was made and are left alone.
    """
    layers = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d) and layer.affine]
    sums = {layer: torch.zeros(3, layer.num_features, dtype=torch.float64) for layer in layers}

    def note(layer: nn.Module, given: tuple[Tensor, ...]) -> None:
        x = given[0].detach().double().cpu()
        count = torch.full((x.shape[1],), x.numel() / x.shape[1], dtype=torch.float64)
        sums[layer] += torch.stack([x.sum((0, 2, 3)), x.square().sum((0, 2, 3)), count])

    hooks = [layer.register_forward_pre_hook(note) for layer in layers]
    was_training = network.training
    network.eval()
    with torch.no_grad():
        for batch in batches:
            network(*batch)
        for hook in hooks:
            hook.remove()
        for layer, (total, squares, count) in sums.items():
            _take_over(layer, total / count, (squares / count - (total / count) ** 2).clamp_min(0))
    network.train(was_training)


def _take_over(layer: nn.BatchNorm2d, mean: Tensor, variance: Tensor) -> None:
    """``layer`` knows ``mean`` and ``variance`` and does to every input what it did before."""
    gain = layer.weight.double().cpu() / (layer.running_var.double().cpu() + layer.eps).sqrt()
    shift = layer.bias.double().cpu() - gain * layer.running_mean.double().cpu()
    layer.weight.copy_(gain * (variance + layer.eps).sqrt())
    layer.bias.copy_(shift + gain * mean)
    layer.running_mean.copy_(mean)
    layer.running_var.copy_(variance)


def _module_of(node: str) -> str:
    """``/network/fine/fine.3/first/first.0/Conv`` -> ``network.fine.3.first.0``: the exporter repeats the names of
    sequences in those of their parts."""
    path, before = [], ""
    for part in node.strip("/").split("/")[:-1]:
        path.append(part.removeprefix(before + ".") if before else part)
        before = part
    return ".".join(path)


def _unfold(deployed: nn.Module, conv: str, folded: list[Tensor]) -> dict[str, Tensor]:
    """Split a folded weight and bias into those of the convolution ``conv`` and of the normalisation after it."""
    parent, _, index = conv.rpartition(".")
    norm = f"{parent}.{int(index) + 1}"
    layer = dict(deployed.named_modules()).get(norm)
    if not isinstance(layer, nn.BatchNorm2d):
        raise ValueError(f"another network: {conv} took in a batch normalisation, {norm} is none")
    weight, bias = folded
    found = {f"{conv}.weight": weight, f"{norm}.running_var": torch.full_like(bias, 1 - layer.eps)}
    if f"{conv}.bias" in deployed.state_dict():
        found[f"{conv}.bias"] = torch.zeros_like(bias)
    if not layer.affine:
        return found | {f"{norm}.running_mean": -bias}
    return found | {
        f"{norm}.running_mean": torch.zeros_like(bias),
        f"{norm}.weight": torch.ones_like(bias),
        f"{norm}.bias": bias,
    }
