"""A network small enough to be computed by hand, for the tests of engines."""

from __future__ import annotations

import numpy as np

from rtswap.networks.onnx_graph import Graph

RNG = np.random.default_rng(0)
KERNEL = RNG.normal(size=(4, 3, 3, 3)).astype(np.float32)
BIAS = RNG.normal(size=4).astype(np.float32)


def small_network(shape: tuple[int | str, ...] = ("n", "h", "w", 3)) -> bytes:
    """A convolution of the picture, and its mean: two outputs, free batch and size."""
    g = Graph("small")
    x = g.conv(g.nhwc_u8("image"), KERNEL, BIAS, pads=[1, 1, 1, 1])
    g.add("Relu", x, to="map")
    g.add("ReduceMean", x, axes=[2, 3], keepdims=0, to="mean")
    n, h, w, _ = shape
    return g.serialise({"image": shape}, {"map": [n, 4, h, w], "mean": [n, 4]}, {})


def compute(image: np.ndarray) -> dict[str, np.ndarray]:
    """The same network in plain numpy."""
    padded = np.pad(image.astype(np.float64), ((0, 0), (1, 1), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    x = np.einsum("nhwcij,kcij->nkhw", windows, KERNEL.astype(np.float64)) + BIAS[None, :, None, None]
    return {"map": np.maximum(x, 0), "mean": x.mean(axis=(2, 3))}


def picture(*shape: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
