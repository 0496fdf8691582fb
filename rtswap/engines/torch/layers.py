"""ONNX's neural network layers in torch: convolution, pooling, normalisation, activation, resizing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from rtswap.core.errors import EngineError

Attributes = Mapping[str, Any]


def _steps(attributes: Attributes, sides: int) -> tuple[list[int], list[int]]:
    """Return (strides, dilations)."""
    return attributes.get("strides") or [1] * sides, attributes.get("dilations") or [1] * sides


def _padding(
    torch: Any, attributes: Attributes, x: Any, kernel: Sequence[int], value: float
) -> tuple[Any, list[int]]:
    """Return (input, padding for torch). Torch's layers pad only symmetrically, so asymmetric padding is added to the
    input here and the returned padding is 0."""
    sides = len(kernel)
    strides, spread = _steps(attributes, sides)
    pads = list(attributes.get("pads") or [0] * 2 * sides)
    how = attributes.get("auto_pad", "NOTSET")
    if how.startswith("SAME"):
        for axis, (length, side) in enumerate(zip(x.shape[2:], kernel, strict=True)):
            reach = (side - 1) * spread[axis] + 1
            missing = max(0, (-(-length // strides[axis]) - 1) * strides[axis] + reach - length)
            less, more = missing // 2, missing - missing // 2
            pads[axis], pads[axis + sides] = (less, more) if how == "SAME_UPPER" else (more, less)
    before, after = pads[:sides], pads[sides:]
    if before == after:
        return x, before
    around = [one for axis in reversed(range(sides)) for one in (before[axis], after[axis])]
    return torch.nn.functional.pad(x, around, value=value), [0] * sides


def _conv(torch: Any, attributes: Attributes, x: Any, kernel: Any, bias: Any = None) -> Any:
    sides = kernel.dim() - 2
    x, pads = _padding(torch, attributes, x, kernel.shape[2:], 0.0)
    run = getattr(torch.nn.functional, f"conv{sides}d")
    strides, spread = _steps(attributes, sides)
    return run(x, kernel, bias, strides, pads, spread, attributes.get("group", 1))


def _conv_transpose(torch: Any, attributes: Attributes, x: Any, kernel: Any, bias: Any = None) -> Any:
    sides = kernel.dim() - 2
    pads = list(attributes.get("pads") or [0] * 2 * sides)
    if (
        pads[:sides] != pads[sides:]
        or "output_shape" in attributes
        or attributes.get("auto_pad", "NOTSET") != "NOTSET"
    ):
        raise EngineError("the torch engine does not support transposed convolutions with asymmetric padding")
    run = getattr(torch.nn.functional, f"conv_transpose{sides}d")
    strides, spread = _steps(attributes, sides)
    more = attributes.get("output_padding") or [0] * sides
    return run(x, kernel, bias, strides, pads[:sides], more, attributes.get("group", 1), spread)


def _max_pool(torch: Any, attributes: Attributes, x: Any) -> Any:
    kernel = attributes["kernel_shape"]
    lowest = torch.finfo(x.dtype).min if x.is_floating_point() else torch.iinfo(x.dtype).min
    x, pads = _padding(torch, attributes, x, kernel, lowest)
    run = getattr(torch.nn.functional, f"max_pool{len(kernel)}d")
    strides, spread = _steps(attributes, len(kernel))
    return run(x, kernel, strides, pads, spread, bool(attributes.get("ceil_mode")))


def _average_pool(torch: Any, attributes: Attributes, x: Any) -> Any:
    kernel = attributes["kernel_shape"]
    whole = bool(attributes.get("count_include_pad"))
    padded, pads = _padding(torch, attributes, x, kernel, 0.0)
    if padded is not x and not whole:
        raise EngineError("the torch engine does not support average pooling with asymmetric padding")
    run = getattr(torch.nn.functional, f"avg_pool{len(kernel)}d")
    strides, _ = _steps(attributes, len(kernel))
    return run(padded, kernel, strides, pads, bool(attributes.get("ceil_mode")), whole)


def _batch_norm(torch: Any, attributes: Attributes, x: Any, scale: Any, shift: Any, mean: Any, variance: Any) -> Any:
    return torch.nn.functional.batch_norm(x, mean, variance, scale, shift, eps=attributes.get("epsilon", 1e-5))


def _instance_norm(torch: Any, attributes: Attributes, x: Any, scale: Any, shift: Any) -> Any:
    return torch.nn.functional.instance_norm(x, weight=scale, bias=shift, eps=attributes.get("epsilon", 1e-5))


def _layer_norm(torch: Any, attributes: Attributes, x: Any, scale: Any, shift: Any = None) -> Any:
    axis = attributes.get("axis", -1) % x.dim()
    return torch.nn.functional.layer_norm(x, x.shape[axis:], scale, shift, attributes.get("epsilon", 1e-5))


def _gemm(torch: Any, attributes: Attributes, a: Any, b: Any, c: Any = None) -> Any:
    a = a.t() if attributes.get("transA") else a
    b = b.t() if attributes.get("transB") else b
    alpha, beta = attributes.get("alpha", 1.0), attributes.get("beta", 1.0)
    if c is None:
        return torch.mm(a, b) * alpha
    return torch.addmm(c, a, b, beta=beta, alpha=alpha)


def _clip(torch: Any, attributes: Attributes, x: Any, least: Any = None, most: Any = None) -> Any:
    least = attributes.get("min") if least is None else least.item()
    most = attributes.get("max") if most is None else most.item()
    return x if least is None and most is None else torch.clamp(x, least, most)


def _pad(torch: Any, attributes: Attributes, x: Any, pads: Any = None, value: Any = None, axes: Any = None) -> Any:
    wanted = [int(one) for one in pads.tolist()] if pads is not None else list(attributes["pads"])
    along = [int(one) % x.dim() for one in axes.tolist()] if axes is not None else list(range(x.dim()))
    count = len(wanted) // 2
    around = {axis: (wanted[place], wanted[place + count]) for place, axis in enumerate(along)}
    flat = [one for axis in reversed(range(x.dim())) for one in around.get(axis, (0, 0))]
    how = {"constant": "constant", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}
    mode = how[attributes.get("mode", "constant")]
    if mode == "constant":
        filling = float(value) if value is not None else float(attributes.get("value", 0.0))
        return torch.nn.functional.pad(x, flat, value=filling)
    while len(flat) > 2 and flat[-2:] == [0, 0]:
        flat = flat[:-2]
    return torch.nn.functional.pad(x, flat, mode=mode)


def _depth_to_space(torch: Any, attributes: Attributes, x: Any) -> Any:
    block, (n, channels, height, width) = attributes["blocksize"], x.shape
    if attributes.get("mode", "DCR") == "CRD":
        return torch.nn.functional.pixel_shuffle(x, block)
    x = x.reshape(n, block, block, channels // block**2, height, width).permute(0, 3, 4, 1, 5, 2)
    return x.reshape(n, channels // block**2, height * block, width * block)


def _space_to_depth(torch: Any, attributes: Attributes, x: Any) -> Any:
    block, (n, channels, height, width) = attributes["blocksize"], x.shape
    x = x.reshape(n, channels, height // block, block, width // block, block).permute(0, 3, 5, 1, 2, 4)
    return x.reshape(n, channels * block**2, height // block, width // block)


_KNOWN_RESIZES: Mapping[tuple[str, str], dict[str, Any]] = MappingProxyType(
    {
        ("nearest", "asymmetric"): {"mode": "nearest"},
        ("linear", "half_pixel"): {"mode": "bilinear", "align_corners": False},
        ("linear", "pytorch_half_pixel"): {"mode": "bilinear", "align_corners": False},
        ("linear", "align_corners"): {"mode": "bilinear", "align_corners": True},
        ("cubic", "half_pixel"): {"mode": "bicubic", "align_corners": False},
        ("cubic", "pytorch_half_pixel"): {"mode": "bicubic", "align_corners": False},
        ("cubic", "align_corners"): {"mode": "bicubic", "align_corners": True},
    }
)


def _resize(
    torch: Any, attributes: Attributes, x: Any, roi: Any = None, scales: Any = None, sizes: Any = None
) -> Any:
    mode = attributes.get("mode", "nearest")
    place = attributes.get("coordinate_transformation_mode", "half_pixel")
    how = _KNOWN_RESIZES.get((mode, place))
    whole = scales is None or all(float(one).is_integer() for one in scales.tolist())
    if mode == "nearest" and place == "half_pixel" and scales is not None and whole:
        how = {"mode": "nearest"}  # for integer scales both read the same pixel
    elif mode == "nearest" and attributes.get("nearest_mode", "round_prefer_floor") != "floor" and not whole:
        how = None
    if how is None or x.dim() != 4 or attributes.get("antialias"):
        raise EngineError("the torch engine does not support this resize mode", got=f"{mode}, {place}")
    if scales is not None and scales.numel():
        factors = [float(one) for one in scales.tolist()][2:]
        return torch.nn.functional.interpolate(x, scale_factor=factors, recompute_scale_factor=False, **how)
    return torch.nn.functional.interpolate(x, size=[int(one) for one in sizes.tolist()][2:], **how)


def _grid_sample(torch: Any, attributes: Attributes, x: Any, grid: Any) -> Any:
    modes = {"linear": "bilinear", "cubic": "bicubic"}
    mode = attributes.get("mode", "linear")
    return torch.nn.functional.grid_sample(
        x,
        grid,
        mode=modes.get(mode, mode),
        padding_mode=attributes.get("padding_mode", "zeros"),
        align_corners=bool(attributes.get("align_corners")),
    )


def _activation(name: str, **defaults: float) -> Callable[..., Any]:
    """Return an operator for a function of ``torch.nn.functional``. ``defaults``: its parameters under ONNX's names,
    in torch's order."""

    def run(torch: Any, attributes: Attributes, x: Any) -> Any:
        given = [attributes.get(key, value) for key, value in defaults.items()]
        return getattr(torch.nn.functional, name)(x, *given)

    return run


