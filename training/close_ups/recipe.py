"""Train the network that looks closely at what may be a head: ``python -m training.close_ups --minutes 60 --faces DIR
--portraits DIR --out DIR --begin-from rtswap/assets/neighbours.onnx``.

The second detector's network, twice as wide. It begins with the weights of the narrow one, each channel doubled (Chen
et al., Net2Net, 2016).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from rtswap.networks.registry import Registry
from rtswap.training.onnx_files import load_weights
from training.close_ups.samples import CloseSampler, CloseUps
from training.heads.evaluate import Trial, open_split
from training.heads.network import Deployed, HeadNetwork
from training.neighbours.people import alone, in_rooms
from training.neighbours.recipe import NeighbourRecipe

COUNT = 768
WIDER = 2
NOISE = 0.02
"""Share of a weight by which doubled channels differ at first."""


class WideHeadNetwork(HeadNetwork):
    """As ``HeadNetwork``, with twice as many channels."""

    def __init__(self) -> None:
        super().__init__(16 * WIDER, 32 * WIDER, 48 * WIDER, 64 * WIDER)


class CloseUpRecipe(NeighbourRecipe):
    name, default_rate, network_of = "close_ups", 1.5e-3, WideHeadNetwork

    @classmethod
    @contextmanager
    def data(cls, args: argparse.Namespace) -> Iterator[tuple[Any, ...]]:
        detectors = tuple(Registry().path(name) for name in ("heads", "neighbours"))
        source, other = (
            CloseUps(views, portraits, in_rooms(portraits), alone(views), args.batch, detectors)
            for views, portraits in open_split(args)
        )
        yield source, Trial(*next(CloseSampler(other, 12345).batches(COUNT, again=1, keep=COUNT)))

    def begin_from(self, network: nn.Module, path: Path) -> None:
        """Give ``network`` the weights of an exported one, or of a narrow one, its channels doubled."""
        try:
            load_weights(path, Deployed(network))
        except ValueError:
            widen(load_weights(path, Deployed(HeadNetwork())).network, network)


@torch.no_grad()
def widen(narrow: nn.Module, wide: nn.Module) -> None:
    """Give ``wide`` the weights of ``narrow``, the same layers with fewer channels: it answers the same."""
    own = dict(narrow.named_modules())
    for name, layer in wide.named_modules():
        before = own[name]
        if isinstance(layer, nn.Conv2d):
            assert isinstance(before, nn.Conv2d)
            outputs, inputs = layer.weight.shape[:2]
            some = before.weight[torch.arange(outputs) % before.weight.shape[0]]
            some = some[:, torch.arange(inputs) % before.weight.shape[1]] * (before.weight.shape[1] / inputs)
            layer.weight.copy_(some * (1 + NOISE * torch.randn_like(some)))
            if layer.bias is not None:
                layer.bias.copy_(before.bias[torch.arange(outputs) % len(before.bias)])
        elif isinstance(layer, nn.BatchNorm2d):
            rows = torch.arange(layer.num_features) % before.num_features
            for part in ("weight", "bias", "running_mean", "running_var"):
                getattr(layer, part).copy_(getattr(before, part)[rows])


RECIPE = CloseUpRecipe
