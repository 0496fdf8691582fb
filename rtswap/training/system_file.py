"""Write a trained one-shot system as a ``.rtswap`` file: a zip of its ONNX graphs, uncompressed.

Each graph's metadata says of which system it is, which part, and how faces are placed. ``networks.system_file`` reads
what is written here, and says which inputs and outputs graphs may have.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from rtswap.core.errors import ModelError
from rtswap.core.files import replacing
from rtswap.core.version import __version__
from rtswap.networks.model_file import PART_KEY, SYSTEM_KEY, TEMPLATE_KEY
from rtswap.training.onnx_files import answer, run, trace

CLOSE = 1e-3
"""Largest difference between a graph and torch, as a share of an output's largest value."""
WRITTEN = (1980, 1, 1, 0, 0, 0)
"""Time of the files in the zip, so that the same weights give the same bytes."""


@dataclass(frozen=True)
class Graph:
    """One graph of a system."""

    module: nn.Module
    """Takes the inputs in the order of ``examples``; returns a tensor, or one for each of ``outputs``."""
    examples: Mapping[str, Tensor]
    """Input -> a realistic value, of the only shape it will have."""
    outputs: tuple[str, ...]


def write_system(graphs: Mapping[str, Graph], path: Path, *, system: str, template: str) -> float:
    """Write the graphs, the one that runs in each frame first; return the largest difference from torch.

    Raises ModelError for one above ``CLOSE`` or a value that is not finite; then nothing is written.
    """
    files: dict[str, bytes] = {}
    worst = 0.0
    for part, graph in graphs.items():
        model = to_onnx(graph)
        onnx.helper.set_model_props(model, {SYSTEM_KEY: system, PART_KEY: part, TEMPLATE_KEY: template})
        model.producer_name, model.producer_version = "rtswap", __version__
        worst = float(np.maximum(worst, difference(model, graph)))
        if not worst <= CLOSE:
            raise ModelError(
                f"the exported graph {part} is off by {worst:.4f}", do="Nothing was written: train on, or train anew."
            )
        files[f"{part}.onnx"] = model.SerializeToString()
    with replacing(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as pack:
        for name, content in files.items():
            pack.writestr(zipfile.ZipInfo(name, WRITTEN), content)
    return worst


def to_onnx(graph: Graph) -> onnx.ModelProto:
    """The graph in fp32, for inputs of the examples' shapes alone."""
    module = graph.module.float().cpu().eval().to(memory_format=torch.contiguous_format)
    with torch.no_grad():
        return trace(module, tuple(graph.examples.values()), list(graph.examples), graph.outputs, axes={})


def difference(model: onnx.ModelProto, graph: Graph) -> float:
    """Largest difference between the outputs of ONNX Runtime and torch for the examples, as a share of each output's
    largest value."""
    given = {name: value.numpy() for name, value in graph.examples.items()}
    pairs = zip(run(model, **given), answer(graph.module, given), strict=True)
    return float(np.max([np.abs(a - b).max() / max(1.0, np.abs(b).max()) for a, b in pairs]))
