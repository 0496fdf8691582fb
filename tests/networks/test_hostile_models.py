"""Files that are no models, or would exhaust the machine, are refused before an engine sees them."""

from __future__ import annotations

from pathlib import Path

import foreign_models as foreign
import onnx
import pytest
from foreign_models import put
from onnx import TensorProto, helper

from rtswap.core.errors import ModelError
from rtswap.networks.installed_models import list_installed
from rtswap.networks.model_file import read_signature
from rtswap.networks.model_store import add

pytestmark = pytest.mark.usefixtures("models")


def model(*nodes: onnx.NodeProto, weights: tuple[onnx.TensorProto, ...] = ()) -> bytes:
    graph = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info("target", TensorProto.FLOAT, [1, 3, 128, 128])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 3, 128, 128])],
        list(weights),
    )
    return bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]).SerializeToString())


def branched(*nodes: onnx.NodeProto, weights: tuple[onnx.TensorProto, ...] = ()) -> bytes:
    """A network that comes to the nodes in the branch of a branch."""
    inner = helper.make_graph(list(nodes), "inner", [], [], list(weights))
    outer = helper.make_graph([helper.make_node("If", ["c"], ["o"], then_branch=inner)], "outer", [], [])
    return model(helper.make_node("If", ["c"], ["output"], else_branch=outer))


def bomb(shape: list[int]) -> onnx.TensorProto:
    return onnx.TensorProto(name="s", data_type=TensorProto.INT64, dims=[len(shape)], int64_data=shape)


def short() -> bytes:
    return model(weights=(onnx.TensorProto(name="w", data_type=1, dims=[1000, 1000], raw_data=b"\0" * 16),))


def large() -> bytes:
    graph = onnx.ModelProto.FromString(foreign.swapper("uniface"))
    graph.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 1 << 40
    return bytes(graph.SerializeToString())


def sides(count: int) -> bytes:
    """A network whose input has so many."""
    graph = onnx.ModelProto.FromString(model())
    shape = graph.graph.input[0].type.tensor_type.shape
    for _ in range(count):
        shape.dim.add().dim_value = 1 << 18
    return bytes(graph.SerializeToString())


def slow() -> bytes:
    """A DFM file whose pictures are so large that one frame takes half a minute."""
    graph = onnx.ModelProto.FromString(foreign.dfm())
    for port in (*graph.graph.input[:1], *graph.graph.output):
        for side in port.type.tensor_type.shape.dim[1:3]:
            side.dim_value = 8192
    return bytes(graph.SerializeToString())


MANY_SIDES = 20_000
"""To multiply the sides of 1 MB took half a minute, those of 10 MB an hour."""
HOSTILE = {
    "truncated": (foreign.swapper("inswapper")[:-1000], "incomplete or damaged"),
    "empty": (b"", "is empty"),
    "a page": (b"<html>not found</html>", "not an ONNX file"),
    "a checkpoint": (b"PK\x03\x04" + bytes(100), "not an ONNX file"),
    "a loop": (model(helper.make_node("Loop", ["a"], ["output"])), "may never end"),
    "a loop in a branch": (branched(helper.make_node("Scan", ["a"], ["output"])), "may never end"),
    "nodes without end": (
        model(*[helper.make_node("Neg", [f"t{n}"], [f"t{n + 1}"]) for n in range(5_001)]),
        "more than 5,000 nodes",
    ),
    "nodes without end in branches": (
        branched(*[helper.make_node("Neg", [f"t{n}"], [f"t{n + 1}"]) for n in range(4_999)]),
        "more than 5,000 nodes",
    ),
    "a node of many inputs": (model(helper.make_node("Sum", ["target"] * 257, ["output"])), "more than 256 inputs"),
    "a bomb in a branch": (
        branched(helper.make_node("Tile", ["target", "s"], ["b"]), weights=(bomb([1 << 20, 1 << 20]),)),
        "makes a tensor of shape",
    ),
    "a bomb": (
        model(helper.make_node("ConstantOfShape", ["s"], ["b"]), weights=(bomb([1 << 20, 1 << 20]),)),
        "makes a tensor of shape",
    ),
    "a bomb in a constant": (
        model(
            helper.make_node("Constant", [], ["s"], value=bomb([1 << 40])),
            helper.make_node("Expand", ["target", "s"], ["b"]),
        ),
        "makes a tensor of shape",
    ),
    "short weights": (short(), "16 bytes instead of 4000000"),
    "short weights in a branch": (
        branched(weights=(onnx.TensorProto(name="w", data_type=1, dims=[1000, 1000], raw_data=b"\0" * 16),)),
        "16 bytes instead of 4000000",
    ),
    "an absurd input": (large(), "larger than any face model"),
    "pictures of 200 megabytes": (slow(), "not a model that rtswap can use"),
    "an input of thousands of sides": (sides(MANY_SIDES), "larger than any face model"),
    "weights of thousands of sides": (
        model(weights=(onnx.TensorProto(name="w", data_type=1, dims=[1 << 60] * MANY_SIDES),)),
        r"the weights 'w' of shape \[(1152921504606846976(, |\]$)){8}",
    ),
    "a bomb of thousands of sides": (
        model(
            helper.make_node("Constant", [], ["s"], value=bomb([1] * MANY_SIDES)),
            helper.make_node("Expand", ["target", "s"], ["b"]),
        ),
        "makes a tensor of shape",
    ),
    "another network": (
        foreign.file([foreign.node("Relu", "x", "y")], {"x": [1, 7]}, {"y": [1, 7]}),
        "not a model that rtswap can use",
    ),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_wrong_and_hostile_files_are_refused_in_one_line(tmp_path: Path, what: str) -> None:
    content, told = HOSTILE[what]
    with pytest.raises(ModelError, match=told) as caught:
        add(put(tmp_path, "file.onnx", content))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1200
    assert list_installed() == []


def test_nodes_without_inputs_and_outputs_are_left_to_the_engine(tmp_path: Path) -> None:
    nodes = helper.make_node("Constant", [], [], value=bomb([1])), helper.make_node("Tile", [], ["b"])
    assert read_signature(put(tmp_path, "file.onnx", model(*nodes))).inputs
