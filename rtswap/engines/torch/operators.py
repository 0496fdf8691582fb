"""ONNX operators implemented in torch. Each function takes torch, the node's attributes and its inputs.

Integers (shapes, axes) are tensors on the CPU; floats are on the engine's device. Reference: ONNX's operator
definitions, https://onnx.ai/onnx/operators/.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from rtswap.core.errors import EngineError
from rtswap.engines.torch.layers import LAYERS

Op = Callable[..., Any]
_FEW = 16


def _ints(value: Any) -> list[int]:
    return [int(one) for one in value.reshape(-1).tolist()]


def _together(*tensors: Any) -> list[Any]:
    """Return the tensors on one device: CPU tensors other than scalars move to the first device that is not the
    CPU."""
    device = next((one.device for one in tensors if one.device.type != "cpu"), tensors[0].device)
    return [one if one.device == device or one.dim() == 0 else one.to(device) for one in tensors]


def _two(function: Callable[[Any, Any], Any]) -> Op:
    return lambda torch, attributes, a, b: function(*_together(a, b))


def _one(name: str) -> Op:
    return lambda torch, attributes, x: getattr(torch, name)(x)


def _divide(a: Any, b: Any) -> Any:
    return a.div(b) if a.is_floating_point() else a.div(b, rounding_mode="trunc")


def _mod(torch: Any, attributes: Mapping[str, Any], a: Any, b: Any) -> Any:
    return torch.fmod(a, b) if attributes.get("fmod") else torch.remainder(a, b)


def _many(function: str) -> Op:
    def fold(torch: Any, attributes: Mapping[str, Any], *tensors: Any) -> Any:
        first, *others = _together(*tensors)
        for other in others:
            first = getattr(torch, function)(first, other)
        return first

    return fold


def _axes(attributes: Mapping[str, Any], axes: Any, rank: int) -> list[int]:
    """Return the axes from the input, or the attribute (older opsets); all axes if neither is given."""
    if axes is not None:
        return _ints(axes) or list(range(rank))
    return list(attributes.get("axes") or range(rank))


def _reduce(function: Callable[[Any, list[int], bool], Any]) -> Op:
    def reduce(torch: Any, attributes: Mapping[str, Any], x: Any, axes: Any = None) -> Any:
        if axes is not None and not axes.numel() and attributes.get("noop_with_empty_axes"):
            return x
        return function(x, _axes(attributes, axes, x.dim()), bool(attributes.get("keepdims", 1)))

    return reduce


def _reshape(torch: Any, attributes: Mapping[str, Any], x: Any, shape: Any) -> Any:
    wanted = _ints(shape)
    if not attributes.get("allowzero"):
        wanted = [x.shape[axis] if length == 0 else length for axis, length in enumerate(wanted)]
    return x.reshape(wanted)


def _flatten(torch: Any, attributes: Mapping[str, Any], x: Any) -> Any:
    axis = attributes.get("axis", 1)
    axis = axis + x.dim() if axis < 0 else axis
    return x.reshape(math.prod(x.shape[:axis]), math.prod(x.shape[axis:]))


def _squeeze(torch: Any, attributes: Mapping[str, Any], x: Any, axes: Any = None) -> Any:
    wanted = _ints(axes) if axes is not None else attributes.get("axes")
    return torch.squeeze(x) if wanted is None else torch.squeeze(x, tuple(wanted))


def _unsqueeze(torch: Any, attributes: Mapping[str, Any], x: Any, axes: Any = None) -> Any:
    wanted = _ints(axes) if axes is not None else list(attributes["axes"])
    rank = x.dim() + len(wanted)
    for axis in sorted(axis % rank for axis in wanted):
        x = x.unsqueeze(axis)
    return x


def _split(torch: Any, attributes: Mapping[str, Any], x: Any, sizes: Any = None) -> Any:
    axis = attributes.get("axis", 0)
    wanted = _ints(sizes) if sizes is not None else attributes.get("split")
    if wanted is None:
        count = attributes.get("num_outputs") or attributes["outputs"]
        return torch.split(x, -(-x.shape[axis] // count), axis)
    return torch.split(x, list(wanted), axis)


def _slice(
    torch: Any,
    attributes: Mapping[str, Any],
    x: Any,
    starts: Any = None,
    ends: Any = None,
    axes: Any = None,
    steps: Any = None,
) -> Any:
    begin = _ints(starts) if starts is not None else list(attributes["starts"])
    end = _ints(ends) if ends is not None else list(attributes["ends"])
    along = _ints(axes) if axes is not None else list(attributes.get("axes") or range(len(begin)))
    by = _ints(steps) if steps is not None else [1] * len(begin)
    for first, last, axis, step in zip(begin, end, along, by, strict=True):
        length = x.shape[axis]
        places = range(*slice(first, None if step < 0 and last < -length else last, step).indices(length))
        if not places:
            x = x.narrow(axis, 0, 0)
            continue
        x = x.narrow(axis, min(places), abs(places[-1] - places[0]) + 1)
        x = x.flip(axis) if step < 0 else x
        x = x[(*[slice(None)] * (axis % x.dim()), slice(None, None, abs(step)))] if abs(step) > 1 else x
    return x


def _gather(torch: Any, attributes: Mapping[str, Any], x: Any, indices: Any) -> Any:
    axis = attributes.get("axis", 0) % max(1, x.dim())
    if indices.dim() == 0 and indices.device.type == "cpu":
        return x.select(axis, int(indices))
    if indices.device.type == "cpu" and 0 < indices.numel() <= _FEW:  # avoids a copy to the device
        found = torch.stack([x.select(axis, index) for index in _ints(indices)], axis)
        return found.reshape(*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])
    flat = indices.reshape(-1).to(device=x.device, dtype=torch.int64)
    flat = torch.where(flat < 0, flat + x.shape[axis], flat)
    return x.index_select(axis, flat).reshape(*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])


def _expand(torch: Any, attributes: Mapping[str, Any], x: Any, shape: Any) -> Any:
    return x.expand(torch.broadcast_shapes(tuple(x.shape), tuple(_ints(shape))))


def _cast(torch: Any, attributes: Mapping[str, Any], x: Any) -> Any:
    kind = attributes["to"]
    names = {1: "float32", 2: "uint8", 3: "int8", 5: "int16", 6: "int32", 7: "int64", 9: "bool"}
    names |= {10: "float16", 11: "float64", 16: "bfloat16"}
    if kind not in names:
        raise EngineError("the network casts to an unsupported type", got=str(kind))
    return x.to(getattr(torch, names[kind]))


def _constant_of_shape(torch: Any, attributes: Mapping[str, Any], shape: Any) -> Any:
    value = attributes.get("value")
    return torch.zeros(_ints(shape)) if value is None else value.new_full(_ints(shape), value.reshape(-1)[0].item())


def _range(torch: Any, attributes: Mapping[str, Any], start: Any, limit: Any, step: Any) -> Any:
    return torch.arange(start.item(), limit.item(), step.item(), dtype=start.dtype, device=start.device)


_BINARY: Mapping[str, Callable[[Any, Any], Any]] = MappingProxyType(
    {
        "Add": operator.add,
        "Sub": operator.sub,
        "Mul": operator.mul,
        "MatMul": operator.matmul,
        "Equal": operator.eq,
        "And": operator.and_,
        "Or": operator.or_,
        "Greater": operator.gt,
        "GreaterOrEqual": operator.ge,
        "Less": operator.lt,
        "LessOrEqual": operator.le,
    }
)
_PLAIN = ("abs", "exp", "log", "sqrt", "sin", "cos", "floor", "ceil", "round", "neg", "reciprocal", "sigmoid")
OPS: Mapping[str, Op] = MappingProxyType(
    {
        **LAYERS,
        **{name.capitalize(): _one(name) for name in (*_PLAIN, "tanh", "erf", "relu", "sign")},
        **{name: _two(function) for name, function in _BINARY.items()},
        "Div": _two(_divide),
        "Pow": _two(lambda a, b: (a**b).to(a.dtype)),
        "Mod": _mod,
        "Not": lambda torch, attributes, x: ~x,
        "Min": _many("minimum"),
        "Max": _many("maximum"),
        "Sum": _many("add"),
        "Where": lambda torch, attributes, condition, a, b: torch.where(*_together(condition, a, b)),
        "ReduceMean": _reduce(lambda x, axes, keep: x.mean(axes, keep)),
        "ReduceSum": _reduce(lambda x, axes, keep: x.sum(axes, keep)),
        "ReduceMax": _reduce(lambda x, axes, keep: x.amax(axes, keep)),
        "ReduceMin": _reduce(lambda x, axes, keep: x.amin(axes, keep)),
        "ReduceL1": _reduce(lambda x, axes, keep: x.abs().sum(axes, keep)),
        "ReduceL2": _reduce(lambda x, axes, keep: x.norm(2, axes, keep)),
        "ReduceSumSquare": _reduce(lambda x, axes, keep: (x * x).sum(axes, keep)),
        "Identity": lambda torch, attributes, x: x,
        "Dropout": lambda torch, attributes, x, *others: x,
        "Cast": _cast,
        "Transpose": lambda torch, attributes, x: x.permute(attributes.get("perm") or tuple(range(x.dim()))[::-1]),
        "Reshape": _reshape,
        "Flatten": _flatten,
        "Squeeze": _squeeze,
        "Unsqueeze": _unsqueeze,
        "Concat": lambda torch, attributes, *tensors: torch.cat(_together(*tensors), attributes["axis"]),
        "Split": _split,
        "Slice": _slice,
        "Gather": _gather,
        "Expand": _expand,
        "Tile": lambda torch, attributes, x, repeats: x.repeat(_ints(repeats)),
        "Shape": lambda torch, attributes, x: torch.tensor(tuple(x.shape), dtype=torch.int64),
        "Size": lambda torch, attributes, x: torch.tensor(x.numel(), dtype=torch.int64),
        "ConstantOfShape": _constant_of_shape,
        "Range": _range,
    }
)
"""ONNX operator -> its implementation."""
