"""Rewriting graphs for TensorRT: casting first changes no bit, and lowering changes only the requested types."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper, shape_inference
from requirements import network_file
from scripts_loader import load_script

from rtswap.core.errors import ModelError
from rtswap.engines.build.pixels import cast_pixels_first
from rtswap.engines.build.precision import SENSITIVE, fold_constants, lower_precision
from rtswap.engines.build.profiles import profile_of
from rtswap.engines.samples import fill_with_faces
from rtswap.networks.catalog import load_catalog

NETWORKS = tuple(name for name in load_catalog() if name != "dlib-stages")
"""The stages are dlib's graph with other outputs."""
RNG = np.random.default_rng(4)
precision = load_script("benchmarks/precision.py")


def load(name: str) -> onnx.ModelProto:
    return onnx.load(network_file(name))


def run(model: onnx.ModelProto, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Without optimisation: what the graph says, nothing else."""
    (found,) = precision.run(model, [inputs])
    return found  # type: ignore[no-any-return]


def noise(model: onnx.ModelProto, batch: int = 2, side: int = 64) -> dict[str, np.ndarray]:
    """A picture of noise for every input, in its type."""
    found = {}
    for value in model.graph.input:
        shape = [length.dim_value for length in value.type.tensor_type.shape.dim]
        shape = [length or (batch if axis == 0 else side) for axis, length in enumerate(shape)]
        dtype = helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
        found[value.name] = RNG.integers(0, 256, shape).astype(dtype)
    return found


def small(
    nodes: list[onnx.NodeProto],
    weights: dict[str, np.ndarray] | None = None,
    length: tuple[int, ...] = (4, 6, 3),
) -> onnx.ModelProto:
    """Takes ``x`` uint8 (n, 4, 6, 3), gives ``y`` float32 (n, *length)."""
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, ["n", 4, 6, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", *length])],
        [numpy_helper.from_array(value, name) for name, value in (weights or {}).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def touched_by(model: onnx.ModelProto) -> set[str]:
    """Operators that read uint8."""
    typed = shape_inference.infer_shapes(model).graph
    uint8 = {
        value.name
        for value in [*typed.input, *typed.value_info]
        if value.type.tensor_type.elem_type == TensorProto.UINT8
    }
    return {node.op_type for node in model.graph.node if set(node.input) & uint8}


@pytest.mark.parametrize("name", NETWORKS)
def test_floats_first_leaves_every_bit_of_every_shipped_network(name: str) -> None:
    model = load(name)
    rewritten = cast_pixels_first(model)
    onnx.checker.check_model(rewritten, full_check=True)
    assert touched_by(rewritten) <= {"Cast"}
    inputs = noise(model)
    before, after = run(model, inputs), run(rewritten, inputs)
    assert before.keys() == after.keys()
    for output in before:
        np.testing.assert_array_equal(before[output], after[output])


def test_pixels_that_are_moved_in_many_ways_come_out_the_same() -> None:
    model = small(
        [
            helper.make_node("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2]),
            helper.make_node("Gather", ["t", "order"], ["g"], axis=1),
            helper.make_node("Concat", ["t", "g"], ["c"], axis=1),
            helper.make_node("Slice", ["c", "one", "five", "axis"], ["s"]),
            helper.make_node("Flatten", ["s"], ["f"]),
            helper.make_node("Cast", ["f"], ["y"], to=TensorProto.FLOAT),
        ],
        {
            "order": np.array([2, 1, 0]),
            "one": np.array([1]),
            "five": np.array([5]),
            "axis": np.array([1]),
        },
        length=(96,),
    )
    inputs = noise(model)
    np.testing.assert_array_equal(run(model, inputs)["y"], run(cast_pixels_first(model), inputs)["y"])


@pytest.mark.parametrize(
    "node",
    [
        helper.make_node("Add", ["x", "x"], ["z"]),
        helper.make_node("MaxPool", ["x"], ["z"], kernel_shape=[1, 1]),
        helper.make_node("Concat", ["x", "w"], ["z"], axis=0),
        helper.make_node("Gather", ["w", "x"], ["z"]),
    ],
    ids=lambda node: node.op_type,
)
def test_reckoning_with_integers_is_refused(node: onnx.NodeProto) -> None:
    model = small([node, helper.make_node("Cast", ["z"], ["y"], to=TensorProto.FLOAT)])
    model.graph.initializer.append(numpy_helper.from_array(np.zeros((1, 4, 6, 3), np.uint8), "w"))
    with pytest.raises(ModelError, match=node.op_type):
        cast_pixels_first(model)


def test_the_given_network_is_not_changed() -> None:
    model = load("occlusion")
    before = model.SerializeToString(deterministic=True)
    lower_precision(cast_pixels_first(model), "fp16", keep=("visible",))
    assert model.SerializeToString(deterministic=True) == before


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_a_lowered_network_is_one_of_the_types_it_says(name: str, precision: str) -> None:
    """Strongly typed: every operator's floats agree, convolutions are low, sensitive ones and the doors are not."""
    model = load(name)
    low = lower_precision(cast_pixels_first(model), precision)
    typed = shape_inference.infer_shapes(low, strict_mode=False).graph
    kinds = {value.name: value.type.tensor_type.elem_type for value in typed.value_info}
    kinds |= {value.name: value.type.tensor_type.elem_type for value in [*typed.input, *typed.output]}
    kinds |= {tensor.name: tensor.data_type for tensor in typed.initializer}
    wanted = TensorProto.FLOAT16 if precision == "fp16" else TensorProto.BFLOAT16
    floats = {TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16}
    for node in low.graph.node:
        taken = {kinds[name] for name in node.input if name and kinds[name] in floats}
        if node.op_type == "Conv" or (node.op_type == "Gemm"):
            assert taken == {wanted}, node.name
        if node.op_type in SENSITIVE:
            assert taken == {TensorProto.FLOAT}, node.name
        if node.op_type not in ("Cast", "Resize"):
            assert len(taken) <= 1, node.name
    for before, after in zip(
        [*model.graph.input, *model.graph.output], [*low.graph.input, *low.graph.output], strict=True
    ):
        assert before.name == after.name
        assert before.type.tensor_type.elem_type == after.type.tensor_type.elem_type


@pytest.mark.parametrize("name", [name for name in NETWORKS if profile_of(name).precision == "fp16"])
def test_a_network_in_half_precision_gives_nearly_the_same(name: str) -> None:
    model, inputs = load(name), fill_with_faces(load_catalog()[name].zeros())
    full, half = run(model, inputs), run(lower_precision(cast_pixels_first(model), "fp16"), inputs)
    for output, value in full.items():
        off = np.abs(half[output] - value).max() / max(1.0, np.abs(value).max())
        assert off < 0.02
    assert any(not np.array_equal(half[output], full[output]) for output in full), "nothing was lowered"


def test_kept_layers_stay_in_float() -> None:
    model = cast_pixels_first(load("occlusion"))
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    kept = convolutions[3].output[0]
    low = lower_precision(model, "fp16", keep=(kept,))
    onnx.checker.check_model(low, full_check=True)
    weights = {tensor.name: tensor.data_type for tensor in low.graph.initializer}
    kinds = {node.output[0]: weights[node.input[1]] for node in low.graph.node if node.op_type == "Conv"}
    assert kinds[kept] == TensorProto.FLOAT
    assert [kind for name, kind in kinds.items() if name != kept] == [TensorProto.FLOAT16] * (len(convolutions) - 1)


def test_keeping_every_layer_changes_nothing() -> None:
    model = cast_pixels_first(load("rnet"))
    inputs = noise(model)
    every = [name for node in model.graph.node for name in node.output]
    same = run(lower_precision(model, "fp16", keep=every), inputs)
    for output, value in run(model, inputs).items():
        np.testing.assert_array_equal(same[output], value)


def test_weights_stored_in_half_are_unfolded_exactly() -> None:
    model = cast_pixels_first(load("recognition"))
    plain = fold_constants(model)
    assert not [node for node in plain.graph.node if node.op_type == "Constant"]
    casts = [node.input[0] for node in plain.graph.node if node.op_type == "Cast"]
    assert not set(casts) & {tensor.name for tensor in plain.graph.initializer}
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    unfolded = {tensor.name: numpy_helper.to_array(tensor) for tensor in plain.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Cast" and node.input[0] in stored:
            np.testing.assert_array_equal(unfolded[node.output[0]], stored[node.input[0]].astype(np.float32))
    inputs = noise(model)
    np.testing.assert_allclose(run(model, inputs)["embedding"], run(plain, inputs)["embedding"], atol=1e-6)


def test_weights_that_half_cannot_hold_are_refused() -> None:
    model = small(
        [
            helper.make_node("Cast", ["x"], ["f"], to=TensorProto.FLOAT),
            helper.make_node("Mul", ["f", "w"], ["y"]),
        ],
        {"w": np.array([1e6], np.float32)},
    )
    with pytest.raises(ModelError, match="exceed the range of float16"):
        lower_precision(model, "fp16")
    lower_precision(model, "bf16")
    with pytest.raises(ModelError, match="unknown precision"):
        lower_precision(model, "int8")


def test_a_result_that_another_node_needs_as_well_keeps_its_name_and_type() -> None:
    model = small(
        [
            helper.make_node("Cast", ["x"], ["f"], to=TensorProto.FLOAT),
            helper.make_node("Relu", ["f"], ["y"]),
            helper.make_node("Mul", ["y", "y"], ["z"]),
            helper.make_node("Sqrt", ["z"], ["second"]),
            helper.make_node("Cast", ["y"], ["third"], to=TensorProto.INT32),
        ]
    )
    for name, kind in (("second", TensorProto.FLOAT), ("third", TensorProto.INT32)):
        model.graph.output.append(helper.make_tensor_value_info(name, kind, ["n", 4, 6, 3]))
    low = lower_precision(model, "fp16")
    onnx.checker.check_model(low, full_check=True)
    inputs = noise(model)
    for output, value in run(model, inputs).items():
        np.testing.assert_allclose(run(low, inputs)[output], value, rtol=2e-3)
