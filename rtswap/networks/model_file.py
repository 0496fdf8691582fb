"""What a foreign ONNX file says of itself: inputs, outputs and weights, read without an engine.

The file is read field by field (``engines.onnx_fields``), so that half a gigabyte of weights is not copied, and
nothing in it is run. What could exhaust the machine before it is known to be a face model is refused here: tensors of
absurd size, weights that are shorter than they say, operators that make large tensors of small ones, loops.
"""

from __future__ import annotations

import math
from collections import ChainMap
from collections.abc import Iterable, MutableMapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from rtswap.core.errors import ModelError, reason
from rtswap.engines.contract import ModelBytes, read_model_file
from rtswap.engines.onnx_fields import fields

MOST_VALUES = 1 << 28
"""Largest number of values in one tensor: the largest weights of the known models have a tenth of that."""
LONGEST = 1 << 18
"""Longest side of an input or output."""
MOST_NODES, MOST_LINKS = 5_000, 256
"""Nodes of a file with its branches, and inputs or outputs of one. Face models have hundreds, or a few thousand;
OpenVINO takes half a minute for 5,000, and four times as long for twice as many."""
LOOPS = ("Loop", "Scan")
GROWING = ("ConstantOfShape", "Expand", "Tile")
"""Operators whose output can be far larger than their inputs."""
_GRAPH, _METADATA, _NODE, _WEIGHT, _INPUT, _OUTPUT = 7, 14, 1, 5, 11, 12
"""Field numbers of onnx.proto: a model's graph and metadata; a graph's nodes, initialisers, inputs and outputs."""
TEMPLATE_KEY, SYSTEM_KEY, PART_KEY = "rtswap.template", "rtswap.system", "rtswap.part"
"""Metadata of files that rtswap has trained: the template by which faces are placed; of a one-shot system's graphs
also which system it is, and which part of it."""
_MOST_SIDES = 8
"""Of a tensor. Initialisers of at most so many values may be shapes."""


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output."""

    name: str
    dtype: str
    """NumPy's name."""
    shape: tuple[int, ...]
    """-1 = any length."""

    def __str__(self) -> str:
        return f"{self.name} {self.dtype} {'x'.join('n' if length < 0 else str(length) for length in self.shape)}"


@dataclass(frozen=True, slots=True)
class Signature:
    """One file."""

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    last_weight: NDArray[Any] | None = None
    """The last initialiser, if it is a (512, 512) matrix: inswapper keeps its map of the embedding there."""
    template: str = ""
    """How faces are placed for it, if the file's metadata says so (``training.dfm``)."""
    system: str = ""
    part: str = ""
    """Which part it is of which one-shot system (``networks.system_file``), by its metadata."""

    def __str__(self) -> str:
        return f"{', '.join(map(str, self.inputs)) or 'nothing'} -> {', '.join(map(str, self.outputs)) or 'nothing'}"


def read_signature(path: Path) -> Signature:
    """Read a file. Raises ModelError, in one line, for one that is damaged, truncated, hostile or no ONNX file."""
    return signature_of(read_model_file(path), path)


def signature_of(content: ModelBytes, path: Path) -> Signature:
    """As ``read_signature``, of what was read. ``path``: for messages."""
    try:
        return _signature(content, path)
    except (DecodeError, ValueError, LookupError, TypeError) as error:
        raise ModelError(f"{path} is damaged", expected="an ONNX file", got=reason(error)) from None


def _signature(content: bytes, path: Path) -> Signature:
    graphs = [body for number, _, body in fields(memoryview(content)) if number == _GRAPH]
    if len(graphs) != 1:
        raise _refused(path, f"{len(graphs)} graphs in it, expected one")
    parts: dict[int, list[memoryview]] = {number: [] for number in (_NODE, _WEIGHT, _INPUT, _OUTPUT)}
    for number, _, body in fields(graphs[0]):
        if number in parts:
            parts[number].append(body)
    shapes: dict[str, NDArray[Any]] = {}
    named: set[str] = set()
    last = None
    for body in parts[_WEIGHT]:
        weight = onnx.TensorProto.FromString(bytes(body))
        _check_weight(weight, path)
        named.add(weight.name)
        shapes |= _short([weight])
        last = weight
    _check_nodes(map(onnx.NodeProto.FromString, map(bytes, parts[_NODE])), shapes, path)
    inputs = tuple(port for port in map(_port, parts[_INPUT]) if port.name not in named)
    outputs = tuple(map(_port, parts[_OUTPUT]))
    for port in (*inputs, *outputs):
        if any(length > LONGEST for length in port.shape) or _values(port.shape) > MOST_VALUES:
            raise _refused(path, f"larger than any face model: {port}")
    square = last is not None and tuple(last.dims) == (512, 512)
    last_weight = np.asarray(numpy_helper.to_array(last)) if square and last is not None else None
    said = _metadata(content)
    return Signature(
        inputs, outputs, last_weight, *(said.get(key, "") for key in (TEMPLATE_KEY, SYSTEM_KEY, PART_KEY))
    )


