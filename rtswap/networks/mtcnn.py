"""Convert the weights in the PyPI package ``mtcnn`` 1.0.0 (MIT) to three ONNX files: the MTCNN face detector.

The package itself requires TensorFlow and is never imported; only its weight files are read. They are pickles
compressed with LZ4, and loading a pickle can run code, so a file is loaded only if its SHA-256 is the one below.

Structure: Zhang et al., "Joint Face Detection and Alignment using Multi-task Cascaded Convolutional Networks", 2016.
The graphs take uint8 (N, H, W, 3) BGR; (x - 127.5) / 128 and BGR -> RGB are folded into the first convolution, which
has no padding, so the results are equal. R- and O-Net output ``score`` 0..1 and ``box``, offsets of x1 y1 x2 y2 in
box sizes; O-Net also ``points`` (N, 5, 2) in box sizes from the box's corner. P-Net outputs a ``map`` (N, 5, rows,
columns): the logit of the score, then the four offsets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rtswap.core.errors import ModelError, reason
from rtswap.networks.packaged_weights import find_weights, read_verified

if TYPE_CHECKING:
    from rtswap.networks.onnx_graph import Graph

Array = NDArray[np.float32]
Weights = Sequence[Array]

_PACKAGE = "mtcnn", "1.0.0"
WEIGHTS_SHA256 = {
    "pnet": "ea6b0c3e685ebee3165326ad6484acc95f2ef78f1c94fbf40a55704fa989f7b5",
    "rnet": "cb00e6460f3c98b0bfafaba3c0a0ded4bdf6e62cee7174d969e8670d7e757fee",
    "onet": "94f6ea2f4cf985275ee958cdd762d17b6009348a4fb9d8c6be39ba73ffd22ca3",
}

_POOLS: Mapping[str, Sequence[tuple[int, bool] | None]] = MappingProxyType(
    {
        "pnet": ((2, True), None, None),
        "rnet": ((3, True), (3, False), None),
        "onet": ((3, True), (3, False), (2, True), None),
    }
)
"""Pooling after each convolution: (size in pixels, padded), or None."""
_SIDES: Mapping[str, tuple[int | str, int | str]] = MappingProxyType(
    {"pnet": ("h", "w"), "rnet": (24, 24), "onet": (48, 48)}
)


def convert(network: str) -> bytes:
    """Return the ONNX file of ``pnet``, ``rnet`` or ``onet``; the bytes are reproducible. Raises ModelError."""
    return _build(network, load_weights(weights_path(network), WEIGHTS_SHA256[network]))


def weights_path(network: str) -> Path:
    """Return the path of a network's weights in the package ``mtcnn``. Raises ModelError if it is not installed."""
    what = f"the face detector's weights ({network}.lz4)"
    return find_weights(what, f"assets/weights/{network}.lz4", *_PACKAGE)


def load_weights(path: Path, sha256: str) -> Weights:
    """Return the arrays in layer order; the file's hash is checked before it is unpickled. Raises ModelError."""
    content = read_verified(path, sha256, *_PACKAGE)
    import io
    import pickle

    import joblib
    import lz4.frame

    try:
        weights = joblib.load(io.BytesIO(lz4.frame.decompress(content)))
    except (RuntimeError, ValueError, EOFError, pickle.UnpicklingError) as error:
        raise ModelError(f"cannot unpack {path}", got=reason(error)) from error
    return [np.asarray(array, np.float32) for array in weights]


def _kernel(weight: Array) -> Array:
    """Keras (kh, kw, in, out) -> ONNX (out, in, kh, kw)."""
    return weight.transpose(3, 2, 0, 1)


def _pixel_conv(weight: Array, bias: Array) -> tuple[Array, Array]:
    """Convert a first convolution over (rgb - 127.5) / 128 to one over bgr 0..255."""
    wide = _kernel(weight).astype(np.float64)[:, ::-1] / 128.0
    return wide.astype(np.float32), (bias - 127.5 * wide.sum(axis=(1, 2, 3))).astype(np.float32)


def _slope(alpha: Array) -> Array:
    """PReLU slopes (1, 1, c) -> (c, 1, 1)."""
    return alpha.reshape(-1, 1, 1)


def _channels_first(weight: Array, side: int) -> Array:
    """Reorder a dense layer's rows from a (w, h, c) to a (c, h, w) flattening."""
    channels = weight.shape[0] // (side * side)
    return weight.reshape(side, side, channels, -1).transpose(2, 1, 0, 3).reshape(weight.shape)


def _face_logit(weight: Array, bias: Array) -> tuple[Array, Array]:
    """Convert a softmax over (no face, face) to a sigmoid of the difference. Last axis 2 -> 1."""
    return weight[..., 1:] - weight[..., :1], bias[1:] - bias[:1]


def _build(network: str, w: Weights) -> bytes:
    from rtswap.networks.onnx_graph import Graph

    g = Graph(f"mtcnn-{network}")
    x = g.nhwc_u8("image")
    for place, pool in enumerate(_POOLS[network]):
        weight, bias, slope = w[3 * place : 3 * place + 3]
        kernel = (_kernel(weight), bias) if place else _pixel_conv(weight, bias)
        x = g.add("PRelu", g.conv(x, *kernel), g.constant(_slope(slope)))
        if pool:
            side, padded = pool
            around = {"auto_pad": "SAME_UPPER"} if padded else {}
            x = g.add("MaxPool", x, kernel_shape=[side, side], strides=[2, 2], **around)
    rest = w[3 * len(_POOLS[network]) :]
    outputs = _map_of(g, x, rest) if network == "pnet" else _heads_of(g, x, rest)
    metadata = {"made_from": "mtcnn 1.0.0", "licence": "MIT", "weights_sha256": WEIGHTS_SHA256[network]}
    return g.serialise({"image": ["n", *_SIDES[network], 3]}, outputs, metadata)


def _map_of(g: Graph, x: str, w: Weights) -> dict[str, list[int | str]]:
    """Add P-Net's output layer; its weights are the box, then (no face, face)."""
    logit_kernel, logit_bias = _face_logit(w[2], w[3])
    kernel = np.concatenate([_kernel(logit_kernel), _kernel(w[0])])  # one pass over the features instead of two
    g.add("Identity", g.conv(x, kernel, np.concatenate([logit_bias, w[1]])), to="map")
    return {"map": ["n", 5, "y", "x"]}


def _heads_of(g: Graph, x: str, w: Weights) -> dict[str, list[int | str]]:
    """Add the output layers of R- and O-Net: a dense layer, then box, points (O-Net only) and score."""
    x = g.dense(g.add("Flatten", x), _channels_first(w[0], 3), w[1])
    x = g.add("PRelu", x, g.constant(w[2]))
    g.dense(x, w[3], w[4], to="box")
    outputs: dict[str, list[int | str]] = {"score": ["n", 1], "box": ["n", 4]}
    if len(w) > 7:
        x_then_y = np.arange(10).reshape(2, 5).T.ravel()  # x1..x5 y1..y5 -> x1 y1 x2 y2 ...
        points = g.dense(x, w[5][:, x_then_y], w[6][x_then_y])
        g.add("Reshape", points, g.constant(np.array([-1, 5, 2], np.int64)), to="points")
        outputs["points"] = ["n", 5, 2]
    g.add("Sigmoid", g.dense(x, *_face_logit(w[-2], w[-1])), to="score")
    return outputs