def _hard_sigmoid(torch: Any, attributes: Attributes, x: Any) -> Any:
    return torch.clamp(x * attributes.get("alpha", 0.2) + attributes.get("beta", 0.5), 0.0, 1.0)


LAYERS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        "Conv": _conv,
        "ConvTranspose": _conv_transpose,
        "MaxPool": _max_pool,
        "AveragePool": _average_pool,
        "GlobalAveragePool": lambda torch, attributes, x: x.mean(tuple(range(2, x.dim())), True),
        "GlobalMaxPool": lambda torch, attributes, x: x.amax(tuple(range(2, x.dim())), True),
        "BatchNormalization": _batch_norm,
        "InstanceNormalization": _instance_norm,
        "LayerNormalization": _layer_norm,
        "Gemm": _gemm,
        "PRelu": lambda torch, attributes, x, slope: torch.where(x < 0, x * slope, x),
        "LeakyRelu": _activation("leaky_relu", alpha=0.01),
        "Elu": _activation("elu", alpha=1.0),
        "Softplus": _activation("softplus"),
        "HardSwish": _activation("hardswish"),
        "HardSigmoid": _hard_sigmoid,
        "Softmax": lambda torch, attributes, x: torch.softmax(x, attributes.get("axis", -1)),
        "LogSoftmax": lambda torch, attributes, x: torch.log_softmax(x, attributes.get("axis", -1)),
        "Clip": _clip,
        "Pad": _pad,
        "DepthToSpace": _depth_to_space,
        "SpaceToDepth": _space_to_depth,
        "Resize": _resize,
        "GridSample": _grid_sample,
    }
)
"""ONNX operator -> its implementation."""
