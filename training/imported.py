"""ONNX -> torch, the way back of ``exported``: a training can begin from the network that ships, and a network that
ships can watch another one's training.

The exporter folds every batch normalisation into the convolution before it. ``weights_from`` gives such pairs the
folded weights and a normalisation that only adds, so that the network answers as the file does. ``settle`` then moves
what batches really look like into the normalisations without changing an answer: only after that may it be trained.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from training.exported import HALF

Network = TypeVar("Network", bound=nn.Module)


def weights_from(path: Path, deployed: Network) -> Network:
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
            found |= _unfolded(deployed, _module_of(node.name), [stored[name] for name in node.input[1:]])
    wanted = {name for name in own if not name.endswith("num_batches_tracked")}
    if wanted != found.keys():
        raise ValueError(f"{path} holds another network: {sorted(wanted ^ found.keys())[:4]} are not in both")
    for name, values in found.items():
        if values.shape != own[name].shape:
            raise ValueError(f"{path}: {name} is {tuple(values.shape)}, expected {tuple(own[name].shape)}")
    deployed.load_state_dict(found, strict=False)
    return deployed.eval()


def settle(network: nn.Module, batches: Iterable[Any]) -> None:
    """Batch normalisations learn mean and variance of what reaches them; answers stay as they are.

    ``network`` comes from ``weights_from``; ``batches`` are its inputs as training will give them. What scales and
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
            network(batch)
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


def _unfolded(deployed: nn.Module, conv: str, folded: list[Tensor]) -> dict[str, Tensor]:
    """A folded weight and bias as those of the convolution ``conv`` and of the normalisation after it."""
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
