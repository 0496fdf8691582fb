"""The torch engine equals ONNX Runtime, for every operator and network, on the CPU."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from network_inputs import waves
from onnx import helper, numpy_helper
from requirements import need_cuda, need_torch, network_file

from rtswap.core.errors import EngineError, ModelError
from rtswap.engines.build.profiles import profile_of
from rtswap.engines.onnxruntime import OnnxRuntimeEngine
from rtswap.engines.torch.buffers import Slots
from rtswap.engines.torch.engine import TorchEngine
from rtswap.engines.torch.graph import Program
from rtswap.engines.torch.operators import OPS
from rtswap.networks.catalog import load_catalog
from rtswap.networks.onnx_graph import Graph

RNG = np.random.default_rng(7)


def real(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


@dataclass(frozen=True)
class Case:
    """One operator: what varies, what is constant, and its attributes."""

    op: str
    inputs: list[np.ndarray | None]
    attributes: dict[str, Any] = field(default_factory=dict)
    outputs: int = 1
    opset: int = 17
    constant_from: int = 1
    """Inputs from this one on are constants of the graph, as shapes and weights are."""

    def __str__(self) -> str:
        return f"{self.op} {self.attributes}"

    def model(self) -> onnx.ModelProto:
        names = ["" if one is None else f"i{place}" for place, one in enumerate(self.inputs)]
        outs = [f"o{place}" for place in range(self.outputs)]
        graph = helper.make_graph(
            [helper.make_node(self.op, names, outs, **self.attributes)],
            "case",
            [
                helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(one.dtype), one.shape)
                for name, one in list(zip(names, self.inputs, strict=True))[: self.constant_from]
                if one is not None
            ],
            [onnx.ValueInfoProto(name=name) for name in outs],
            [
                numpy_helper.from_array(one, name)
                for name, one in list(zip(names, self.inputs, strict=True))[self.constant_from :]
                if one is not None
            ],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8)
        return onnx.shape_inference.infer_shapes(model)


X = real(2, 4, 7, 9)
SMALL = np.abs(real(2, 3)) + 0.1
CASES = [
    Case("Conv", [X, real(6, 4, 3, 3), real(6)], {"pads": [1, 0, 2, 1], "strides": [2, 1]}),
    Case("Conv", [X, real(8, 1, 3, 3)], {"group": 4, "dilations": [2, 2], "pads": [2, 2, 2, 2]}),
    Case("Conv", [X, real(6, 4, 2, 3)], {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
    Case("Conv", [X, real(6, 4, 2, 2)], {"auto_pad": "SAME_LOWER"}),
    Case("Conv", [real(2, 3, 8), real(5, 3, 3)], {"pads": [1, 1]}),
    Case("ConvTranspose", [X, real(4, 3, 4, 4), real(3)], {"strides": [2, 2], "pads": [1, 1, 1, 1]}),
    Case(
        "ConvTranspose",
        [X, real(4, 3, 3, 3)],
        {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]},
    ),
    Case("MaxPool", [X], {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1}),
    Case("MaxPool", [X], {"kernel_shape": [3, 2], "pads": [0, 0, 1, 1]}),
    Case("AveragePool", [X], {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}),
    Case("AveragePool", [X], {"kernel_shape": [2, 2], "pads": [0, 0, 1, 1], "count_include_pad": 1}),
    Case("GlobalAveragePool", [X]),
    Case("GlobalMaxPool", [X]),
    Case("BatchNormalization", [X, real(4), real(4), real(4), np.abs(real(4)) + 0.1], {"epsilon": 1e-3}),
    Case("InstanceNormalization", [X, real(4), real(4)], {"epsilon": 1e-4}),
    Case("LayerNormalization", [X, real(7, 9), real(7, 9)], {"axis": 2}),
    Case("Gemm", [real(3, 5), real(4, 5), real(4)], {"transB": 1, "alpha": 0.5, "beta": 2.0}),
    Case("Gemm", [real(5, 3), real(5, 4)], {"transA": 1}),
    Case("PRelu", [X, real(4, 1, 1)]),
    Case("LeakyRelu", [X], {"alpha": 0.2}),
    Case("Elu", [X], {"alpha": 0.7}),
    Case("Softplus", [X]),
    Case("HardSwish", [X]),
    Case("HardSigmoid", [X], {"alpha": 0.3}),
    Case("Softmax", [X], {"axis": 1}),
    Case("LogSoftmax", [X], {"axis": -1}),
    Case("Clip", [X, np.float32(-0.5) * np.ones((), np.float32), np.ones((), np.float32)]),
    Case("Clip", [X, None, np.zeros((), np.float32)]),
    Case("Clip", [X], {"min": -1.0, "max": 0.5}, opset=6 + 1),
    Case("Pad", [X, ints(0, 1, 2, 0, 0, 0, 1, 3), np.float32(0.5) * np.ones((), np.float32)]),
    Case("Pad", [X, ints(0, 0, 2, 1, 0, 0, 1, 3)], {"mode": "reflect"}),
    Case("Pad", [X, ints(0, 0, 2, 1, 0, 0, 1, 3)], {"mode": "edge"}),
    Case("DepthToSpace", [X], {"blocksize": 2, "mode": "CRD"}),
    Case("DepthToSpace", [X], {"blocksize": 2}),
    Case("SpaceToDepth", [real(2, 3, 6, 8)], {"blocksize": 2}),
    Case(
        "Resize",
        [X, None, np.array([1, 1, 2, 2], np.float32)],
        {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
    ),
    Case("Resize", [X, None, np.array([1, 1, 2, 3], np.float32)], {"mode": "nearest"}),
    Case("Resize", [X, None, np.array([1, 1, 2, 2], np.float32)], {"mode": "linear"}),
    Case("Resize", [X, None, None, ints(2, 4, 11, 5)], {"mode": "linear"}),
    Case(
        "Resize",
        [X, None, None, ints(2, 4, 14, 20)],
        {"mode": "linear", "coordinate_transformation_mode": "align_corners"},
    ),
    Case("Resize", [X, None, np.array([1, 1, 2, 2], np.float32)], {"mode": "cubic"}),
    Case("GridSample", [X, np.clip(real(2, 5, 6, 2), -1.2, 1.2)], opset=16),
    Case("GridSample", [X, np.clip(real(2, 5, 6, 2), -1.2, 1.2)], {"align_corners": 1, "padding_mode": "border"}),
    *(Case(op, [X]) for op in ("Abs", "Exp", "Sin", "Cos", "Floor", "Ceil", "Round", "Neg", "Sigmoid", "Tanh")),
    *(Case(op, [X]) for op in ("Erf", "Relu", "Sign", "Identity", "Dropout", "Transpose", "Shape", "Size")),
    *(Case(op, [SMALL]) for op in ("Log", "Sqrt", "Reciprocal")),
    *(Case(op, [X, real(4, 1, 1)]) for op in ("Add", "Sub", "Mul", "Div", "Min", "Max", "Sum")),
    *(Case(op, [X, real(9)]) for op in ("Greater", "GreaterOrEqual", "Less", "LessOrEqual")),
    Case("Equal", [np.round(X), np.zeros((), np.float32)]),
    Case("Div", [ints(-7, 7, 9, -9), ints(2, 2, -4, -4)]),
    Case("Pow", [SMALL, np.array(2.5, np.float32)]),
    Case("Mod", [ints(-7, 7, 9, -9), ints(2, 3, 4, 5)]),
    Case("Mod", [X, real(9)], {"fmod": 1}),
    Case("MatMul", [X, real(9, 5)]),
    Case("And", [X > 0, X[0] > 0]),
    Case("Or", [X > 0, X[0] > 0]),
    Case("Not", [X > 0]),
    Case("Where", [X > 0, X, real(9)], constant_from=2),
    *(
        Case(op, [X], {"axes": [1, -1], "keepdims": keep}, opset=13)
        for op in ("ReduceMean", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2", "ReduceSumSquare")
        for keep in (0, 1)
    ),
    Case("ReduceSum", [X, ints(2, 3)], {"keepdims": 0}),
    Case("ReduceSum", [X]),
    Case("ReduceSum", [X, ints()], {"noop_with_empty_axes": 1}),
    Case("Cast", [X], {"to": 7}),
    Case("Transpose", [X], {"perm": [0, 3, 1, 2]}),
    Case("Reshape", [X, ints(0, -1, 3)]),
    Case("Flatten", [X], {"axis": 2}),
    Case("Flatten", [X], {"axis": 0}),
    Case("Squeeze", [real(2, 1, 3, 1), ints(1)]),
    Case("Squeeze", [real(2, 1, 3, 1)]),
    Case("Unsqueeze", [X, ints(0, -1)]),
    Case("Concat", [X, real(2, 3, 7, 9)], {"axis": 1}),
    Case("Split", [X, ints(1, 3)], {"axis": 1}, outputs=2),
    Case("Split", [X], {"axis": 1}, outputs=2, opset=13),
    Case("Slice", [X, ints(1, -8), ints(6, 100), ints(2, 3), ints(2, 3)]),
    Case("Slice", [X, ints(-1), ints(-100), ints(3), ints(-2)]),
    Case("Slice", [X, ints(5), ints(2), ints(2)]),
    Case("Slice", [X], {"starts": [1], "ends": [-1], "axes": [3]}, opset=9),
    Case("Gather", [X, ints(2, -1, 0)], {"axis": 1}),
    Case("Gather", [X, np.array(1, np.int64)], {"axis": 3}),
    Case("Gather", [X, np.array([[0, 1], [1, -2]], np.int64)], {"axis": 2}),
    Case("Expand", [real(4, 1, 1), ints(2, 4, 3, 1)]),
    Case("Tile", [real(2, 3), ints(2, 1)]),
    Case("ConstantOfShape", [ints(2, 3)], {"value": numpy_helper.from_array(np.array([7], np.int64))}),
    Case("ConstantOfShape", [ints(2, 3)]),
    Case("Range", [np.array(2, np.int64), np.array(11, np.int64), np.array(3, np.int64)], constant_from=3),
]


def expected(model: onnx.ModelProto, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return list(session.run(None, inputs))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_operator_gives_what_onnxruntime_gives(case: Case) -> None:
    need_torch()
    import torch

    model = case.model()
    given = {f"i{place}": one for place, one in enumerate(case.inputs[: case.constant_from]) if one is not None}
    program = Program(torch, model.SerializeToString(), device="cpu")
    found = program({name: torch.from_numpy(np.array(value)) for name, value in given.items()})
    truth = expected(model, given)
    assert len(found) == len(truth)
    for got, value in zip(found.values(), truth, strict=True):
        assert got.numpy().dtype == value.dtype
        np.testing.assert_allclose(got.numpy(), value, rtol=2e-5, atol=2e-5)


def test_every_operator_is_tried() -> None:
    assert OPS.keys() - {case.op for case in CASES} == set()


@pytest.mark.parametrize("name", load_catalog())
@pytest.mark.parametrize("precision", ["fp32", "fp16", "bf16"])
def test_a_shipped_network_gives_what_onnxruntime_gives(name: str, precision: str) -> None:
    need_torch()
    path = network_file(name)
    inputs = waves(path, 2, 50)
    engine = TorchEngine(path, threads=1, device="cpu", precision=precision, keep=profile_of(name).keep)
    truth = OnnxRuntimeEngine(path, threads=1).run(inputs)
    found = engine.run(inputs)
    assert found.keys() == truth.keys()
    for output, value in truth.items():
        scale = max(1.0, float(np.abs(value).max()))
        allowed = {"fp32": 1e-4, "fp16": 1e-2, "bf16": 8e-2}[precision] * scale
        assert found[output].shape == value.shape
        assert np.abs(found[output] - value).max() < allowed
        assert found[output].dtype == np.float32


@pytest.mark.parametrize("name", load_catalog())
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_run_copies_nothing_between_device_and_host(name: str, precision: str) -> None:
    """A CUDA graph cannot be captured otherwise. The device is torch's ``meta``, which has no memory to read from."""
    need_torch()
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    copied: list[str] = []

    class Probe(TorchDispatchMode):
        def __torch_dispatch__(self, function: Any, types: Any, given: Any = (), named: Any = None) -> Any:
            found = function(*given, **(named or {}))
            tensors = [one for one in (found, *given) if isinstance(one, torch.Tensor)]
            if len({one.device for one in tensors if one.dim()}) > 1:
                copied.append(str(function))
            return found

    path = network_file(name)
    program = Program(torch, path.read_bytes(), device="meta", precision=precision, keep=profile_of(name).keep)
    inputs = {
        key: torch.empty(value.shape, dtype=torch.uint8, device="meta") for key, value in waves(path, 2, 50).items()
    }
    with Probe():
        found = program(inputs)
    assert copied == []
    assert all(value.device.type == "meta" for value in found.values())