def _metadata(content: bytes) -> dict[str, str]:
    """What the file says of itself."""
    entries = [
        onnx.StringStringEntryProto.FromString(bytes(body))
        for number, _, body in fields(memoryview(content))
        if number == _METADATA
    ]
    return {entry.key: entry.value for entry in entries}


def _check_weight(weight: onnx.TensorProto, path: Path) -> None:
    count = _values(weight.dims)
    if any(length < 0 for length in weight.dims) or count > MOST_VALUES:
        raise _refused(path, f"the weights {weight.name!r} of shape {list(weight.dims[:_MOST_SIDES])}")
    size = helper.tensor_dtype_to_np_dtype(weight.data_type).itemsize
    if weight.HasField("raw_data") and len(weight.raw_data) != count * size:
        raise _refused(
            path, f"the weights {weight.name!r} have {len(weight.raw_data)} bytes instead of {count * size}"
        )


def _values(shape: Sequence[int]) -> int:
    """How many values a tensor of this shape has; more than are allowed if it has more sides than any: to multiply a
    million numbers takes minutes."""
    return math.prod(map(abs, shape)) if len(shape) <= _MOST_SIDES else MOST_VALUES + 1


def _short(weights: Iterable[onnx.TensorProto]) -> dict[str, NDArray[Any]]:
    """Those that may be shapes, by name."""
    return {
        weight.name: np.asarray(numpy_helper.to_array(weight))
        for weight in weights
        if _values(weight.dims) <= _MOST_SIDES
    }


def _check_nodes(nodes: Iterable[onnx.NodeProto], shapes: MutableMapping[str, NDArray[Any]], path: Path) -> int:
    """Refuse loops, too many nodes, and operators that would make tensors of absurd size, also in the branches of an
    ``If``. ``shapes``: short initialisers, to which those of nodes are added. Returns the number of nodes."""
    count = 0
    for node in nodes:
        count += 1
        for branch in (graph for one in node.attribute for graph in (one.g, *one.graphs)):
            for weight in branch.initializer:
                _check_weight(weight, path)
            count += _check_nodes(branch.node, ChainMap(_short(branch.initializer), shapes), path)
        if count > MOST_NODES:
            raise _refused(path, f"more than {MOST_NODES:,} nodes")
        if max(len(node.input), len(node.output)) > MOST_LINKS:
            raise _refused(path, f"a node with more than {MOST_LINKS} inputs or outputs")
        if node.op_type in LOOPS:
            raise _refused(path, f"the operator {node.op_type}, which may never end")
        if node.op_type == "Constant" and node.output and node.attribute and node.attribute[0].name == "value":
            shapes[node.output[0]] = np.asarray(numpy_helper.to_array(node.attribute[0].t))
        if node.op_type not in GROWING or not node.input or node.input[-1] not in shapes:
            continue
        shape = [int(length) for length in np.ravel(shapes[node.input[-1]])]
        if _values(shape) > MOST_VALUES:
            raise _refused(path, f"the operator {node.op_type} makes a tensor of shape {shape[:8]}")
    return count


def _port(body: memoryview) -> Port:
    value = onnx.ValueInfoProto.FromString(bytes(body))
    tensor = value.type.tensor_type
    shape = tuple(d.dim_value if d.HasField("dim_value") and d.dim_value > 0 else -1 for d in tensor.shape.dim)
    return Port(value.name, str(helper.tensor_dtype_to_np_dtype(tensor.elem_type)), shape)


def _refused(path: Path, got: str) -> ModelError:
    return ModelError(f"{path} is refused", expected="a face model", got=got)
