"""Convert dlib's face recognition ResNet (CC0) from the PyPI package ``face_recognition_models`` 0.3.0 to ONNX.

The graph takes uint8 (N, 150, 150, 3) BGR crops and outputs ``embedding`` (N, 128), not normalised: two photos of the
same person have a Euclidean distance below 0.6. Structure: Davis King, "High Quality Face Recognition with Deep
Metric Learning", 2017: a ResNet of 29 convolutions, each followed by a scale and a shift per channel, which are
folded in; so are BGR -> RGB and (x - mean) / 256.

The part ``stages`` takes the same crops and outputs ``features`` (N, 736): the means over the crop of the feature
maps of the five stages, from fine texture to the complete face. `rtswap eval` compares sets of images by them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rtswap.core.errors import ModelError
from rtswap.networks.packaged_weights import find_weights, read_verified

if TYPE_CHECKING:
    from rtswap.networks.onnx_graph import Graph

Array = NDArray[np.float32]

WEIGHTS_SHA256 = "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30"
_PACKAGE = "face_recognition_models", "0.3.0"
_FILE = "dlib_face_recognition_resnet_model_v1.dat"
_MEAN_RGB = (122.782, 117.001, 104.298)
_BLOCKS = (
    *((32, False),) * 3,
    *((64, True), *((64, False),) * 3),
    *((128, True), *((128, False),) * 2),
    *((256, True), *((256, False),) * 2),
    (256, True),
)
"""Residual blocks from input to output: (channels, whether the block halves the resolution)."""


def convert(part: str) -> bytes:
    """Return the ONNX file of ``part`` (``resnet`` or ``stages``); the bytes are reproducible. Raises ModelError."""
    if part not in ("resnet", "stages"):
        raise ModelError("unknown part of dlib's network", expected="resnet or stages", got=part)
    return _build(_Weights(read_verified(weights_path(), WEIGHTS_SHA256, *_PACKAGE)), stages=part == "stages")


def weights_path() -> Path:
    """Return the path of the weights in the package ``face_recognition_models``. Raises NotInstalled."""
    return find_weights("the weights of the identity network", f"models/{_FILE}", *_PACKAGE)


class _Weights:
    """Reads the file's tensors in order, from the input layer to the output layer."""

    def __init__(self, content: bytes) -> None:
        self._content, self._at = content, 0

    def take(self, *shape: int) -> Array:
        """Return the next tensor with as many values as ``shape``, which follows dlib's header ``version 2, n, 1, 1,
        1``."""
        count = int(np.prod(shape))
        sizes = shape if len(shape) == 2 else (count, 1)
        header = _pack(2) + b"".join(map(_pack, sizes)) + _pack(1) * 2
        begin = self._content.find(header, self._at) + len(header)
        end = begin + 4 * count
        if begin < len(header) or end > len(self._content):
            raise ModelError("the identity network's weights are truncated", expected=f"{count} more values")
        self._at = end
        return np.frombuffer(self._content, "<f4", count, begin).reshape(shape).astype(np.float32)

    def conv(self, out: int, into: int, side: int) -> tuple[Array, Array]:
        """Return kernel (out, into, side, side) and bias, with the following scale and shift folded in."""
        numbers = self.take(out * into * side * side + out).astype(np.float64)
        scale, shift = self.take(2 * out).astype(np.float64).reshape(2, out)
        kernel, bias = numbers[:-out].reshape(out, into, side, side), numbers[-out:]
        kernel, bias = kernel * scale[:, None, None, None], bias * scale + shift
        return kernel.astype(np.float32), bias.astype(np.float32)


def _pack(number: int) -> bytes:
    """Encode an integer as dlib does: a byte with the number of bytes that follow, then those, little-endian."""
    length = (number.bit_length() + 7) // 8
    return bytes([length]) + number.to_bytes(length, "little")


def _build(weights: _Weights, *, stages: bool = False) -> bytes:
    from rtswap.networks.onnx_graph import Graph

    g = Graph("dlib-stages" if stages else "dlib-resnet")
    kernel, bias = weights.conv(32, 3, 7)
    x = g.add("Relu", g.conv(g.nhwc_u8("image"), *_for_pixels(kernel, bias), strides=[2, 2]))
    x = g.add("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2])
    channels, side = 32, 35
    ends = []
    for (wanted, halves), size in zip(_BLOCKS, _sides(side), strict=True):
        if halves:
            ends.append(x)
        x = _block(g, x, weights, channels, wanted, size if halves else None)
        channels = wanted
    outputs: dict[str, list[int | str]]
    if stages:
        means = [g.add("Flatten", g.add("GlobalAveragePool", end)) for end in (*ends, x)]
        g.add("Concat", *means, to="features", axis=1)
        outputs = {"features": ["n", 736]}
    else:
        x = g.add("Flatten", g.add("GlobalAveragePool", x))
        g.add("MatMul", x, g.constant(weights.take(256, 128)), to="embedding")
        outputs = {"embedding": ["n", 128]}
    metadata = {
        "made_from": "face_recognition_models 0.3.0",
        "licence": "CC0-1.0",
        "weights_sha256": WEIGHTS_SHA256,
    }
    return g.serialise({"image": ["n", 150, 150, 3]}, outputs, metadata)


def _for_pixels(kernel: Array, bias: Array) -> tuple[Array, Array]:
    """Convert a first convolution over (rgb - mean) / 256 to one over bgr 0..255; it has no padding, so the results
    are equal."""
    wide = kernel.astype(np.float64) / 256.0
    moved = bias - (wide * np.array(_MEAN_RGB)[None, :, None, None]).sum(axis=(1, 2, 3))
    return wide[:, ::-1].astype(np.float32), moved.astype(np.float32)


def _sides(side: int) -> Iterator[int]:
    """Yield the side in pixels of each block's input."""
    for _, halves in _BLOCKS:
        yield side
        if halves:
            side = side // 2


def _block(g: Graph, x: str, weights: _Weights, into: int, out: int, halved_side: int | None) -> str:
    """Add conv, relu, conv and the skip connection. ``halved_side``: the input's side if the block halves it, else
    None."""
    kernel, bias = weights.conv(out, into, 3)
    geometry = {"pads": [1, 1, 1, 1]} if halved_side is None else {"strides": [2, 2]}
    y = g.add("Relu", g.conv(x, kernel, bias, **geometry))
    y = g.conv(y, *weights.conv(out, out, 3), pads=[1, 1, 1, 1])
    if halved_side is not None:
        x = g.add("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])
        missing = halved_side // 2 - ((halved_side - 3) // 2 + 1)  # the convolution's output may be a row smaller
        y = _grow(g, y, 0, missing)
        x = _grow(g, x, out - into, 0)
    return g.add("Relu", g.add("Add", y, x))


def _grow(g: Graph, x: str, channels: int, pixels: int) -> str:
    """Pad with zeros after the last channel and at the bottom and right."""
    if not (channels or pixels):
        return x
    return g.add("Pad", x, g.constant(np.array([0, 0, 0, 0, 0, channels, pixels, pixels], np.int64)))