def test_unknown_operator_is_reported() -> None:
    need_torch()
    g = Graph("odd")
    g.add("Det", g.nhwc_u8("image"), to="map")
    with pytest.raises(ModelError, match="Det"):
        TorchEngine(g.serialise({"image": ["n", 8, 8, 3]}, {"map": ["n", 3]}, {}), device="cpu")


def test_reason_is_reported_without_a_gpu() -> None:
    need_torch()
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    g = Graph("any")
    g.nhwc_u8("image")
    g.add("Identity", "t1", to="map")
    with pytest.raises(EngineError, match="CUDA"):
        TorchEngine(g.serialise({"image": ["n", 8, 8, 3]}, {"map": ["n", 3, 8, 8]}, {}))


def test_slots_keep_the_most_recent_shapes() -> None:
    made: list[tuple[tuple[int, ...], ...]] = []

    def make(shapes: tuple[tuple[int, ...], ...]) -> str:
        made.append(shapes)
        return str(shapes)

    slots = Slots(make, torch=None, stream=None, names=(), library="torch", most=2)
    one, two, three = ((1,),), ((2,),), ((3,),)
    for shapes in (one, two, one, three, one, two):
        assert slots[shapes] == str(shapes)
    assert made == [one, two, three, two]
    with pytest.raises(EngineError, match="failed in torch"), slots.guarded():
        raise RuntimeError
    assert slots[one]
    assert made[-1] == one


@pytest.mark.cuda
@pytest.mark.parametrize("name", load_catalog())
@pytest.mark.parametrize("precision", ["fp32", "fp16", "bf16"])
def test_on_the_gpu(name: str, precision: str) -> None:
    need_cuda()
    path = network_file(name)
    engine = TorchEngine(path, precision=precision, keep=profile_of(name).keep)
    reference = OnnxRuntimeEngine(path, threads=2)
    for batch in (1, 4, 1):
        inputs = waves(path, batch, 50)
        truth = reference.run(inputs)
        for output, value in engine.run(inputs).items():
            scale = max(1.0, float(np.abs(truth[output]).max()))
            allowed = {"fp32": 1e-3, "fp16": 1e-2, "bf16": 8e-2}[precision] * scale
            assert np.abs(value - truth[output]).max() < allowed, output
    assert engine.without_graph == "", "no CUDA graph was captured"
